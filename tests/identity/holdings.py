"""What an authentik of the bench holds, by the names that people call things, so that two of them can be compared."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

State = Mapping[str, Mapping[str, dict[str, Any]]]
"""Kind's path -> pk -> object, as the emulator gives it."""
Holdings = dict[str, list[dict[str, Any]]]
"""What something is called -> everything that is called so, pks replaced by names."""

NAMES = ("slug", "username", "domain", "identifier", "name")
RECORDS = ("_", "/events/events/", "/tasks/", "/admin/")
"""Kinds that are no configuration: the emulator's own notes, and what authentik writes down of what happens."""
OWN = {
    "created", "date_joined", "last_applied", "last_login", "last_updated", "password_change_date", "uuid",
    "pk", "pbm_uuid", "policybindingmodel_ptr_id", "_of",
    "_certificate_data", "_key_data", "fingerprint_sha1", "fingerprint_sha256", "cert_expiry", "cert_subject",
}  # fmt: skip
"""What every server has a value of its own for."""
PROVIDERS = {"provider", "providers", "backchannel_providers", "jwt_federation_providers"}
USERS = {"user", "users"}
COUNTED = re.compile(r"(?<=ak-managed-role--user-)\d+$")
UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}")
COMPOSED = {
    "/flows/bindings/": ("target", "stage", "order"),
    "/core/application_entitlements/": ("app", "name"),
    "/policies/bindings/": ("target", "policy", "group", "user", "order"),
}


def configured(state: State) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(kind's path, pk, object) of everything that is configuration."""
    for kind, objects in state.items():
        if not kind.startswith(RECORDS):
            for pk, item in objects.items():
                yield kind, pk, item


def called(state: State) -> dict[tuple[str, str], str]:
    """(kind's path, pk) -> what the object is called."""
    return {(kind, pk): name for kind, pk, name, _ in _named(state)}


def holdings(state: State) -> Holdings:
    """Everything by its name, in a form that is the same on each server that holds the same."""
    found: Holdings = {}
    for _, _, name, item in _named(state):
        found.setdefault(name, []).append(item)
    return found


def differences(one: Holdings, other: Holdings) -> list[str]:
    """What is not the same in both, in words; of each the number of objects, or the fields."""
    said = []
    for name in sorted({*one, *other}):
        here, there = one.get(name, []), other.get(name, [])
        if len(here) != len(there):
            said.append(f"{name}: {len(here)} and {len(there)}")
        elif here != there:
            fields = sorted({field for pair in zip(here, there, strict=True) for field in _unlike(*pair)})
            said.append(
                f"{name}: " + "; ".join(f"{f} {here[0].get(f)!r} and {there[0].get(f)!r}" for f in fields)
            )
    return said


def _unlike(one: dict[str, Any], other: dict[str, Any]) -> Iterator[str]:
    return (field for field in {*one, *other} if one.get(field) != other.get(field))


def _named(state: State) -> list[tuple[str, str, str, dict[str, Any]]]:
    """(kind's path, pk, name, object with names for pks)."""
    items = list(configured(state))
    names = Names()
    for kind, pk, item in items:
        own = next((item[field] for field in NAMES if item.get(field)), None)
        if own and kind not in COMPOSED:
            names.add(kind, pk, item, f"{kind} {own}")
    for composed, parts in COMPOSED.items():  # what is told apart by others' names, after these
        for kind, pk, item in items:
            if kind == composed:
                names.add(kind, pk, item, f"{kind} " + " | ".join(str(names.said(p, item[p])) for p in parts))
    found = []
    for kind, pk, item in items:
        plain = {field: names.said(field, value) for field, value in item.items() if field not in OWN}
        if kind == "/core/users/":
            plain["_password"] = bool(item.get("_password"))  # salted: it has one or not
        plain |= dict.fromkeys(_made_up(kind, item), "authentik's own")
        found.append((kind, pk, str(names.said("", names.by_pk[kind, pk])), plain))
    return sorted(found, key=lambda each: (each[2], repr(each[3])))


def _made_up(kind: str, item: Mapping[str, Any]) -> tuple[str, ...]:
    """Fields that authentik has made up by itself."""
    if kind == "/core/tokens/":
        return ("_key", "expires") if item.get("managed") else ("expires",)
    if kind == "/providers/proxy/":
        return ("client_id", "client_secret")
    return ("client_secret",) if item.get("client_type") == "public" else ()


class Names:
    """Puts names for pks."""

    def __init__(self) -> None:
        self.by_pk: dict[tuple[str, str], str] = {}
        self.unique: dict[str, str] = {}
        self.counted: dict[tuple[str, str], str] = {}

    def add(self, kind: str, pk: str, item: Mapping[str, Any], name: str) -> None:
        """What an object is called, under all ids that others may refer to it by."""
        self.by_pk[kind, pk] = name
        if pk.isdecimal():
            self.counted["user" if kind == "/core/users/" else "provider", pk] = name
        else:
            self.unique[pk] = name
        for field in ("policybindingmodel_ptr_id", "pbm_uuid"):
            if item.get(field):
                self.unique[item[field]] = name

    def said(self, field: str, value: Any) -> Any:
        """A value of a field with names in it. Lists of other objects in the order of their names."""
        if isinstance(value, dict):
            return {name: self.said("", inner) for name, inner in value.items()}
        if isinstance(value, list):
            inner = [self.said(field, each) for each in value]
            return sorted(inner, key=str) if self._are_objects(value, inner) else inner
        if isinstance(value, str):
            text = COUNTED.sub(lambda found: self.counted.get(("user", found[0]), found[0]), value)
            return UUID.sub(lambda found: self._of(found[0]), text)
        if isinstance(value, int) and field in PROVIDERS | USERS:
            name = self.counted.get(("provider" if field in PROVIDERS else "user", str(value)))
            return value if name is None else self.said("", name)
        return value

    def _of(self, pk: str) -> str:
        name = self.unique.get(str(uuid.UUID(pk)))
        return pk if name is None else str(self.said("", name))

    @staticmethod
    def _are_objects(value: list[Any], named: list[Any]) -> bool:
        return any(
            one != other and not isinstance(one, dict) for one, other in zip(value, named, strict=True)
        )
