"""What an object that was there before us keeps while we manage it, and what it gets back when we let go of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from components.objects import field_values
from components.objects.desired import DesiredObject
from components.objects.dialect import Dialect, Kind
from components.objects.field_values import Fields
from components.objects.store import Object, Store, UnresolvedNameError


class Adoption:
    """Between what an adopted object holds and what the state remembers of it. Sends nothing. Thread-safe."""

    def __init__(self, dialect: Dialect, store: Store) -> None:
        self._dialect = dialect
        self._store = store

    @staticmethod
    def conflicting_fields(
        kind: Kind, desired: DesiredObject, body: Mapping[str, Any], there: Object
    ) -> list[str]:
        """Fields that have another value than the declared one, which taking over does not write."""
        return [
            name
            for name in sorted({*kind.secret, *desired.keep} - kind.write_only)
            if name in body and not field_values.matches(kind, name, body[name], there.get(name))
        ]

    def original(self, kind: Kind, fields: Iterable[str], item: Object) -> Fields:
        """What these fields hold, to be remembered. No secrets."""
        before: Fields = {}
        for name in fields:
            if name not in kind.secret and name not in kind.write_only and name not in kind.setters:
                found = item.get(name)
                named = name in kind.references
                before[name] = (
                    field_values.to_declared(self._store, self._dialect, kind, name, found)
                    if named
                    else found
                )
        return before

    def restore_body(self, kind: Kind, before: Fields, fields: Fields, item: Object) -> dict[str, Any] | None:
        """What to send so that the object holds again what it held before; None if it does. `fields`: as declared."""
        body: dict[str, Any] = {}
        for name, value in before.items():
            if value is None and name in kind.never_null:
                continue  # it stays as it is
            try:
                body[name] = field_values.to_server(self._store, kind, name, value)
            except UnresolvedNameError:
                continue  # what it pointed to is gone; the field stays as it is
        self.merge_shared(kind, body, item, fields)
        same = all(
            value == item.get(name)
            if name in kind.free_form
            else field_values.matches(kind, name, value, item.get(name))
            for name, value in body.items()
        )
        return None if same else body

    def merge_shared(self, kind: Kind, body: dict[str, Any], item: Object, former: Mapping[str, Any]) -> None:
        """Put into shared lists of a body what others have put there. `former`: fields as declared so far."""
        for name in kind.shared & body.keys():
            ours = {*map(str, body[name]), *self._pks(kind, name, former)}
            body[name] = [*body[name], *(each for each in item.get(name) or () if str(each) not in ours)]

    def without_foreign(self, kind: Kind, fields: Mapping[str, Any], item: Object) -> Object:
        """The object without what others put into shared lists."""
        mine = {
            name: [each for each in item.get(name) or () if str(each) in self._pks(kind, name, fields)]
            for name in kind.shared & fields.keys()
        }
        return {**item, **mine}

    def _pks(self, kind: Kind, name: str, fields: Mapping[str, Any]) -> set[str]:
        """What is declared for a field that names others, as far as it is there."""
        found = set()
        for field, reference, called in kind.references_in(fields):
            if field == name:
                try:
                    found.add(str(self._store.resolve(reference, called)))
                except UnresolvedNameError:
                    continue
        return found
