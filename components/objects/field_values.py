"""Fields between the program's way of saying them and the server's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.objects.dialect import Dialect, Kind
from components.objects.store import Object, Store, UnresolvedNameError
from components.objects.values import canonical, covers, is_empty, is_unknown, same_instant, sorted_by_text

Fields = dict[str, Any]


def plain(kind: Kind, name: str, value: Any) -> Any:
    """A field's value in canonical form."""
    return canonical(value, exact=name in kind.free_form)


def normalize(dialect: Dialect, kind: Kind, fields: Mapping[str, Any]) -> Fields:
    """Declared fields in canonical form, as the server will have them; without fields that say None. Pure."""
    return {
        name: value if is_unknown(value) else dialect.normalize(kind, name, plain(kind, name, value))
        for name, value in fields.items()
        if value is not None
    }


def explicit_fields(
    kind: Kind, fields: Fields, defaulted: frozenset[str], there: Mapping[str, Any]
) -> Fields:
    """Of declared fields, those that count for an object that was there before: what somebody wrote.

    A name that nobody wrote is the one that the object bears (`there`).
    """
    written = {name: value for name, value in fields.items() if name not in defaulted}
    return written | {name: there[name] for name in kind.key.fields if name in defaulted and name in there}


def is_same(kind: Kind, name: str, old: Any, new: Any) -> bool:
    """Whether two declared values of a field mean the same. Pure: what a preview compares with."""
    if is_empty(old) and is_empty(new):
        return True
    reference = kind.references.get(name)
    if (
        (name in kind.unordered or (reference and reference.many))
        and isinstance(old, list)
        and isinstance(new, list)
    ):
        return sorted_by_text(old) == sorted_by_text(new)
    return bool(old == new) or (name in kind.instants and same_instant(old, new))


def to_server(store: Store, kind: Kind, name: str, value: Any) -> Any:
    """A declared value as it is sent: names become pks. Raises UnresolvedNameError."""
    reference = kind.references.get(name)
    if reference is None:
        return value
    if reference.many:
        return [store.resolve(reference, str(each)) for each in value or []]
    return None if is_empty(value) else store.resolve(reference, str(value))


def matches(kind: Kind, name: str, body: Any, found: Any, extra: frozenset[str] = frozenset()) -> bool:
    """Whether the server's value is what was sent, however the server likes to put it.

    `extra`: members that the server adds to this list by itself.
    """
    found = plain(kind, name, found)
    body = plain(kind, name, body)
    if is_empty(body) and is_empty(found):
        return True
    reference = kind.references.get(name)
    if (
        isinstance(body, list)
        and isinstance(found, list)
        and (name in kind.unordered or (reference is not None and reference.many))
    ):
        missing = [each for each in body if each not in found]
        surplus = [each for each in found if each not in body and str(each) not in extra]
        return not missing and not surplus
    if name in kind.structured or name in kind.merged:
        return covers(body, found)
    return bool(body == found) or (name in kind.instants and same_instant(body, found))


def server_additions(store: Store, kind: Kind, name: str) -> frozenset[str]:
    """Pks of what the server adds to a list by itself (none, for most fields)."""
    reference = kind.references.get(name)
    pks = []
    for called in kind.additions.get(name, frozenset()):
        if reference is None:
            continue
        try:
            pks.append(str(store.resolve(reference, called)))
        except UnresolvedNameError:
            continue
    return frozenset(pks)


def observe(store: Store, dialect: Dialect, kind: Kind, declared: Mapping[str, Any], item: Object) -> Fields:
    """The declared fields with the server's values: unchanged where both agree, so that only real drift shows."""
    seen: Fields = {}
    for name, value in declared.items():
        if name in kind.write_only or name in kind.setters:
            seen[name] = value
            continue
        found = item.get(name)
        try:
            agrees = matches(
                kind,
                name,
                to_server(store, kind, name, value),
                _normalize_value(dialect, kind, name, found),
                server_additions(store, kind, name),
            )
        except UnresolvedNameError:
            agrees = False
        if agrees:
            seen[name] = value
        else:
            said = to_declared(store, dialect, kind, name, found)
            if name in kind.merged and isinstance(said, dict) and isinstance(value, dict):
                said = {member: inner for member, inner in said.items() if member in value}
            if said is not None:
                seen[name] = said
    if kind.effect and kind.effect.is_due(item):
        # Whatever it holds by now: a run that wrote it and could not bring it into effect is to be gone on with.
        for name in sorted(kind.effect.fields & seen.keys())[:1]:
            seen[name] = f"(not in effect: {item.get(kind.effect.status)})"
    return seen


def to_declared(store: Store, dialect: Dialect, kind: Kind, name: str, found: Any) -> Any:
    """A value of the server's as the program would declare it; None where the server has none."""
    reference = kind.references.get(name)
    if reference is None:
        return _normalize_value(dialect, kind, name, found)
    if reference.many:
        return [store.name_for(reference, each) for each in found or []]
    return None if is_empty(found) else store.name_for(reference, found)


def _normalize_value(dialect: Dialect, kind: Kind, name: str, found: Any) -> Any:
    found = plain(kind, name, found)
    return found if found is None else dialect.normalize(kind, name, found)
