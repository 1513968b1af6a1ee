"""What a flow's stages ask of a browser and how they take its answers: one function each, found by the stage's kind."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode

from bench.authentik import crypto, devices, webauthn
from bench.authentik.auth import app_password
from bench.authentik.avatars import avatar
from bench.authentik.computed import seconds
from bench.authentik.context import APPLICATIONS, FLOWS, USERS, client_of
from bench.authentik.passwords import matches
from bench.authentik.reputation import note
from bench.authentik.sessions import Plan
from bench.authentik.store import Data, Store

ANONYMOUS = "/static/dist/assets/images/user_default.png"
IDENTIFICATION, PASSWORD, CONSENT = "/stages/identification/", "/stages/password/", "/stages/consent/"
CONSENTS = "/core/user_consent/"
PASSWORDLESS = "auth_webauthn_pwl"
LOGOUT, DENY = "/stages/user_logout/", "/stages/deny/"
SESSION_END = "session-end"
"""The stage that authentik appends to a provider's invalidation flow; it is no object."""

INBUILT_BACKEND = "authentik.core.auth.InbuiltBackend"
TOKEN_BACKEND = "authentik.core.auth.TokenBackend"  # noqa: S105  (a class of authentik's)
Errors = dict[str, str]
REFUSED = "-"
"""The key of an error that ends the plan."""


def identification(store: Store, plan: Plan, stage: Data) -> dict[str, Any]:
    """Ask who it is."""
    application = application_before(store, plan)
    before = {"application_pre": application["name"]} if application else {}
    designation = (store.find(FLOWS, slug=plan.flow) or {}).get("designation", "authentication")
    if application:
        before["application_pre_launch"] = application.get("meta_launch_url")
    return {
        "component": "ak-stage-identification",
        "user_fields": stage.get("user_fields") or [],
        "pending_user_identifier": None,
        "password_fields": bool(stage.get("password_stage")),
        "allow_show_password": False,
        **before,
        "flow_designation": designation,
        "captcha_stage": None,
        **pages(store, plan, stage),
        "primary_action": "Log in" if designation == "authentication" else "Continue",
        "sources": [],
        "show_source_labels": False,
        "enable_remember_me": False,
        "passkey_challenge": passkey(store, plan, stage),
    }


def pages(store: Store, plan: Plan, stage: Data) -> dict[str, str]:
    """The flows that the stage leads to, each where it names one."""
    found = {}
    for shown, name in (
        ("enroll_url", "enrollment_flow"),
        ("recovery_url", "recovery_flow"),
        ("passwordless_url", "passwordless_flow"),
    ):
        flow = store.get(FLOWS, stage.get(name))
        if flow:
            query = f"?{urlencode({'next': plan.target})}" if plan.target else ""
            found[shown] = f"/if/flow/{flow['slug']}/{query}"
    return found


def passkey(store: Store, plan: Plan, stage: Data) -> dict[str, Any] | None:
    """What a security key is asked on the login page itself."""
    validate = store.get("/stages/authenticator/validate/", stage.get("webauthn_stage"))
    if validate is None:
        return None
    plan.challenge = webauthn.new_challenge()
    return webauthn.assertion(
        plan.origin, plan.challenge, [], str(validate.get("webauthn_user_verification") or "preferred")
    )


def password(store: Store, plan: Plan, _stage: Data) -> dict[str, Any]:
    """Ask for the password."""
    brand = store.find("/core/brands/", default=True) or {}
    flow = store.get(FLOWS, brand.get("flow_recovery"))
    recovery = {"recovery_url": f"{plan.origin}/if/flow/{flow['slug']}/"} if flow else {}
    return {
        "component": "ak-stage-password",
        **pending(store, plan),
        **recovery,
        "allow_show_password": False,
    }


def consent(store: Store, plan: Plan, _stage: Data) -> dict[str, Any]:
    """Ask whether the application may have it."""
    application = application_before(store, plan)
    plan.consent = str(uuid.uuid4())
    return {
        "component": "ak-stage-consent",
        **pending(store, plan),
        "header_text": f"You're about to sign into {application['name'] if application else ''}.",
        "permissions": plan.permissions,
        "additional_permissions": [],
        "token": plan.consent,
    }


def session_end(store: Store, plan: Plan, _stage: Data) -> dict[str, Any]:
    """Tell that the application's session is over; the one with authentik goes on."""
    application = application_before(store, plan) or {}
    return {
        "component": "ak-stage-session-end",
        **pending(store, plan),
        "application_name": application.get("name"),
        "application_launch_url": application.get("meta_launch_url"),
        "brand_name": "authentik",
    }


def take_identification(store: Store, plan: Plan, stage: Data, body: Mapping[str, Any]) -> Errors | None:
    """Who it is. Somebody unknown is asked for a password like anybody else."""
    if body.get("passkey"):
        return take_passkey(store, plan, stage, body["passkey"])
    wanted = str(body.get("uid_field") or "").strip().lower()
    if not wanted:
        return {"uid_field": "This field is required."}
    fields = stage.get("user_fields") or []
    user = next(
        (u for u in store.all(USERS) if any(str(u.get(f) or "").lower() == wanted for f in fields)),
        None,
    )
    plan.pending = str(user["pk"]) if user else wanted
    asked = store.get(PASSWORD, stage.get("password_stage"))
    if asked is None and user is None:
        note(store, wanted, -1)
    return take_password(store, plan, asked, body) if asked else None


