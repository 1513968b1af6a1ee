"""Forgotten passwords: a mail with a link, and the second factor of who has one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from components.login import keys
from components.login.mfa import who_must
from components.login.parts import (
    EXPRESSION,
    FLOW_KIND,
    IDENTIFICATION,
    VALIDATION,
    WRITE,
    Part,
    asking,
    guarded_stage,
    new_password,
)
from components.settings import Settings

SETTING = "recovery"
_FLOW = "gatehouse-recovery"
EMAIL_STAGE = f"{_FLOW}-email"
"""The stage that sends the mail."""
_DEVICES = ["totp", "webauthn", "static"]
_POLICIES = {
    f"{_FLOW}-not-from-mail": "return not request.context.get('is_restored')",
    f"{_FLOW}-inactive": "return not request.user.is_active",
}
"""Policy -> when it is true of a person."""
_STAGES: Mapping[str, tuple[int, str, Mapping[str, Any]]] = {
    "identification": (
        10,
        IDENTIFICATION,
        {"user_fields": ["email", "username"], "pretend_user_exists": True, "show_matched_user": False},
    ),
    "inactive": (15, "authentik_stages_deny.denystage", {"deny_message": "This account is closed."}),
    "email": (
        20,
        "authentik_stages_email.emailstage",
        {
            "use_global_settings": True,
            "template": "email/password_reset.html",
            "subject": "Reset your password",
            "token_expiry": "minutes=30",
            # True would let people in again who were locked out.
            "activate_user_on_success": False,
        },
    ),
    "strict": (25, VALIDATION, {"device_classes": _DEVICES, "not_configured_action": "deny"}),
    "mfa": (26, VALIDATION, {"device_classes": _DEVICES, "not_configured_action": "skip"}),
    "write": (40, WRITE, {"user_creation_mode": "never_create"}),
    "login": (100, "authentik_stages_user_login.userloginstage", {"terminate_other_sessions": True}),
}
"""Stage -> its order, kind and fields; between them people are asked for a new password."""
_NEW = f"{_FLOW}-new-to-keys"
_KEY_STAGES: Mapping[str, tuple[int, str, Mapping[str, Any]]] = {
    "new-key": (
        23,
        VALIDATION,
        {**keys.ASKED, "not_configured_action": "configure", "configuration_stages": [keys.SETUP]},
    ),
    "key": (24, VALIDATION, {**keys.ASKED, "not_configured_action": "deny"}),
}
"""What comes before them for those who need a security key: a mailbox alone makes nobody an administrator."""


def parts(settings: Settings) -> Iterator[Part]:
    """The flow, and the two places that lead to it: the login page's link, and the brand's for the rest."""
    if not settings.login.recovery:
        return
    mfa, key = settings.login.mfa, keys.needed(settings)
    must = f"{_FLOW}-must-have-a-factor"
    expressions = {
        **_POLICIES,
        # Who must have a second factor does not get around it by mail, administrators in no case.
        must: _either("return request.user.is_superuser", who_must(mfa) if mfa else "return False"),
    }
    if key:
        expressions[_NEW] = f"return {key} and request.user.last_login is None"
    for name, expression in expressions.items():
        yield Part(SETTING, EXPRESSION, name, {"expression": expression})
    yield from new_password(SETTING, settings.login.passwords)
    about = {"name": "Recovery", "title": "Reset your password", "designation": "recovery"}
    yield Part(SETTING, FLOW_KIND, _FLOW, {**about, "authentication": "require_unauthenticated"})
    stages = {**_STAGES, **(_KEY_STAGES if key else {})}
    for name, (_, kind, fields) in stages.items():
        yield Part(SETTING, kind, f"{_FLOW}-{name}", fields)
    yield asking(SETTING, f"{_FLOW}-prompt")
    others: dict[str, Mapping[str, Any]] = {keys.NEEDED: {"negate": True}} if key else {}
    conditions: dict[str, dict[str, Mapping[str, Any]]] = {
        "identification": {f"{_FLOW}-not-from-mail": {}},
        "inactive": {f"{_FLOW}-inactive": {}},
        # Whoever comes by the welcome mail has none yet; if it can't be told, the stage that denies them is run.
        "new-key": {_NEW: {"failure_result": False}},
        "key": {keys.NEEDED: {}, _NEW: {"negate": True}},
        "strict": {must: {}, **others},
        "mfa": {must: {"negate": True}, **others},
    }
    for name, order in {**{name: order for name, (order, _, _) in stages.items()}, "prompt": 30}.items():
        yield from guarded_stage(SETTING, _FLOW, f"{_FLOW}-{name}", order, conditions.get(name, {}))
    yield Part(SETTING, "authentik_brands.brand", "authentik-default", {"flow_recovery": _FLOW}, adopt=True)
    page = "default-authentication-identification"
    yield Part(SETTING, IDENTIFICATION, page, {"recovery_flow": _FLOW}, adopt=True)


def _either(*expressions: str) -> str:
    """One expression that is true where any of them is."""
    return "return " + " or ".join(f"({each.removeprefix('return ')})" for each in expressions)
