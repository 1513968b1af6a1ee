"""What flows are made of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from components.settings.login_rules import Passwords

FLOW_KIND = "authentik_flows.flow"
IDENTIFICATION = "authentik_stages_identification.identificationstage"
STAGE_BINDING = "authentik_flows.flowstagebinding"
POLICY_BINDING = "authentik_policies.policybinding"
EXPRESSION = "authentik_policies_expression.expressionpolicy"
VALIDATION = "authentik_stages_authenticator_validate.authenticatorvalidatestage"
PROMPT = "authentik_stages_prompt.prompt"
PROMPTS = "authentik_stages_prompt.promptstage"
KEY_SETUP = "authentik_stages_authenticator_webauthn.authenticatorwebauthnstage"
WRITE = "authentik_stages_user_write.userwritestage"
PASSWORD_RULES = "authentik_policies_password.passwordpolicy"  # noqa: S105  (a kind of object)


@dataclass(frozen=True)
class Part:
    """One object. `setting`: what in `gatehouse:login` wants it. `adopt`: it is one of authentik's own."""

    setting: str
    kind: str
    name: str
    fields: Mapping[str, Any]
    adopt: bool = False


def bound(setting: str, flow: str, stage: str, order: int, **more: Any) -> Part:
    """A stage at its place in a flow."""
    fields = {"target": flow, "stage": stage, "order": order, **more}
    return Part(setting, STAGE_BINDING, place(flow, stage, order), fields)


LATE = {"evaluate_on_plan": False, "re_evaluate_policies": True, "policy_engine_mode": "all"}
"""A stage that depends on the person: looked at when its turn comes, and all of its policies have to agree."""


def guarded_stage(
    setting: str, flow: str, stage: str, order: int, policies: Mapping[str, Mapping[str, Any]]
) -> Iterator[Part]:
    """A stage at its place, for those of whom its policies agree. Each comes with what its binding says besides."""
    yield bound(setting, flow, stage, order, **LATE)
    for number, (policy, more) in enumerate(policies.items()):
        yield guarded(setting, place(flow, stage, order), policy, number, **more)


def place(flow: str, stage: str, order: int) -> str:
    """What a stage's place in a flow is called."""
    return f"{flow}/{stage}/{order}"


def guarded(setting: str, where: str, policy: str, order: int = 0, **more: Any) -> Part:
    """A policy that decides whether the stage at a place is run; if it fails, the stage is."""
    fields = {"target": where, "policy": policy, "order": order, "failure_result": True, **more}
    return Part(setting, POLICY_BINDING, f"{where}: {policy}", fields)


def merged(parts: Iterable[Part]) -> Iterator[Part]:
    """Several settings may say something of one and the same object of authentik's own."""
    found: dict[tuple[str, str], Part] = {}
    for part in parts:
        known = found.get((part.kind, part.name))
        found[part.kind, part.name] = (
            replace(known, fields={**known.fields, **part.fields}) if known and part.adopt else part
        )
    yield from found.values()


PASSWORD_PROMPTS = ("gatehouse-password", "gatehouse-password-repeat")
RULES = "gatehouse-password-rules"


def new_password(setting: str, rules: Passwords | None) -> Iterator[Part]:
    """The questions for a new password, and what it must be like."""
    asked_for = rules or Passwords()
    for order, (name, key, label) in enumerate(
        zip(PASSWORD_PROMPTS, ("password", "password_repeat"), ("Password", "Password (again)"), strict=True)
    ):
        asked = {"field_key": key, "label": label, "type": "password", "required": True, "order": 300 + order}
        yield Part(setting, PROMPT, name, asked)
    yield Part(
        setting,
        PASSWORD_RULES,
        RULES,
        {
            "password_field": "password",
            "check_static_rules": True,
            "length_min": asked_for.min_length,
            "check_zxcvbn": True,
            "zxcvbn_score_threshold": asked_for.strength,
            "check_have_i_been_pwned": True if asked_for.have_i_been_pwned else None,
            "error_message": f"Use at least {asked_for.min_length} characters.",
        },
    )


def asking(setting: str, name: str, *prompts: str) -> Part:
    """A stage that asks for things and a new password."""
    fields = {"fields": [*prompts, *PASSWORD_PROMPTS], "validation_policies": [RULES]}
    return Part(setting, PROMPTS, name, fields)
