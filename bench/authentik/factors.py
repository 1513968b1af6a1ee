"""Second factors. Nobody on the bench has a device, so a stage that asks for one skips, denies or has one set up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bench.authentik.sessions import Plan, Step
from bench.authentik.stages import Errors, pending
from bench.authentik.store import Data, Store

SECOND_FACTOR = "/stages/authenticator/validate/"
NO_DEVICE = "No (allowed) MFA authenticator configured."
DEVICES = {"totp": "TOTP", "webauthn": "WebAuthn", "static": "Static", "sms": "SMS", "email": "Email",
           "duo": "Duo"}  # fmt: skip
"""What can be set up, each by a stage of its own, and how authentik calls it."""


def set_up(store: Store, stage: Data) -> list[tuple[str, Data]]:
    """The stages in which somebody without a device may set one up, each with the device's name."""
    found = [
        (name, store.get(path_of(name), pk))
        for pk in stage.get("configuration_stages") or []
        for name in DEVICES
    ]
    return [(name, each) for name, each in found if each]


def path_of(device: str) -> str:
    """The kind of stage that sets up a device."""
    return f"/stages/authenticator/{device}/"


def next_steps(store: Store, stage: Data) -> list[Step] | None:
    """What such a stage comes to without a device: nothing, a setup, itself (several setups); None for a refusal."""
    match stage.get("not_configured_action", "skip"):
        case "deny":
            return None
        case "configure":
            offered = set_up(store, stage)
            if len(offered) == 1:
                return [Step(path_of(offered[0][0]), str(offered[0][1]["pk"]))]
            return [Step(SECOND_FACTOR, str(stage["pk"]))]
    return []


def choose(store: Store, plan: Plan, stage: Data) -> dict[str, Any]:
    """Ask which device to set up."""
    offered = [
        {
            "pk": each["pk"],
            "name": each.get("friendly_name") or each["name"],
            "verbose_name": f"{DEVICES[name]} Authenticator",
            "meta_model_name": f"authentik_stages_authenticator_{name}.authenticator{name}stage",
        }
        for name, each in set_up(store, stage)
    ]
    return {
        "component": "ak-stage-authenticator-validate",
        **pending(store, plan),
        "device_challenges": [],
        "configuration_stages": offered,
    }


def take_choice(store: Store, plan: Plan, stage: Data, body: Mapping[str, Any]) -> Errors | None:
    """The setup that was chosen comes next."""
    for name, each in set_up(store, stage):
        if each["pk"] == body.get("selected_stage"):
            plan.stages.insert(1, Step(path_of(name), str(each["pk"])))
            return None
    return {"non_field_errors": "Empty response"}


def setting_up(device: str) -> Callable[[Store, Plan, Data], dict[str, Any]]:
    """Ask to set a device up. What its kind would need for that is left out: no answer is taken."""

    def ask(store: Store, plan: Plan, _stage: Data) -> dict[str, Any]:
        return {"component": f"ak-stage-authenticator-{device}", **pending(store, plan)}

    return ask


CHALLENGES = {SECOND_FACTOR: choose, **{path_of(device): setting_up(device) for device in DEVICES}}
ANSWERS = {SECOND_FACTOR: take_choice}
