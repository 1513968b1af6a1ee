"""What is on the server, read once: one list a kind and process, kept true by our own writes."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from components.objects.dialect import Dialect, Kind, Reference
from components.objects.errors import ObjectError
from components.objects.http import RefusedError
from components.objects.natural_key import Key
from components.objects.values import canonical, is_empty

Object = dict[str, Any]
READERS = 3
"""Lists that are read at a time: as many as authentik works on side by side (measured)."""


class UnresolvedNameError(Exception):
    """A name that nothing on the server bears, or (`bearers`, by kind) more than one object."""

    def __init__(self, kinds: tuple[str, ...], name: str, matches: tuple[str, ...] = ()) -> None:
        self.kinds = kinds
        self.name = name
        self.matches = matches
        super().__init__(f"{len(matches) or 'no'} {' or '.join(kinds)} named {name!r}")


class _Index:
    """Pks by what their objects are found by. Kept true object by object, since a run makes hundreds of them."""

    def __init__(self) -> None:
        self._pks: dict[Any, list[str]] = {}
        self._terms: dict[str, tuple[Any, ...]] = {}

    def put(self, pk: str, terms: Iterable[Any]) -> None:
        self.drop(pk)
        self._terms[pk] = tuple(dict.fromkeys(terms))
        for term in self._terms[pk]:
            self._pks.setdefault(term, []).append(pk)

    def drop(self, pk: str) -> None:
        for term in self._terms.pop(pk, ()):
            self._pks[term].remove(pk)

    def find(self, term: Any) -> list[str]:
        return self._pks.get(term, [])


class _KindCache:
    """The objects of one kind, by pk, with look-ups by key and by name that are made when first asked for."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.objects: dict[str, Object] | None = None
        self.by_key: _Index | None = None
        self.by_name: _Index | None = None


