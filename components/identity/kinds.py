"""Every kind of authentik's objects, as the reconcile engine wants to know it: by rule from two tables of facts.

`catalog/<line>.json` says what the OpenAPI schema says, `kinds.json` what it does not: natural keys, references,
secrets, what is deleted along. What `kinds.json` says of a field or kind holds in the lines whose catalog has it. A
kind that follows the rules needs nothing here; the few exceptions are below.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from components.identity import catalog
from components.identity.access import ACCESS, APPLICATION, access_kind
from components.identity.fresh_logins import FRESH_LOGINS, FRESH_LOGINS_KIND
from components.identity.kind_exceptions import (
    EFFECTS,
    MERGED,
    OWNED_BY_OTHER_SIDE,
    OWNERS,
    RELEASED,
    SETTERS,
    SHARED,
    TOGETHER,
)
from components.identity.ldap_search import LDAP_SEARCH, LDAP_SEARCH_KIND
from components.identity.server_settings import SERVER_SETTINGS, SERVER_SETTINGS_KIND
from components.identity.texts import DURATION
from components.objects.dialect import Kind, Reference
from components.objects.natural_key import NaturalKey

_OWN = {
    LDAP_SEARCH: LDAP_SEARCH_KIND,
    SERVER_SETTINGS: SERVER_SETTINGS_KIND,
    FRESH_LOGINS: FRESH_LOGINS_KIND,
}
"""What is no object of authentik's, by name."""
PERMISSION = "@permission"
_PERMISSION = Kind(
    PERMISSION,
    "/rbac/permissions/",
    NaturalKey.parse("app_label", "model", "codename"),
    "id",
    "id",
    "permission",
    sequential_pk=True,
)
_RECORDS = {
    "device": "people enrol devices themselves",
    "runtime": "authentik makes and removes these by itself",
    "secret": "it is entered by hand, once",
    "other_credential": "it needs another credential than the API token",
    "server_named_identity": "the server names it",
}


