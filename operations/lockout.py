"""Whether a run would lock anybody out of authentik, looked at before it: see `components.identity.rights`.

What a run makes of people and groups follows from the stack file and the state; what they have besides is asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.identity.rights import GROUP, LISTS, ROLE, USER, Rights
from components.identity.specs import ObjectSpec
from components.objects.errors import ObjectError
from components.objects.http import RefusedError
from components.objects.state import BEFORE, META
from components.problems import Problem
from components.settings import Elsewhere, Settings
from components.ssh import AccessError
from operations.asking import authentik_of
from operations.finding import Finding
from operations.stack import Stack

KINDS = (GROUP, USER, ROLE)
_FIELDS = {"is_superuser", "is_active", "parent", *LISTS}


def lockout_finding(
    stack: Stack, settings: Settings, resources: list[dict[str, Any]], specs: Sequence[ObjectSpec]
) -> Iterator[Finding]:
    """A finding if a run would take away our own rights, or the last administrator's. No `specs`: it destroys.

    Nothing is looked at where authentik does not answer: it is not there yet, or the run will say so. Nor is it where
    the run only makes people and groups that are new, which takes nothing from anybody.
    """
    server = authentik_of(settings, resources)
    if server is None or (not specs and not isinstance(settings.box, Elsewhere)):
        return  # with its box, authentik itself goes
    ours, held = [spec for spec in specs if spec.kind in KINDS], _state_outputs(stack, resources)
    if not held and not any(spec.adopt for spec in ours):
        return
    try:
        if not server.is_reachable():
            return
        rights = Rights.read(server)
    except (ObjectError, AccessError, RefusedError):
        return
    after = rights.copy()
    for kind, pk, fields in changes(rights, ours, held):
        after.apply(kind, pk, fields)
    objection = rights.denial(after)
    if objection:
        yield Problem("authentik", *objection)


def _state_outputs(stack: Stack, resources: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Outputs of the state's people, groups and roles, by kind and logical name; `id` among them."""
    found = {
        (str(meta["kind"]), str(meta["logical"])): {**outputs, "id": each["id"]}
        for each in resources
        if each["type"].startswith("pulumi-python:dynamic/authentik_")
        and (outputs := each.get("outputs") or {})
        and (meta := outputs.get(META, {})).get("kind") in KINDS
    }
    if any(each[META].get("adopted") for each in found.values()):
        opened = json.loads(stack.pulumi("stack", "export", "--show-secrets").stdout)
        return _held_in_clear(opened["deployment"]["resources"], found)
    return found


def _held_in_clear(
    resources: list[dict[str, Any]], found: dict[tuple[str, str], dict[str, Any]]
) -> dict[tuple[str, str], dict[str, Any]]:
    for each in resources:
        outputs = each.get("outputs") or {}
        meta = outputs.get(META)
        if isinstance(meta, dict) and (key := (meta.get("kind"), meta.get("logical"))) in found:
            kept = outputs.get(BEFORE) or {}
            found[key][BEFORE] = json.loads(kept["plaintext"]) if "plaintext" in kept else kept
    return found


def changes(
    rights: Rights, specs: list[ObjectSpec], held: Mapping[tuple[str, str], Mapping[str, Any]]
) -> Iterator[tuple[str, str, dict[str, Any] | None]]:
    """(kind, pk, fields as the server has them) of every object that a run would make, change, give back or delete."""
    names = {
        GROUP: {str(item["name"]): pk for pk, item in rights.groups.items()},
        USER: {str(item["username"]): pk for pk, item in rights.users.items()},
    }
    pks: dict[int, str] = {}
    for spec in specs:
        there = held.get((spec.kind, spec.logical))
        known = names.get(spec.kind, {})
        key = "username" if spec.kind == USER else "name"
        pk = known.get(str(there[key] if there else spec.fields[key])) or (str(there["id"]) if there else "")
        pks[id(spec)] = pk or f"new {spec.kind} {spec.name}"
        known[str(spec.fields[key])] = pks[id(spec)]
    for spec in specs:
        pk, there = pks[id(spec)], held.get((spec.kind, spec.logical))
        if spec.kind == ROLE:
            continue
        is_there = pk in (rights.users if spec.kind == USER else rights.groups)
        if is_there and there is None and not spec.adopt:
            continue  # the run refuses it
        adopted = bool(there[META].get("adopted")) if there else is_there
        fields = {
            name: value
            for name, value in spec.fields.items()
            if name in _FIELDS and not (adopted and name in spec.defaulted)
        }
        given_back = _before(there, _FIELDS - fields.keys()) if there and adopted else {}
        yield spec.kind, pk, _sent(given_back | fields, names[GROUP]) | {"name": spec.name}
    declared = {(spec.kind, spec.logical) for spec in specs}
    for (kind, logical), outputs in held.items():
        if (kind, logical) not in declared:
            adopted = bool(outputs[META].get("adopted"))
            back = _sent(_before(outputs, _FIELDS), names[GROUP]) if adopted else None
            yield kind, str(outputs["id"]), back


def _before(outputs: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    """What fields that this stack manages held before it came; those among `names`."""
    text = (outputs.get(BEFORE) or {}).get("json", "{}")
    before = json.loads(text) if isinstance(text, str) else {}
    return {name: value for name, value in before.items() if name in names and value is not None}


def _sent(fields: Mapping[str, Any], groups: Mapping[str, str]) -> dict[str, Any]:
    """With groups by their pks; roles are compared by name, so that they are left out."""
    sent = {name: value for name, value in fields.items() if name != "roles"}
    for name in ("groups", "parents"):
        if isinstance(sent.get(name), (list, tuple)):
            sent[name] = [groups.get(str(each), str(each)) for each in sent[name]]
    if isinstance(sent.get("parent"), str):
        sent["parent"] = groups.get(sent["parent"], sent["parent"])
    return sent