def take_password(store: Store, plan: Plan, stage: Data, body: Mapping[str, Any]) -> Errors | None:
    """The password of whoever it is; a person who is not active is refused like a wrong password."""
    user = store.get(USERS, plan.pending)
    given = str(body.get("password") or "")
    backends = stage.get("backends") or []
    active = user is not None and user.get("is_active", True)
    if user is not None and active:
        if INBUILT_BACKEND in backends and matches(given, user["_password"]):
            return None
        if TOKEN_BACKEND in backends and app_password(store, user, given):
            plan.context["auth_method"] = "token"
            return None
        note(store, str(user["username"]), -1)
    wrong = plan.context["wrong_passwords"] = plan.context.get("wrong_passwords", 0) + 1
    if wrong >= int(stage.get("failed_attempts_before_cancel") or 5):
        return {REFUSED: "Invalid password"}
    return {"password": "Invalid password"}


def key_refusal(row: Data, plan: Plan, stage: Data, answer: Mapping[str, Any]) -> str | None:
    """What is wrong with the signature of a registered key, by what the stage asks of it."""
    verification = str(stage.get("webauthn_user_verification") or "preferred")
    try:
        webauthn.check(answer, devices.credential(row), plan.origin, plan.challenge, verification)
    except webauthn.RefusedError as error:
        return str(error)
    return None


def take_passkey(store: Store, plan: Plan, stage: Data, answer: Mapping[str, Any]) -> Errors | None:
    """A security key on the login page says who it is, and then no password is asked."""
    validate = store.get("/stages/authenticator/validate/", stage.get("webauthn_stage")) or {}
    row = store.find(devices.path_of("webauthn"), _id=answer.get("id"))
    if row is None:
        return {"passkey": "Invalid device"}
    if refusal := key_refusal(row, plan, validate, answer):
        return {"passkey": refusal}
    plan.pending, plan.context["auth_method"] = str(row["_user"]), PASSWORDLESS
    plan.stages[1:] = [each for each in plan.stages[1:] if each.kind != PASSWORD]
    return None


def take_consent(store: Store, plan: Plan, _stage: Data, body: Mapping[str, Any]) -> Errors | None:
    """Given by an answer with the challenge's token; without it, authentik asks again and names no error."""
    if body.get("token") != plan.consent:
        return {}
    application = application_before(store, plan)
    plan.consented = str(application["pk"]) if application else None
    return None


def has_consented(store: Store, plan: Plan, stage: Data) -> bool:
    """Whether what a consent stage asks was given before, and is kept."""
    application = application_before(store, plan)
    if application is None or stage.get("mode") == "always_require":
        return False
    about = {"user": int(plan.pending or 0), "application": application["pk"]}
    row = store.find(CONSENTS, **about, permissions=permissions(plan))
    return row is not None and (row["expires"] or "9") > crypto.now()


def keep_consent(store: Store, plan: Plan, stage: Data) -> None:
    """Remember a consent as its stage wants it: for good, for some weeks, or not at all."""
    mode = stage.get("mode", "always_require")
    if mode == "always_require" or plan.consented is None or not plan.pending:
        return
    expires = crypto.later(minutes=seconds(stage["consent_expire_in"]) // 60) if mode == "expiring" else None
    about = {"user": int(plan.pending), "application": plan.consented, "permissions": permissions(plan)}
    pk = store.next_int(CONSENTS)
    store.insert(CONSENTS, pk, {"pk": pk, **about, "expires": expires, "expiring": expires is not None})


def permissions(plan: Plan) -> str:
    """What a consent is about, as it is kept."""
    return " ".join(sorted(each["id"] for each in plan.permissions))


def pending(store: Store, plan: Plan) -> dict[str, str]:
    """Whom the flow is about, as challenges show it."""
    if not plan.pending:
        return {"pending_user": "", "pending_user_avatar": ANONYMOUS}
    user = store.get(USERS, plan.pending) or {"username": plan.pending}
    shown = str(user["username"])
    return {"pending_user": shown, "pending_user_avatar": avatar(str(user.get("name") or shown))}


def application_before(store: Store, plan: Plan) -> Data | None:
    """The application that the browser is on its way to."""
    _, _, query = plan.target.partition("?")
    client = (parse_qs(query).get("client_id") or [""])[0]
    provider = client_of(store, client) if client else None
    return store.find(APPLICATIONS, provider=provider["pk"]) if provider else None


CHALLENGES: dict[str, Callable[[Store, Plan, Data], dict[str, Any]]] = {
    IDENTIFICATION: identification,
    PASSWORD: password,
    CONSENT: consent,
    SESSION_END: session_end,
}
ANSWERS: dict[str, Callable[[Store, Plan, Data, Mapping[str, Any]], Errors | None]] = {
    IDENTIFICATION: take_identification,
    PASSWORD: take_password,
    CONSENT: take_consent,
}
