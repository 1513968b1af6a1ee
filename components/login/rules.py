"""Sessions, passwords, too many tries, passkeys alone, terms, and how the pages look: a function for each setting."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from components.login import keys
from components.login.keys import FLOW, SOURCES
from components.login.parts import (
    EXPRESSION,
    FLOW_KIND,
    IDENTIFICATION,
    PROMPT,
    PROMPTS,
    RULES,
    VALIDATION,
    WRITE,
    Part,
    bound,
    guarded_stage,
    new_password,
)
from components.settings import Settings
from components.settings.login import Login

LOGIN_STAGE = "authentik_stages_user_login.userloginstage"
_LOGINS = ("default-authentication-login", "default-source-authentication-login")
_LOCK_OUT, _PASSKEY, _TERMS = "gatehouse-lock-out", "gatehouse-passkey", "gatehouse-terms"
_CHANGE = "default-password-change"


def parts(settings: Settings) -> Iterator[Part]:
    """What of these the file says."""
    for setting, function in _TABLE.items():
        if getattr(settings.login, setting):
            yield from function(settings.login)


def _sessions(login: Login) -> Iterator[Part]:
    assert login.sessions
    fields = {
        "session_duration": login.sessions.lasts,
        "remember_me_offset": login.sessions.remember or "seconds=0",
        "terminate_other_sessions": login.sessions.only_one,
    }
    for stage in _LOGINS:
        yield Part("sessions", LOGIN_STAGE, stage, fields, adopt=True)


def _passwords(login: Login) -> Iterator[Part]:
    if not login.recovery and not login.invitations:  # which ask for new passwords too
        yield from new_password("passwords", login.passwords)
    fields = [f"{_CHANGE}-field-password", f"{_CHANGE}-field-password-repeat"]
    changed = {"fields": fields, "validation_policies": [RULES]}
    yield Part("passwords", PROMPTS, f"{_CHANGE}-prompt", changed, adopt=True)


def _lock_out(login: Login) -> Iterator[Part]:
    assert login.lock_out
    by_name = login.lock_out.by == "name"
    score = {"check_username": by_name, "check_ip": not by_name, "threshold": -login.lock_out.after}
    yield Part("lockOut", "authentik_policies_reputation.reputationpolicy", _LOCK_OUT, score)
    told = {"deny_message": "Too many wrong passwords. Try again later, or ask your administrator."}
    yield Part("lockOut", "authentik_stages_deny.denystage", _LOCK_OUT, told)
    # Where the score can't be told, nobody is kept out: a stage that denies would keep everybody out.
    yield from guarded_stage("lockOut", FLOW, _LOCK_OUT, 15, {_LOCK_OUT: {"failure_result": False}})


def _passkeys(_login: Login) -> Iterator[Part]:
    about = {"name": "Passkey", "title": "Log in with a passkey", "designation": "authentication"}
    yield Part("passkeys", FLOW_KIND, _PASSKEY, {**about, "authentication": "require_unauthenticated"})
    yield Part("passkeys", VALIDATION, f"{_PASSKEY}-alone", {**keys.ASKED, "not_configured_action": "deny"})
    yield bound("passkeys", _PASSKEY, f"{_PASSKEY}-alone", 10)
    yield bound("passkeys", _PASSKEY, _LOGINS[0], 100)
    page = "default-authentication-identification"
    yield Part("passkeys", IDENTIFICATION, page, {"passwordless_flow": _PASSKEY}, adopt=True)


def _terms(login: Login) -> Iterator[Part]:
    assert login.terms
    key = f"gatehouse_terms_{login.terms.version.replace('-', '_')}"
    shown = {"field_key": "gatehouse_terms_text", "label": "Terms", "type": "static", "required": True}
    yield Part("terms", PROMPT, f"{_TERMS}-text", {**shown, "initial_value": login.terms.text, "order": 0})
    box = {
        "field_key": f"attributes.{key}",
        "label": "I accept the terms",
        "type": "checkbox",
        "required": True,
    }
    yield Part("terms", PROMPT, f"{_TERMS}-box", {**box, "order": 1})
    # A required box takes "not ticked" as an answer.
    ticked = f"return bool(request.context.get('prompt_data', {{}}).get('attributes', {{}}).get('{key}'))"
    expressions = {
        f"{_TERMS}-ticked": f"if {ticked.removeprefix('return ')}:\n    return True\n"
        "ak_message('Please accept the terms.')\nreturn False",
        f"{_TERMS}-new": f"return not request.user.attributes.get('{key}')",
    }
    for name, expression in expressions.items():
        yield Part("terms", EXPRESSION, name, {"expression": expression})
    asked = {"fields": [f"{_TERMS}-text", f"{_TERMS}-box"], "validation_policies": [f"{_TERMS}-ticked"]}
    yield Part("terms", PROMPTS, _TERMS, asked)
    yield Part("terms", WRITE, f"{_TERMS}-write", {"user_creation_mode": "never_create"})
    for flow, order in ((FLOW, 50), (SOURCES, -5)):
        for number, stage in enumerate((_TERMS, f"{_TERMS}-write")):
            yield from guarded_stage("terms", flow, stage, order + number, {f"{_TERMS}-new": {}})


def _brand(login: Login) -> Iterator[Part]:
    assert login.brand
    brand = login.brand
    fields: Mapping[str, Any] = {
        "branding_title": brand.title,
        "branding_logo": brand.logo,
        "branding_favicon": brand.favicon,
        "attributes": {"settings": {"locale": brand.language}} if brand.language else None,
    }
    said = {name: value for name, value in fields.items() if value is not None}
    yield Part("brand", "authentik_brands.brand", "authentik-default", said, adopt=True)


_TABLE: Mapping[str, Callable[[Login], Iterator[Part]]] = {
    "sessions": _sessions,
    "passwords": _passwords,
    "lock_out": _lock_out,
    "passkeys": _passkeys,
    "terms": _terms,
    "brand": _brand,
}
