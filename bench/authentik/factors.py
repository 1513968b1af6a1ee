"""Stages about second factors: asking for one, and setting one up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from bench.authentik import crypto, devices, webauthn
from bench.authentik.context import USERS
from bench.authentik.sessions import Plan, Step
from bench.authentik.stages import PASSWORDLESS, Errors, key_refusal, pending
from bench.authentik.store import Data, Store

SECOND_FACTOR = "/stages/authenticator/validate/"
NO_DEVICE = "No (allowed) MFA authenticator configured."
WRONG_CODE = "Invalid Token. Please ensure the time on your device is accurate and try again."
DEVICES = {"totp": "TOTP", "webauthn": "WebAuthn", "static": "Static", "sms": "SMS", "email": "Email",
           "duo": "Duo"}  # fmt: skip
"""What can be set up, each by a stage of its own, and how authentik calls it."""
TOTP, WEBAUTHN, STATIC = (f"/stages/authenticator/{name}/" for name in ("totp", "webauthn", "static"))


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


def owned(store: Store, plan: Plan, stage: Data) -> list[tuple[str, Data]]:
    """The person's devices that the stage takes."""
    user = store.get(USERS, plan.pending) if plan.pending else None
    return devices.of(store, user, list(stage.get("device_classes") or devices.TYPES))


def next_steps(store: Store, plan: Plan, stage: Data) -> list[Step] | None:
    """What such a stage comes to: itself where it asks for something, else a setup, nothing, or None for a refusal."""
    itself = [Step(SECOND_FACTOR, str(stage["pk"]))]
    nobody = plan.pending is None and "webauthn" in (stage.get("device_classes") or ["webauthn"])
    if nobody or owned(store, plan, stage):
        return itself
    match stage.get("not_configured_action", "skip"):
        case "deny":
            return None
        case "configure":
            offered = set_up(store, stage)
            if len(offered) == 1:
                return [Step(path_of(offered[0][0]), str(offered[0][1]["pk"]))]
            return itself
    return []


def ask(store: Store, plan: Plan, stage: Data) -> dict[str, Any]:
    """Ask for one of the devices, or which one to set up."""
    found = owned(store, plan, stage)
    offered = [
        {
            "pk": each["pk"],
            "name": each.get("friendly_name") or each["name"],
            "verbose_name": f"{DEVICES[name]} Authenticator",
            "meta_model_name": f"authentik_stages_authenticator_{name}.authenticator{name}stage",
        }
        for name, each in ([] if found else set_up(store, stage))
    ]
    return {
        "component": "ak-stage-authenticator-validate",
        **pending(store, plan),
        "device_challenges": challenges(plan, stage, found),
        "configuration_stages": [] if plan.pending is None else offered,
    }


def challenges(plan: Plan, stage: Data, found: list[tuple[str, Data]]) -> list[dict[str, Any]]:
    """What each device is asked; without a person, whatever key answers."""
    plan.challenge = webauthn.new_challenge()
    verification = str(stage.get("webauthn_user_verification") or "preferred")

    def one(device: str, uid: str, known: list[str], last: object) -> dict[str, Any]:
        asked = (
            webauthn.assertion(plan.origin, plan.challenge, known, verification)
            if device == "webauthn"
            else {}
        )
        return {"device_class": device, "device_uid": uid, "challenge": asked, "last_used": last}

    if plan.pending is None:
        return [one("webauthn", "-1", [], None)]
    return [
        one(device, str(row["pk"]), [row["_id"]] if device == "webauthn" else [], row["_last_used"])
        for device, row in found
    ]


def take(store: Store, plan: Plan, stage: Data, body: Mapping[str, Any]) -> Errors | None:
    """A code, a key's signature, or which device to set up."""
    if body.get("code"):
        return take_code(store, owned(store, plan, stage), str(body["code"]).strip())
    if body.get("webauthn"):
        return take_key(store, plan, stage, body["webauthn"])
    if not owned(store, plan, stage):
        for name, each in set_up(store, stage):
            if each["pk"] == body.get("selected_stage"):
                plan.stages.insert(1, Step(path_of(name), str(each["pk"])))
                return None
    return {"non_field_errors": "Empty response"}


