"""A second factor of everybody, or of some people; security keys have a module of their own (`keys`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from components.login import keys
from components.login.keys import FLOW, SOURCES
from components.login.parts import (
    EXPRESSION,
    LATE,
    STAGE_BINDING,
    VALIDATION,
    Part,
    bound,
    guarded,
    guarded_stage,
    place,
)
from components.settings import Settings
from components.settings.login import Mfa

SETTING = "mfa"
USUAL = "default-authentication-mfa-validation"
_STAGE, REQUIRED, SPARED, GRACE = (f"gatehouse-mfa{end}" for end in ("", "-required", "-spared", "-grace"))
_SETUP = "default-authenticator-{}-setup"
_NOT: Mapping[str, Any] = {"negate": True}


def parts(settings: Settings) -> Iterator[Part]:
    """Of everybody: authentik's own stage asks, which otherwise skips those who have none. Of some: a stage of ours
    asks them, before authentik's own, which then asks the others alone.
    """
    mfa = settings.login.mfa
    strict = keys.needed(settings) is not None
    passed = {keys.NEEDED: (19, _NOT)} if strict else {}
    if mfa is None:
        yield from _usual(keys.SETTING, passed)
        return
    grace: Mapping[str, Mapping[str, Any]] = {GRACE: {}} if mfa.grace_days else {}
    if mfa.grace_days:
        yield Part(SETTING, EXPRESSION, GRACE, {"expression": _grace(mfa.grace_days)})
    if mfa.required_for == "everybody":
        yield Part(SETTING, VALIDATION, USUAL, _validation(mfa), adopt=True)
        programs = [app.bind_account for app in settings.apps if app.bind_account]
        if programs:
            # The accounts that LDAP apps look people up with are programs: they have a long password and nothing else.
            expression = f"return request.user.username in {programs!r}"
            yield Part(SETTING, EXPRESSION, SPARED, {"expression": expression})
            passed |= {SPARED: (20, _NOT)}
        yield from _usual(SETTING, {**passed, **{name: (21, {}) for name in grace}})
        if strict or grace:
            yield from guarded_stage(
                SETTING, SOURCES, USUAL, -10, {**({keys.NEEDED: _NOT} if strict else {}), **grace}
            )
        else:
            yield bound(SETTING, SOURCES, USUAL, -10)
        return
    if mfa.required_for == "administrators" and settings.administrators_need_keys:
        yield from _usual(keys.SETTING, passed)
        return
    yield Part(SETTING, EXPRESSION, REQUIRED, {"expression": who_must(mfa)})
    yield Part(SETTING, VALIDATION, _STAGE, _validation(mfa))
    for flow, order in ((FLOW, 25), (SOURCES, -10)):
        yield bound(SETTING, flow, _STAGE, order, **LATE)
        where = place(flow, _STAGE, order)
        yield guarded(SETTING, where, REQUIRED)
        for number, (policy, more) in enumerate(
            {**({keys.NEEDED: _NOT} if strict else {}), **grace}.items(), 1
        ):
            yield guarded(SETTING, where, policy, number, **more)
    yield from _usual(SETTING, {**passed, REQUIRED: (20, _NOT)})


def _usual(setting: str, policies: Mapping[str, tuple[int, Mapping[str, Any]]]) -> Iterator[Part]:
    """authentik's own stage asks only those of whom all of these policies agree."""
    if not policies:
        return
    usual = place(FLOW, USUAL, 30)
    fields = {"target": FLOW, "stage": USUAL, "order": 30, "policy_engine_mode": "all"}
    yield Part(setting, STAGE_BINDING, usual, fields, adopt=True)
    for policy, (order, more) in policies.items():
        yield guarded(setting, usual, policy, order, **more)


def who_must(mfa: Mfa) -> str:
    """The expression that says whether a person must have a second factor."""
    match mfa.required_for:
        case "everybody":
            return "return True"
        case "administrators":
            return "return request.user.is_superuser"
        case groups:
            return f"return any(ak_is_group_member(request.user, name=name) for name in {[*groups]!r})"


def _grace(days: int) -> str:
    return (
        "from datetime import datetime, timedelta, timezone\n"
        f"over = datetime.now(timezone.utc) > request.user.date_joined + timedelta(days={days})\n"
        "return over or ak_user_has_authenticator(request.user)"
    )


def _validation(mfa: Mfa) -> dict[str, object]:
    fields: dict[str, object] = {
        "device_classes": list(mfa.devices),
        "not_configured_action": mfa.without_device,
    }
    if mfa.without_device == "configure":
        fields["configuration_stages"] = [_SETUP.format(each) for each in mfa.devices if each != "static"]
    return fields
