"""How an object lies in the engine's state: a resource's inputs and outputs, to and from `Declared` and `Held`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from components.objects import fields as said
from components.objects.declared import Declared
from components.objects.dialect import Kind
from components.objects.reconcile import Held
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
    return {name: said.plain(kind, name, value) for name, value in fields(props).items() if value is not None}


def declared(kind: Kind, props: Mapping[str, Any]) -> Declared:
    """The object as the program wants it, from inputs."""
    meta = props[META]
    return Declared(
        kind.name,
        str(meta["logical"]),
        _plain(kind, props),
        bool(meta.get("adopt")),
        sealed(props),
        defaulted(props),
        str(meta.get("owner", "")),
        meta.get("keep", {}),
        elsewhere(props),
    )


def adopted(props: Mapping[str, Any]) -> bool:
    """Whether the object was there before the stack took it over."""
    return bool(props.get(META, {}).get("adopted"))


def defaulted(props: Mapping[str, Any]) -> frozenset[str]:
    """Fields that nobody wrote."""
    return frozenset(str(props[META].get("defaulted", "")).split())


def sealed(props: Mapping[str, Any]) -> frozenset[str]:
    """Fields with a secret in them that are not secret by nature."""
    return frozenset(props[META].get("sealed", ()))


def elsewhere(props: Mapping[str, Any]) -> frozenset[str]:
    """Fields that another resource manages."""
    return frozenset(props[META].get("elsewhere", ()))


def held(kind: Kind, pk: str, props: Mapping[str, Any]) -> Held:
    """The object as it was last seen, from outputs."""
    kept = props.get(BEFORE) or {}
    first = {**canonical(kept.get("values", {})), **dict.fromkeys(kept.get("unset", ()))}
    before = json.loads(kept["json"]) if "json" in kept else first
    memory = json.loads(props[META].get("memory", "{}"))
    return Held(pk, _plain(kind, props), adopted(props), before, memory=memory)


def outputs(props: Mapping[str, Any], held: Held) -> dict[str, Any]:
    """What the state is to hold of an object, given its inputs and how it is."""
    meta = {name: value for name, value in props[META].items() if name not in ("adopted", "memory")}
    if held.adopted:
        meta["adopted"] = True
    if held.memory:
        meta["memory"] = json.dumps(held.memory, sort_keys=True)
    outputs: dict[str, Any] = {**held.fields, META: meta}
    if held.adopted:
        outputs[BEFORE] = {"json": json.dumps(held.before, sort_keys=True)}
    return outputs
