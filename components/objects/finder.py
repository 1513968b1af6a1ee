"""Finding an object on the server: by its natural key first, by its pk second."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.objects import field_values
from components.objects.adoption import Adoption
from components.objects.desired import DesiredObject
from components.objects.dialect import Dialect, Kind
from components.objects.field_values import Fields
from components.objects.object_errors import ObjectErrors
from components.objects.object_state import ObjectState
from components.objects.store import Object, Store, UnresolvedNameError
from components.objects.writer import Writer


class Finder:
    """Looks objects of one server up, and reads them in the form in which the program declares them."""

    def __init__(
        self, dialect: Dialect, store: Store, errors: ObjectErrors, writer: Writer, adoption: Adoption
    ) -> None:
        self._dialect = dialect
        self._store = store
        self._errors = errors
        self._writer = writer
        self._adoption = adoption

    def observe(self, kind: Kind, declared: Mapping[str, Any], item: Object, adopted: bool = False) -> Fields:
        item = self._adoption.without_foreign(kind, declared, item) if adopted else item
        return field_values.observe(self._store, self._dialect, kind, declared, item)

    def find(self, kind: Kind, prior: ObjectState) -> Object | None:
        """The object that the state speaks of: by natural key, else by pk (someone renamed it)."""
        names = kind.key.fields
        try:
            key = {
                name: field_values.to_server(self._store, kind, name, prior.fields.get(name))
                for name in names
            }
        except UnresolvedNameError:
            pass  # what its key refers to is gone or renamed
        else:
            there = self.find_by_key(kind, key, prior.pk)
            if there is not None:
                return there
        item = self._store.by_pk(kind, prior.pk)
        if item is None or not kind.sequential_pk:
            return item
        # A counted pk may belong to quite another object on a rebuilt server: take it for a rename only if nothing
        # but the name has changed.
        rest = {name: value for name, value in prior.fields.items() if name not in names}
        readable = [name for name in rest if not is_unreadable(kind, name)]
        seen = self.observe(kind, rest, item)
        same = all(field_values.is_same(kind, name, rest[name], seen.get(name)) for name in readable)
        return item if readable and same else None

    def find_existing(self, kind: Kind, desired: DesiredObject) -> Object | None:
        """The object that is called as this one shall be, if there is one; what is taken over may be called otherwise.

        Raises ObjectError when what its owner has is of another kind, or something else has its name.
        """
        if desired.adopt and desired.owner:
            owned, other = self._store.find_owned(kind, desired.owner)
            if other is not None:
                raise self._errors.wrong_kind(kind, desired, other)
            if owned is not None:
                family = self._dialect.kind(kind.groups[0]) if kind.groups else kind
                alike = self._store.find_by_key(family, kind.key.of(desired.fields))
                if any(each[kind.pk] != owned[kind.pk] for each in alike):
                    raise self._errors.ambiguous_name(kind, desired, owned)
                return owned
        return self.find_by_key(
            kind, self._writer.body(kind, desired.for_adoption(kind, desired.fields)), pk=None
        )

    def find_by_key(self, kind: Kind, body: Mapping[str, Any], pk: str | None) -> Object | None:
        """The object with the natural key that this body has.

        Where the server allows several with one key: the one of that pk, else the one that is most like the body.
        """
        found = self._store.find_by_key(kind, kind.key.of(body))
        if len(found) < 2:
            return found[0] if found else None

        def likeness(item: Object) -> tuple[bool, int]:
            alike = sum(
                field_values.matches(kind, name, value, item.get(name)) for name, value in body.items()
            )
            return str(item[kind.pk]) == pk, alike

        return max(found, key=likeness)


def is_unreadable(kind: Kind, name: str) -> bool:
    return name in kind.write_only or name in kind.setters