def take_code(store: Store, found: list[tuple[str, Data]], code: str) -> Errors | None:
    """The code of an authenticator app, or one of those on paper, which then is gone."""
    if not any(device in ("totp", "static") for device, _ in found):
        return {"code": "No compatible device class allowed"}
    for device, row in found:
        if device == "totp" and devices.takes(row, code):
            devices.used(store, device, row, _spent=code)
            return None
        if device == "static" and code in row["_codes"]:
            devices.used(store, device, row, _codes=[each for each in row["_codes"] if each != code])
            return None
    return {"code": WRONG_CODE}


def take_key(store: Store, plan: Plan, stage: Data, answer: Mapping[str, Any]) -> Errors | None:
    """The signature of a security key; without a person before it, it says who it is."""
    row = store.find(devices.path_of("webauthn"), _id=answer.get("id"))
    if row is None or (plan.pending is not None and str(row["_user"]) != plan.pending):
        return {"webauthn": "Invalid device"}
    if refusal := key_refusal(row, plan, stage, answer):
        return {"webauthn": refusal}
    devices.used(store, "webauthn", row)
    if plan.pending is None:
        plan.pending = str(row["_user"])
        plan.context["auth_method"] = PASSWORDLESS
    return None


# -- setting one up --------------------------------------------------------------------------------------------------


def setup(device: str, store: Store, plan: Plan) -> dict[str, Any]:
    """What all setups show."""
    return {"component": f"ak-stage-authenticator-{device}", **pending(store, plan)}


def ask_key(store: Store, plan: Plan, stage: Data) -> dict[str, Any]:
    """Ask to touch a new security key."""
    user = store.get(USERS, plan.pending) or {"uuid": "", "username": "", "name": ""}
    known = [row["_id"] for _, row in devices.of(store, user, ["webauthn"])]
    plan.challenge = webauthn.new_challenge()
    options = webauthn.registration(stage, user, plan.origin, plan.challenge, known)
    return {**setup("webauthn", store, plan), "registration": options}


def take_new_key(store: Store, plan: Plan, stage: Data, body: Mapping[str, Any]) -> Errors | None:
    """The new key."""
    verification = str(stage.get("user_verification") or "preferred")
    try:
        key = webauthn.registered(body.get("response") or {}, plan.origin, plan.challenge, verification)
    except webauthn.RefusedError as error:
        return {"response": str(error)}
    user = store.get(USERS, plan.pending)
    assert user is not None
    devices.add(store, "webauthn", user, "WebAuthn Device", id=key.id, x=key.x, y=key.y)
    return None


def ask_app(store: Store, plan: Plan, stage: Data) -> dict[str, Any]:
    """Show the secret that an authenticator app reads."""
    user = store.get(USERS, plan.pending) or {"username": ""}
    plan.challenge = plan.challenge or devices.new_seed()
    told = {"secret": plan.challenge, "algorithm": "SHA1", "digits": stage["digits"], "period": devices.STEP}
    url = f"otpauth://totp/authentik:{quote(str(user['username']))}?{urlencode({**told, 'issuer': 'authentik'})}"
    return {**setup("totp", store, plan), "config_url": url}


def take_app(store: Store, plan: Plan, stage: Data, body: Mapping[str, Any]) -> Errors | None:
    """The app's first code."""
    user = store.get(USERS, plan.pending)
    digits = int(stage["digits"])
    if user is None or str(body.get("code") or "") != devices.totp(plan.challenge, digits):
        return {"code": "Code does not match"}
    devices.add(store, "totp", user, "TOTP Device", seed=plan.challenge, digits=digits)
    plan.challenge = ""
    return None


def ask_codes(store: Store, plan: Plan, stage: Data) -> dict[str, Any]:
    """Show the codes for paper."""
    if not plan.context.get("static_codes"):
        length = int(stage.get("token_length") or 12)
        count = int(stage.get("token_count") or 6)
        plan.context["static_codes"] = [crypto.random_text(length).lower() for _ in range(count)]
    return {**setup("static", store, plan), "codes": plan.context["static_codes"]}


def take_codes(store: Store, plan: Plan, _stage: Data, _body: Mapping[str, Any]) -> Errors | None:
    """They have been written down."""
    user = store.get(USERS, plan.pending)
    assert user is not None
    devices.add(store, "static", user, "Static Device", codes=plan.context.pop("static_codes"))
    return None


CHALLENGES = {SECOND_FACTOR: ask, WEBAUTHN: ask_key, TOTP: ask_app, STATIC: ask_codes}
ANSWERS = {SECOND_FACTOR: take, WEBAUTHN: take_new_key, TOTP: take_app, STATIC: take_codes}
