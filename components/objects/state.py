"""The form of objects in the engine's state: from a resource's inputs to `DesiredObject`, between its outputs and
`ObjectState`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from components.objects import field_values
from components.objects.desired import DesiredObject
from components.objects.dialect import Kind
from components.objects.reconcile import ObjectState
from components.objects.values import canonical

META = "gatehouse"
"""Input and output that says what the resource is: {kind, logical, adopt, sealed, defaulted, owner, keep, elsewhere}
and, once it was read or made, {adopted}; in outputs also {memory}, as JSON, since state cannot hold None."""
BEFORE = "gatehouse_before"
"""Output of adopted objects: what our fields held before, as {json: text}, since state cannot hold None.

Declared as a secret output: it may quote anything. States of the first version have {values, unset} instead."""
_INTERNAL = frozenset({META, BEFORE, "__provider"})


def fields(props: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the object, without what is ours."""
    return {name: value for name, value in props.items() if name not in _INTERNAL}


def _plain(kind: Kind, props: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: field_values.plain(kind, name, value)
        for name, value in fields(props).items()
        if value is not None
    }


def desired_object(kind: Kind, props: Mapping[str, Any]) -> DesiredObject:
    """The object as the program wants it, from inputs."""
    meta = props[META]
    return DesiredObject(
        kind.name,
        str(meta["logical"]),
        _plain(kind, props),
        bool(meta.get("adopt")),
        sealed_fields(props),
        defaulted_fields(props),
        str(meta.get("owner", "")),
        meta.get("keep", {}),
        fields_elsewhere(props),
    )


def is_adopted(props: Mapping[str, Any]) -> bool:
    """Whether the object was there before the stack took it over."""
    return bool(props.get(META, {}).get("adopted"))


def defaulted_fields(props: Mapping[str, Any]) -> frozenset[str]:
    """Fields that nobody wrote."""
    return frozenset(str(props[META].get("defaulted", "")).split())


def sealed_fields(props: Mapping[str, Any]) -> frozenset[str]:
    """Fields with a secret in them that are not secret by nature."""
    return frozenset(props[META].get("sealed", ()))


def fields_elsewhere(props: Mapping[str, Any]) -> frozenset[str]:
    """Fields that another resource manages."""
    return frozenset(props[META].get("elsewhere", ()))


def object_state(kind: Kind, pk: str, props: Mapping[str, Any]) -> ObjectState:
    """The object as it was last seen, from outputs."""
    kept = props.get(BEFORE) or {}
    first = {**canonical(kept.get("values", {})), **dict.fromkeys(kept.get("unset", ()))}
    before = json.loads(kept["json"]) if "json" in kept else first
    memory = json.loads(props[META].get("memory", "{}"))
    return ObjectState(pk, _plain(kind, props), is_adopted(props), before, memory=memory)


def outputs(props: Mapping[str, Any], prior: ObjectState) -> dict[str, Any]:
    """What the state is to hold of an object, given its inputs and how it is."""
    meta = {name: value for name, value in props[META].items() if name not in ("adopted", "memory")}
    if prior.adopted:
        meta["adopted"] = True
    if prior.memory:
        meta["memory"] = json.dumps(prior.memory, sort_keys=True)
    outputs: dict[str, Any] = {**prior.fields, META: meta}
    if prior.adopted:
        outputs[BEFORE] = {"json": json.dumps(prior.original, sort_keys=True)}
    return outputs
