"""Security keys: of administrators, unless the stack file says why not, and of whomever it says besides.

The stages come before all others that ask for a second factor, which then pass these people over. Whoever has none yet
sets one up at the next login; whoever has another factor is asked for that one first, since a password alone would
otherwise be enough to set up a key in somebody's name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from components.identity.fresh_logins import FRESH_LOGINS
from components.identity.server_settings import NAME as AUTHENTIK
from components.identity.server_settings import SERVER_SETTINGS
from components.login.parts import EXPRESSION, KEY_SETUP, VALIDATION, Part, guarded_stage
from components.settings import Settings

SETTING = "administrators"
NEEDED, _OTHER_FIRST = "gatehouse-needs-key", "gatehouse-needs-key-has-other"
SETUP, _STAGE, _OTHER, _STEP_UP = (f"gatehouse-key{end}" for end in ("-setup", "", "-other", "-step-up"))
FLOW, SOURCES = "default-authentication-flow", "default-source-authentication"
_PLACES = ((FLOW, 24), (SOURCES, -11))
"""Whoever comes through another login service goes through a flow of its own."""
DEVICES = ("webauthn", "totp", "static")
ASKED: Mapping[str, Any] = {
    "device_classes": ["webauthn"],
    "webauthn_user_verification": "required",
    "last_auth_threshold": "seconds=0",
}
"""A stage that takes security keys alone, and only from whoever unlocked them."""
PASSWORD = "authentik_stages_password.passwordstage"  # noqa: S105  (a kind of object)


def parts(settings: Settings) -> Iterator[Part]:
    """The stage, in each flow that logs people in; and what would lead around it."""
    expression = needed(settings)
    if expression is None:
        return
    yield Part(SETTING, EXPRESSION, NEEDED, {"expression": f"return {expression}"})
    other = f'return {expression} and not ak_user_has_authenticator(request.user, "webauthn")'
    yield Part(SETTING, EXPRESSION, _OTHER_FIRST, {"expression": other})
    setup = {
        "friendly_name": "Security key",
        "user_verification": "required",
        "resident_key_requirement": "preferred",
    }
    yield Part(SETTING, KEY_SETUP, SETUP, setup)
    action = settings.login.administrators.without_key
    without = {"configuration_stages": [SETUP]} if action == "configure" else {}
    yield Part(SETTING, VALIDATION, _STAGE, {**ASKED, "not_configured_action": action, **without})
    others = {"device_classes": ["totp", "static"], "not_configured_action": "skip"}
    yield Part(SETTING, VALIDATION, _OTHER, others)
    for flow, order in _PLACES:
        yield from guarded_stage(SETTING, flow, _OTHER, order - 1, {_OTHER_FIRST: {}})
        yield from guarded_stage(SETTING, flow, _STAGE, order, {NEEDED: {}})
    # In a session that is open, a key is added with a factor that is there already.
    yield Part(SETTING, VALIDATION, _STEP_UP, {"device_classes": [*DEVICES], "not_configured_action": "skip"})
    for device in DEVICES:
        yield from guarded_stage(SETTING, f"default-authenticator-{device}-setup", _STEP_UP, -10, {})
    backends = ["authentik.core.auth.InbuiltBackend", "authentik.sources.kerberos.auth.KerberosBackend",
                "authentik.sources.ldap.auth.LDAPBackend"]  # fmt: skip
    # Without the one for app passwords, which take the place of the password otherwise.
    yield Part(SETTING, PASSWORD, "default-authentication-password", {"backends": backends}, adopt=True)
    if settings.administrators_need_keys:
        # Whoever impersonates somebody is asked for nothing.
        yield Part(SETTING, SERVER_SETTINGS, AUTHENTIK, {"impersonation": False})
        yield Part(SETTING, FRESH_LOGINS, "administrators", {"needed": expression})


def needed(settings: Settings) -> str | None:
    """An expression of who needs a key; None for nobody."""
    groups = settings.login.mfa.keys_for if settings.login.mfa else ()
    terms = ["request.user.is_superuser"] if settings.administrators_need_keys else []
    if groups:
        terms.append(f"any(ak_is_group_member(request.user, name=name) for name in {[*groups]!r})")
    return f"({' or '.join(terms)})" if terms else None
