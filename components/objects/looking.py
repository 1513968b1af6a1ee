"""Looking at the server while a preview is made, if that was asked for: what a write would find, said before it.

A plain preview makes no call. Reads of a refresh show drift of what the stack has; what it does not have yet (names of
objects that nobody declares, objects that are to be taken over) is looked for here.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from components.objects import fields as said
from components.objects.dialect import Dialect, Kind
from components.objects.store import Missing, Object, Store, key_of
from components.objects.values import is_unknown
from components.objects.wording import Words, called, titled
from components.objects.writing import Declared

ENVIRONMENT = "GATEHOUSE_LOOK"
"""Environment: not empty where previews may ask the server. Only lists are read, nothing is ever written."""
LONGEST = 60
"""Characters of a value that are shown."""


class Look:
    """What the objects of one program would meet. The engine shows targets before what refers to them. Thread-safe."""

    def __init__(self, dialect: Dialect, store: Store) -> None:
        self._dialect = dialect
        self._store = store
        self._words = Words(dialect)
        self._declared: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def objections(self, wanted: Declared) -> list[tuple[str, str]]:
        """(field, text) for each name that is neither declared before this object nor on the server.

        Raises ObjectError when the server does not let us read.
        """
        kind = self._dialect.kind(wanted.kind)
        with self._lock:
            self._declared.update((name, called(kind, wanted.fields)) for name in (kind.name, *kind.groups))
        return list(self._dangling(kind, wanted))

    def outlook(self, wanted: Declared) -> str:
        """What the creation of this object would meet, in words; empty if there is nothing to say."""
        kind = self._dialect.kind(wanted.kind).with_sealed(wanted.sealed)
        there = self._there(kind, wanted.fields)
        if there is None:
            return (
                f"there is no {titled(kind, wanted.fields)} to take over; it would be made"
                if wanted.adopt
                else ""
            )
        pk = str(there[kind.pk])
        if not wanted.adopt:
            return str(self._words.taken(kind, wanted.logical, wanted.fields, pk))
        changes, other = self._changes(kind, wanted.fields, there)
        if other:
            return str(self._words.other_secret(kind, wanted.logical, wanted.fields, other[0]))
        begin = f"takes over {titled(kind, wanted.fields)} (pk {pk}), which is there, and "
        left = sorted(name for name in wanted.fields if name in kind.write_only or name in kind.setters)
        end = f"; its {' and '.join(left)} would be left as found" if left else ""
        return begin + (f"changes {'; '.join(changes)}" if changes else "changes nothing in it") + end

    def _dangling(self, kind: Kind, wanted: Declared) -> Iterator[tuple[str, str]]:
        for field, reference, name in kind.named(wanted.fields):
            with self._lock:
                declared = not self._declared.isdisjoint(reference.meant(name))
            if declared:
                continue
            try:
                self._store.resolved(reference, name)
            except Missing as missing:
                error = self._words.nameless(wanted.logical, field, missing)
                yield field, f"{error.what}. {error.remedy}"

    def _there(self, kind: Kind, fields: Mapping[str, Any]) -> Object | None:
        names = [name for part in kind.key for name in part.split("|")]
        if any(is_unknown(fields.get(name)) for name in names):
            return None
        try:
            key = {name: said.sent(self._store, kind, name, fields.get(name)) for name in names}
        except Missing:
            return None  # part of its name is still to be made, so it cannot be there
        found = self._store.matches(kind, key_of(kind, key))
        return found[0] if found else None

    def _changes(self, kind: Kind, fields: Mapping[str, Any], there: Object) -> tuple[list[str], list[str]]:
        """Fields that adopting would change, in words; and secrets that are other ones than ours."""
        known = {
            name: value
            for name, value in fields.items()
            if not is_unknown(value) and name not in kind.write_only and name not in kind.setters
        }
        seen = said.observed(self._store, self._dialect, kind, known, there)
        differs = [name for name, value in known.items() if not said.same(kind, name, seen.get(name), value)]
        changes = [
            f"{name} (its value is secret)"
            if name in kind.hidden
            else f"{name}: {_shown(seen.get(name))} => {_shown(known[name])}"
            for name in differs
            if name not in kind.secret
        ]
        return changes, [name for name in differs if name in kind.secret]


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
