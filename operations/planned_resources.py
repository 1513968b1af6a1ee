"""What the program wants, read from the engine's own plan: each resource with its inputs, secrets sealed.

A plan (`pulumi preview --save-plan`) is the one form in which the engine says all of it without showing a secret: what
is secret is encrypted with the stack's own passphrase, so that it can be put into the state as it is.
"""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from pulumi.runtime.rpc import UNKNOWN

from components.objects.state import META
from operations.output import Output
from operations.resource_labels import label_resource
from operations.screen import Screen
from operations.stack import Stack, translate_errors

PROVIDER = "pulumi:providers:"
SIGNATURE = (
    "4dabf18193072939515e22adb298388d"  # how the engine marks what is not plain JSON, a secret first of all
)
_COPIED = ("parent", "protect", "dependencies", "propertyDependencies", "additionalSecretOutputs")


@dataclass(frozen=True)
class PlannedResource:
    """One resource that the program declares and the state does not have."""

    urn: str
    goal: Mapping[str, Any]
    foreseen: Mapping[str, Any]
    """What the preview takes its outputs to be."""

    @property
    def type(self) -> str:
        """Its type token."""
        return str(self.goal["type"])

    @property
    def label(self) -> str:
        """What it is called on the screen."""
        return str(label_resource(self.urn) or self.goal["name"])

    @property
    def custom(self) -> bool:
        """Whether something outside is behind it; else it only holds others together."""
        return bool(self.goal["custom"])

    @property
    def provider(self) -> str:
        """The URN of the provider that it is of; empty for a provider."""
        return str(self.goal.get("provider", "")).rpartition("::")[0]

    @property
    def adopts(self) -> bool:
        """Whether it takes over what is there, as its setting says."""
        return bool(self.inputs.get(META, {}).get("adopt"))

    @property
    def needs(self) -> tuple[str, ...]:
        """The URNs of what has to be there before it."""
        return tuple(self.goal.get("dependencies") or ())

    @cached_property
    def inputs(self) -> dict[str, Any]:
        """Its inputs; the plan leaves out those with a name that is the engine's own, which the outputs have too."""
        own = {name: value for name, value in self.foreseen.items() if name.startswith("__")}
        return {**self.goal["inputDiff"].get("adds", {}), **own}

    def is_known(self, held: Iterable[str]) -> bool:
        """Whether all inputs are known, once the resources with the URNs `held` are in the state."""
        sealed = [
            name for name, value in self.inputs.items() if isinstance(value, dict) and SIGNATURE in value
        ]
        needed = {urn for name in sealed for urn in self.goal.get("propertyDependencies", {}).get(name) or ()}
        return not has_unknown(self.inputs) and needed <= {*held}

    def entry(self, id_: str, outputs: Mapping[str, Any], held: Mapping[str, str]) -> dict[str, Any]:
        """What the state says of it. `held`: the ids of what is in the state, by URN."""
        kept = {name: self.goal[name] for name in _COPIED if self.goal.get(name)}
        kept["dependencies"] = [urn for urn in kept.get("dependencies", ()) if urn in held]
        kept["propertyDependencies"] = {
            name: [urn for urn in urns or () if urn in held]
            for name, urns in kept.get("propertyDependencies", {}).items()
        }
        if self.provider:
            kept["provider"] = f"{self.provider}::{held[self.provider]}"
        custom = {"id": id_} if self.custom else {}
        said = {"inputs": self.inputs, "outputs": dict(outputs)}
        return {"urn": self.urn, "custom": self.custom, "type": self.type, **custom, **said, **kept}


def plan_resources(stack: Stack, out: Output) -> dict[str, PlannedResource]:
    """What the program declares that the state does not have, by URN, each after what it needs. Contacts no box."""
    with tempfile.TemporaryDirectory() as folder:  # its own user's alone
        file = Path(folder) / "plan.json"
        with translate_errors(), Screen(out, silent=True) as screen:
            stack.automation.preview(plan=str(file), on_output=screen.read, on_event=screen.listen)
        plans = json.loads(file.read_text())["resourcePlans"]
    found = {
        urn: PlannedResource(urn, each["goal"], each.get("state") or {})
        for urn, each in plans.items()
        if each.get("steps") == ["create"]
    }
    needs = {
        urn: {one.provider, one.goal.get("parent"), *one.needs} & found.keys() for urn, one in found.items()
    }
    return {urn: found[urn] for urn in TopologicalSorter(needs).static_order()}


def new_id() -> str:
    """The id of a provider, which the engine makes up as well."""
    return str(uuid.uuid4())


def has_unknown(value: Any) -> bool:
    """Whether a value has a part that is not known yet."""
    if isinstance(value, dict):
        return any(map(has_unknown, value.values()))
    return any(map(has_unknown, value)) if isinstance(value, list) else value == UNKNOWN