class Store:
    """Objects, names and pks of one server. Thread-safe.

    Locks are taken a kind at a time and in the direction of natural keys (a binding's key needs its target's names),
    which never runs in a circle.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._caches: dict[str, _KindCache] = {}
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._prefetched: set[str] = set()
        self._readers = ThreadPoolExecutor(READERS, "lists")

    def writing(self, kind: Kind) -> AbstractContextManager[Any]:
        """A lock to hold while writing, for kinds whose writes must not overlap."""
        return self._writing if kind.serial else nullcontext()

    def _cache(self, kind: Kind) -> _KindCache:
        with self._lock:
            return self._caches.setdefault(kind.name, _KindCache())

    def _load(self, kind: Kind) -> dict[str, Object]:
        shelf = self._cache(kind)
        with shelf.lock:
            if shelf.objects is None:
                try:
                    found = self._dialect.list_objects(kind)
                except RefusedError as refused:
                    raise ObjectError(
                        f"it does not let us read its {kind.title or kind.name} objects (HTTP {refused.status})",
                        self._dialect.where,
                        "The token may have been revoked meanwhile: check it, then run the same command again",
                    ) from None
                shelf.objects = {str(item[kind.pk]): dict(item) for item in found}
                shelf.by_key = shelf.by_name = None
            return shelf.objects

    def prefetch(self, kind: Kind, fields: Mapping[str, Any]) -> None:
        """Begin to read the lists that an object with these fields needs: side by side, not one after the other."""
        needed = {
            kind.name,
            *(reference.candidates(name)[0][0] for _, reference, name in kind.references_in(fields)),
        }
        with self._lock:
            fresh = needed - self._prefetched
            self._prefetched |= fresh
        for name in fresh:
            self._readers.submit(self._load, self._dialect.kind(name))

    def forget(self, kind: Kind) -> None:
        """Read the kind again when it is next needed (after a write whose outcome is not clear)."""
        for shelf in self._caches_showing(kind):
            with shelf.lock:
                shelf.objects = shelf.by_key = shelf.by_name = None

    def put(self, kind: Kind, item: Mapping[str, Any]) -> None:
        """Remember an object as it was just read."""
        pk = str(item[kind.pk])
        renamed = False
        for each, shelf in self._caches_of(kind):
            with shelf.lock:
                if shelf.objects is None:
                    continue
                old = shelf.objects.get(pk)
                shelf.objects[pk] = dict(item)
                if shelf.by_key is not None:
                    shelf.by_key.put(pk, [each.key.of(item)])
                if shelf.by_name is not None:
                    shelf.by_name.put(pk, self._names(each, item))
                renamed = renamed or (old is not None and each.key.of(old) != each.key.of(item))
        if renamed:
            self._forget_composed_names()

    def drop(self, kind: Kind, pk: str) -> None:
        """Forget an object that was just deleted."""
        for shelf in self._caches_showing(kind):
            with shelf.lock:
                if shelf.objects is not None and shelf.objects.pop(pk, None) is not None:
                    for index in (shelf.by_key, shelf.by_name):
                        if index is not None:
                            index.drop(pk)

    def _caches_of(self, kind: Kind) -> Iterator[tuple[Kind, _KindCache]]:
        for name in (kind.name, *kind.groups):
            each = self._dialect.kind(name)
            yield each, self._cache(each)

    def _caches_showing(self, kind: Kind) -> list[_KindCache]:
        """All lists that show objects of the kind, also those of other kinds."""
        with self._lock:
            others = [
                shelf for name, shelf in self._caches.items() if kind.name in self._dialect.kind(name).shadows
            ]
        return [shelf for _, shelf in self._caches_of(kind)] + others

    def _forget_composed_names(self) -> None:
        """Names that quote other names are made again after a rename."""
        with self._lock:
            shelves = list(self._caches.values())
        for shelf in shelves:
            with shelf.lock:
                shelf.by_name = None

    def all(self, kind: Kind) -> list[Object]:
        """Every object of the kind."""
        return list(self._load(kind).values())

    def by_pk(self, kind: Kind, pk: str) -> Object | None:
        """The object with this pk, if it is (still) there."""
        return self._load(kind).get(str(pk))

    def find_by_key(self, kind: Kind, key: Key) -> list[Object]:
        """The objects with this natural key: one at most, but for kinds whose key the server does not keep unique."""
        shelf = self._cache(kind)
        with shelf.lock:
            objects = self._load(kind)
            if shelf.by_key is None:
                shelf.by_key = _Index()
                for pk, item in objects.items():
                    shelf.by_key.put(pk, [kind.key.of(item)])
            return [objects[pk] for pk in shelf.by_key.find(key)]

    def find_owned(self, kind: Kind, owner: str) -> tuple[Object | None, Object | None]:
        """What the object of that natural key has to itself, if it is of this kind; and if it is of another one."""
        holder, via = kind.owner or ("", "")
        for each in self.find_by_key(self._dialect.kind(holder), (owner,)) if holder else ():
            pk = str(each.get(via))
            found = self.by_pk(kind, pk)
            if found and not any(self.by_pk(self._dialect.kind(other), pk) for other in kind.shadows):
                return found, None
            families = [self._dialect.kind(group) for group in kind.groups]
            return None, next((other for family in families if (other := self.by_pk(family, pk))), None)
        return None, None

    # Names ---------------------------------------------------------------------------------------------------------

    def name_of(self, kind: Kind, item: Mapping[str, Any]) -> str:
        """What a person calls the object: its natural key in words, parts joined by a slash."""
        parts = []
        for part, field in kind.key.chosen_fields(item):
            value = item.get(field)
            reference = kind.references.get(field)
            text = (
                self.name_for(reference, value)
                if reference and not is_empty(value)
                else str(canonical(value))
            )
            parts.append(part.text(field, text))
        return "/".join(parts)

    def name_for(self, reference: Reference, value: Any) -> str:
        """The name to declare for a value that the server gives for a reference; the value itself if it has none."""
        for name in reference.to:
            kind = self._dialect.kind(name)
            if reference.by and reference.by != kind.pk:
                item = next(
                    (each for each in self.all(kind) if str(each.get(reference.by)) == str(value)), None
                )
            else:
                item = self.by_pk(kind, str(value))
            if item is not None:
                called = self.name_of(kind, item)
                return f"{name}:{called}" if len(reference.to) > 1 else called
        return str(value)

    def resolve(self, reference: Reference, name: str) -> Any:
        """What to send for a name. Raises UnresolvedNameError, also for a name that may mean several objects."""
        meant = reference.candidates(name)
        matches: list[tuple[Kind, Object]] = []
        for each, called in meant:
            kind = self._dialect.kind(each)
            items = self._find_by_name(kind, called)
            while not items and not matches and self._dialect.will_appear(kind, called):
                self.forget(kind)
                items = self._find_by_name(kind, called)
            matches += [(kind, item) for item in items]
        if len(matches) != 1:
            kinds = tuple(each for each, _ in meant)
            raise UnresolvedNameError(kinds, meant[0][1], tuple(kind.name for kind, _ in matches))
        [(kind, item)] = matches
        return item[reference.by or kind.pk]

    def _find_by_name(self, kind: Kind, name: str) -> list[Object]:
        shelf = self._cache(kind)
        with shelf.lock:
            objects = self._load(kind)
            if shelf.by_name is None:
                index = _Index()
                for pk, item in objects.items():
                    index.put(pk, self._names(kind, item))
                shelf.by_name = index
            return [objects[pk] for pk in shelf.by_name.find(name)]

    def _names(self, kind: Kind, item: Mapping[str, Any]) -> list[str]:
        return [self.name_of(kind, item), *(str(item[extra]) for extra in kind.aliases if item.get(extra))]
