"""A second factor."""

from __future__ import annotations

from collections.abc import Iterator

from components.login.parts import (
    EXPRESSION,
    STAGE_BINDING,
    VALIDATION,
    Part,
    bound,
    guarded,
    place,
)
from components.settings import Settings
from components.settings.login import Mfa

SETTING = "mfa"
USUAL = "default-authentication-mfa-validation"
_FLOW, _SOURCES = "default-authentication-flow", "default-source-authentication"
_STAGE, REQUIRED, SPARED = "gatehouse-mfa", "gatehouse-mfa-required", "gatehouse-mfa-spared"
_SETUP = "default-authenticator-{}-setup"


def parts(settings: Settings) -> Iterator[Part]:
    """Of everybody: authentik's own stage asks, which otherwise skips those who have none. Of some: a stage of ours
    asks them, before authentik's own, which then asks the others alone.
    """
    mfa = settings.login.mfa
    if mfa is None:
        return
    if mfa.required_for == "everybody":
        yield Part(SETTING, VALIDATION, USUAL, _validation(mfa), adopt=True)
        yield from _spare([app.bind_account for app in settings.apps if app.bind_account])
        # Who comes through another login service goes through a flow of its own.
        yield bound(SETTING, _SOURCES, USUAL, -10)
        return
    yield Part(SETTING, EXPRESSION, REQUIRED, {"expression": who_must(mfa)})
    yield Part(SETTING, VALIDATION, _STAGE, _validation(mfa))
    for flow, order in ((_FLOW, 25), (_SOURCES, -10)):
        yield bound(
            SETTING,
            flow,
            _STAGE,
            order,
            evaluate_on_plan=False,
            re_evaluate_policies=True,
            policy_engine_mode="all",
        )
        yield guarded(SETTING, place(flow, _STAGE, order), REQUIRED)
    yield from _not_for(REQUIRED)


def _spare(accounts: list[str]) -> Iterator[Part]:
    """The accounts that LDAP apps look people up with are programs: they have a long password and nothing else."""
    if accounts:
        yield Part(
            SETTING, EXPRESSION, SPARED, {"expression": f"return request.user.username in {accounts!r}"}
        )
        yield from _not_for(SPARED)


def _not_for(policy: str) -> Iterator[Part]:
    """authentik's own stage asks only those of whom a policy says no."""
    usual = place(_FLOW, USUAL, 30)
    fields = {"target": _FLOW, "stage": USUAL, "order": 30, "policy_engine_mode": "all"}
    yield Part(SETTING, STAGE_BINDING, usual, fields, adopt=True)
    yield guarded(SETTING, usual, policy, 20, negate=True)


def who_must(mfa: Mfa) -> str:
    """The expression that says whether a person must have a second factor."""
    match mfa.required_for:
        case "everybody":
            return "return True"
        case "administrators":
            return "return request.user.is_superuser"
        case groups:
            return f"return any(ak_is_group_member(request.user, name=name) for name in {[*groups]!r})"


def _validation(mfa: Mfa) -> dict[str, object]:
    fields: dict[str, object] = {
        "device_classes": list(mfa.devices),
        "not_configured_action": mfa.without_device,
    }
    if mfa.without_device == "configure":
        fields["configuration_stages"] = [_SETUP.format(each) for each in mfa.devices if each != "static"]
    return fields
