"""What one run has seen of the state and has done on the server: that which no single resource knows."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from components.objects.dialect import Kind

Id = tuple[str, str]
"""Kind and pk of an object."""


class RunMemory:
    """The memory of one provider process. Thread-safe."""

    def __init__(self) -> None:
        self._claimed: set[Id] = set()
        self._holders: dict[Id, set[tuple[str, bool]]] = {}
        self._made: dict[Id, str] = {}
        self._known: dict[tuple[str, str], str] = {}
        self._before: dict[Id, Mapping[str, Any]] = {}
        self._ours: set[Id] = set()
        self._gone: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    # Whose an object is --------------------------------------------------------------------------------------------

    def claim(self, kind: Kind, item: Mapping[str, Any]) -> None:
        """A resource has made the object, changed it, or taken it over."""
        with self._lock:
            self._claimed.add((kind.name, str(item[kind.pk])))

    def is_claimed(self, kind: Kind, pk: str) -> bool:
        """Whether a resource has it since this run: then no other may delete it."""
        with self._lock:
            return (kind.name, pk) in self._claimed

    def record_state(
        self,
        kind: Kind,
        logical: str,
        pk: str,
        fields: Mapping[str, Any],
        before: Mapping[str, Any] | None,
    ) -> None:
        """The state has a resource of this logical name, with these fields, for the object.

        `before`: what an adopted object held before this stack; None for one that the stack made.

        A run that was killed after one resource had taken an object over, and before the one that had it was
        deleted, leaves both in the state. The next run deletes the latter, and must not delete the object.
        """
        with self._lock:
            self._known[kind.name, logical] = pk
            self._holders.setdefault((kind.name, pk), set()).add((logical, before is not None))
            if before is None:
                self._made[kind.name, pk] = kind.key.display_name(fields)
            else:
                self._before[kind.name, pk] = before

    def record_adoption(self, kind: Kind, pk: str, before: Mapping[str, Any]) -> None:
        """A resource takes over an object that held these values before."""
        with self._lock:
            self._before[kind.name, pk] = before

    def original(self, kind: Kind, pk: str) -> Mapping[str, Any] | None:
        """What an object held before this stack took it over; None for one that it made."""
        with self._lock:
            return self._before.get((kind.name, pk))

    def is_managed(self, kind: Kind, pk: str) -> bool:
        """Whether the state is known to have a resource for the object."""
        with self._lock:
            return bool(self._holders.get((kind.name, pk)))

    def known_pk(self, kind: Kind, logical: str) -> str | None:
        """The pk that the state has under this logical name, as far as it was seen."""
        with self._lock:
            return self._known.get((kind.name, logical))

    def has_made(self, kind: Kind, pk: str, fields: Mapping[str, Any]) -> bool:
        """Whether this stack is known to have made this very object, under whatever logical name.

        Its natural key counts too, since a rebuilt server may give a pk anew.
        """
        with self._lock:
            return self._made.get((kind.name, pk)) == kind.key.display_name(fields)

    def release(self, kind: Kind, logical: str, pk: str, *, adopted: bool) -> bool:
        """Whether another resource still holds the object. If it was ours, it is so for that one too."""
        with self._lock:
            holders = self._holders.get((kind.name, pk), set())
            holders.discard((logical, adopted))
            if holders and not adopted:
                self._ours.add((kind.name, pk))
            return bool(holders)

    def is_ours(self, kind: Kind, pk: str) -> bool:
        """Whether a resource that made the object has let go of it, for another one that counts it as adopted."""
        with self._lock:
            return (kind.name, pk) in self._ours

    # What is gone --------------------------------------------------------------------------------------------------

    def record_deletion(self, kind: Kind, fields: Mapping[str, Any]) -> None:
        """The object is deleted in this run, or will be before those that refer to it are looked at."""
        with self._lock:
            self._gone.update((name, kind.key.display_name(fields)) for name in (kind.name, *kind.groups))

    def refers_to_deleted(self, kind: Kind, fields: Mapping[str, Any]) -> bool:
        """Whether something that these fields refer to was deleted in this run (and made anew, if it is there).

        The server has then cut the reference, although the program names the same thing as before.
        """
        with self._lock:
            gone = set(self._gone)
        return bool(gone) and any(
            gone.intersection(reference.candidates(name)) for _, reference, name in kind.references_in(fields)
        )
