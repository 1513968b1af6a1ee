"""What an earlier run ordered at Hetzner and never got an answer about, although it came to its end.

A create that fails is taken off the state's list of what is under way, even if its answer alone was lost. What was made
has the client's label, and its name is taken: it is put into the state, as if the create had been recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from operations.clouds import HETZNER, HETZNER_LISTS, checked
from operations.interrupted_creates import FINDERS, outputs
from operations.output import Output
from operations.planned_resources import plan_resources
from operations.stack import Stack


def import_unrecorded(stack: Stack, out: Output) -> list[str]:
    """Put it into the state; words about it. What is taken into the state is to be refreshed.

    Raises:
        OperatorError: Hetzner does not let us look, or has something of that name that is not ours.
    """
    settings = stack.settings()
    if settings.server is None:
        return []
    deployment = stack.deployment()
    resources = deployment.get("resources") or []
    if not resources or not _strays(settings, resources):
        return []
    held = {each["urn"]: str(each.get("id", "")) for each in resources}
    notes = []
    for urn, one in plan_resources(stack, out).items():
        if one.type not in HETZNER_LISTS or one.provider not in held or not one.is_known(held):
            continue
        if found := FINDERS[one.type](one.inputs, settings):
            held[urn] = found
            resources.append(one.entry(found, outputs({"type": one.type, "inputs": one.inputs}), held))
            notes.append(f"{one.label}: had been made by an earlier run; taken into the state")
    if notes:
        stack.put(deployment)
    return notes


def _strays(settings: Any, resources: list[Mapping[str, Any]]) -> bool:
    """Whether Hetzner has anything with the client's label that the state does not have."""
    known = {
        (HETZNER_LISTS[each["type"]], str(each.get("id")))
        for each in resources
        if each["type"] in HETZNER_LISTS
    }
    with HETZNER.client(settings) as api:
        for kind in HETZNER_LISTS.values():
            answer = api.get(kind, params={"label_selector": f"gatehouse={settings.client}"})
            if any((kind, str(each["id"])) not in known for each in checked(answer)[kind]):
                return True
    return False