class ReleaseLine:
    """The kinds of one release line."""

    def __init__(self, line: str) -> None:
        """Raises KeyError for a line without a catalog."""
        self.line = line
        self._catalog = catalog.load(line)
        table = _table()
        self._rows: dict[str, tuple[str, dict[str, Any]]] = {}
        for path in self._catalog:
            row = table["kinds"].get(path)
            if row is not None:
                self._rows[row["model"].lower()] = (path, row)
        self._labels = {path: label for label, (path, _) in self._rows.items()}
        self._groups: dict[str, list[str]] = table["groups"]
        self._kinds: dict[str, Kind] = {}

    def labels(self) -> Iterable[str]:
        """Every kind of this line, records too."""
        return self._rows

    def declarable(self) -> list[str]:
        """The kinds that are configuration."""
        return [label for label in self._rows if self.undeclarable_reason(label) is None]

    def undeclarable_reason(self, label: str) -> str | None:
        """Why a kind cannot be declared; None if it can."""
        row = self._rows[label][1]
        return None if row["manage"] != "no" else _RECORDS.get(row.get("manage_why", ""), "it is a record")

    def needs_enterprise(self, label: str) -> bool:
        """Whether every write needs a licence."""
        return bool(self._rows[label][1].get("enterprise"))

    def fields(self, label: str) -> dict[str, dict[str, Any]]:
        """The declarable fields of a kind with their facts, those with a call of their own included."""
        path, row = self._rows[label]
        hidden = {*row.get("never_send", ()), *OWNED_BY_OTHER_SIDE.get(label, {}), row["pk"]}
        own = {name: {"type": "string", "write_only": True} for name in SETTERS.get(label, {})}
        return {name: facts for name, facts in self._facts(path, row).items() if name not in hidden} | own

    def _facts(self, path: str, row: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """What the schema says of all fields; also which are needed or durations, although it does not say so."""
        unsaid: dict[str, dict[str, Any]] = {name: {"required": True} for name in row.get("needed", ())}
        for name in row.get("durations", ()):
            unsaid.setdefault(name, {})["format"] = DURATION
        return {
            name: {**facts, **unsaid.get(name, {})} for name, facts in self._catalog[path]["fields"].items()
        }

    def model(self, label: str) -> str:
        """The model's name as authentik writes it ("authentik_core.Group")."""
        return str(self._rows[label][1]["model"])

    def path(self, label: str) -> str:
        """Where the kind's list is."""
        return self._rows[label][0]

    def name_space(self, label: str) -> str:
        """The name space of the kind: itself, or the family that it shares its names with."""
        return str(self._rows[label][1].get("space", label))

    def rules(self, label: str) -> list[dict[str, Any]]:
        """What authentik demands of several fields together; the forms are explained in `rules`."""
        path, row = self._rows[label]
        fields = self._catalog[path]["fields"]
        return [
            rule
            for rule in row.get("rules", ())
            if not fields.keys().isdisjoint([rule["f"]] if isinstance(rule["f"], str) else rule["f"])
        ]

    def allows_duplicates(self, label: str) -> bool:
        """Whether authentik allows several objects with one natural key."""
        return bool(self._rows[label][1].get("loose"))

    def defaults(self, label: str) -> dict[str, Any]:
        """What the server fills in for fields that are not sent, as far as recorded."""
        path, row = self._rows[label]
        usual = {**row.get("defaults", {}), **row.get("lines", {}).get(self.line, {}).get("defaults", {})}
        return {name: value for name, value in usual.items() if name in self._catalog[path]["fields"]}

    def list_params(self, label: str) -> dict[str, str]:
        """Query parameters that a full list of the kind needs."""
        name, _, value = self._rows[label][1].get("flag", "").partition("=")
        return {name: value} if name else {}

    def sorted_fields(self, label: str) -> frozenset[str]:
        """Lists that the server gives back sorted."""
        return frozenset(self._rows[label][1].get("sorted", ())) if label in self._rows else frozenset()

    def members(self, name: str) -> tuple[str, ...]:
        """The kinds that a reference's target name stands for (a family's members, or the kind itself)."""
        if name in TOGETHER:
            return tuple(self._labels[path] for path in self._groups[name[1:]] if path in self._labels)
        return (name,)

    def kind(self, label: str) -> Kind:
        """A kind's facts for the engine. Raises KeyError for a kind that this line does not have."""
        if label not in self._kinds:
            self._kinds[label] = self._build(label)
        return self._kinds[label]

    def _build(self, label: str) -> Kind:
        if label == _PERMISSION.name:
            return _PERMISSION
        if label == ACCESS:
            return access_kind(self.kind(APPLICATION))
        if label in _OWN:
            return _OWN[label]
        if label in TOGETHER:
            path, key = TOGETHER[label]
            return Kind(
                label,
                path,
                NaturalKey.parse(key),
                title=label.removeprefix("@any_").replace("_", " "),
                aliases=("managed", *OWNERS.get(label, ())[2:]),
            )
        path, row = self._rows[label]
        facts = self._facts(path, row)
        references = {
            name: self._reference(ref) for name, ref in row["refs"].items() if name in facts and ref["to"]
        }
        references = {name: ref for name, ref in references.items() if ref.to}
        owner = OWNERS.get(self.name_space(label), ())
        write_only = {name for name, field in facts.items() if field.get("write_only")}
        return Kind(
            name=label,
            path=path,
            key=NaturalKey.parse(*row["key"]),
            pk=row["pk"],
            url=row["url"],
            title=title(row["model"]),
            aliases=(*row.get("also", ()), *owner[2:]),
            owner=owner[:2] or None,
            references=references,
            secret=frozenset(row.get("secret", ())) | frozenset(SETTERS.get(label, {})),
            write_only=frozenset(write_only | {*row.get("write_only", ())}),
            setters=SETTERS.get(label, {}),
            effect=EFFECTS.get(label),
            unordered=frozenset(
                name
                for name, ref in row["refs"].items()
                if ref.get("many") and name in facts and name not in references
            ),
            structured=frozenset(
                name
                for name, field in facts.items()
                if "fields" in field or "fields" in field.get("items", {})
            ),
            free_form=frozenset(name for name, field in facts.items() if _is_free_form(field)),
            merged=MERGED.get(label, frozenset()),
            shared=SHARED.get(label, frozenset()),
            instants=frozenset(name for name, field in facts.items() if field.get("format") == "date-time"),
            empty_values=dict(self._empty_values(label, facts)),
            never_null=frozenset(name for name, field in facts.items() if not field.get("nullable")),
            always_sent=tuple(name for name in row.get("repeat", ()) if name in facts),
            additions={name: frozenset(value) for name, value in row.get("adds", {}).items()},
            sequential_pk=bool(row.get("counted")),
            emptied_first=RELEASED.get(label, frozenset()),
            dependents=tuple(self._dependents(row)),
            groups=tuple(name for name in TOGETHER if path in self._groups[name[1:]]),
            shadows=tuple(self._labels[each] for each in row.get("also_lists", ()) if each in self._labels),
        )

    def _reference(self, ref: Mapping[str, Any]) -> Reference:
        if ref["to"] == ["/rbac/permissions/"]:
            return Reference((PERMISSION,), many=True)
        to = [path for path in ref["to"] if path in self._labels]
        family = next(
            (name for name in TOGETHER if len(to) > 1 and set(to) <= set(self._groups[name[1:]])), None
        )
        kinds = (family,) if family else tuple(self._labels[path] for path in to)
        return Reference(kinds, bool(ref.get("many")), ref.get("by", ""), bool(ref.get("cascade")))

    def _dependents(self, row: Mapping[str, Any]) -> Iterable[tuple[str, str, str]]:
        """Who would be deleted along: (kind, its field, our field that it is compared with)."""
        seen = set()
        for cascade in row.get("cascades", ()):
            path, _, via = cascade.partition("#")
            if path not in self._labels or via not in {
                *self._catalog[path]["fields"],
                "backchannel_application",
            }:
                continue
            if via == "backchannel_application":
                continue  # these are let go of before
            family = "@any_provider" if via == "authorization_flow" else self._labels[path]
            seen.add((family, via, row["pk"]))
        return sorted(seen)

    def _empty_values(self, label: str, facts: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
        known = self.defaults(label)
        generated = self._rows[label][1].get(
            "generated", ()
        )  # stays as it is: an empty one would be made anew
        for name, field in facts.items():
            if (
                name in generated
                or field.get("required")
                or (field.get("format") == "uuid" and not field.get("nullable"))
            ):
                continue
            if name in known:
                yield name, known[name]
            elif field.get("nullable"):
                yield name, None
            elif field["type"] == "array":
                yield name, []
            elif field["type"] in {"object", "any"}:
                yield name, {}
            elif field["type"] == "string" and not field.get("minLength") and "enum" not in field:
                yield name, ""


def _is_free_form(facts: Mapping[str, Any]) -> bool:
    """Whether a field is JSON of which the schema says nothing more."""
    if facts["type"] == "array":
        return _is_free_form(facts.get("items", {"type": ""}))
    return facts["type"] in {"object", "any"} and "fields" not in facts


def title(model: str) -> str:
    """What people call a model: "authentik_core.ApplicationEntitlement" -> "application entitlement"."""
    name = model.partition(".")[2].replace("OAuth", "Oauth")
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name).split()
    known = {"Oauth": "OAuth", "Oauth2": "OAuth2"}
    return " ".join(known.get(word, word if word.isupper() else word.lower()) for word in words)


@cache
def defaults() -> dict[str, dict[str, str | None]]:
    """Kind -> names of the objects that a new authentik holds, each with its `managed` name if it has one.

    Recorded on 2026.2.2; which of them another line lacks has not been recorded.
    """
    names: dict[str, dict[str, str | None]] = json.loads(
        (Path(__file__).parent / "defaults.json").read_text()
    )
    return names


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads((Path(__file__).parent / "kinds.json").read_text())
    return table
