"""Raw objects that authentik takes, and that let people in, or keep them out, against what they look like.

Each was seen on a running authentik. What gatehouse makes of `login` has none of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from components.problems import Problem
from components.settings.base import dotted
from components.settings.model import Settings

STAGE_BINDING = "authentik_flows.flowstagebinding"
POLICY_BINDING = "authentik_policies.policybinding"
VALIDATION = "authentik_stages_authenticator_validate.authenticatorvalidatestage"
DENY = "authentik_stages_deny.denystage"
PASSWORD = "authentik_stages_password.passwordstage"  # noqa: S105  (a kind of object)
EXPIRY = "authentik_policies_expiry.passwordexpirypolicy"
GEOIP = "authentik_policies_geoip.geoippolicy"
EXPRESSION = "authentik_policies_expression.expressionpolicy"
_PROTECTORS = {
    "default-authentication-mfa-validation": VALIDATION,
    "default-authentication-password": PASSWORD,
}
"""authentik's own stages, by name."""
_PLACES = ("countries", "asns", "check_history_distance", "check_impossible_travel")


class Raw(NamedTuple):
    """A raw object, with its number in the file."""

    number: int
    kind: str
    name: str
    fields: Mapping[str, Any]

    def at(self, field: str) -> str:
        """Where one of its fields is."""
        return dotted("objects", self.number, "fields", field)


def check_traps(settings: Settings, _broken: frozenset[str]) -> Iterator[Problem]:
    """All of them."""
    every = [Raw(index, raw.kind, raw.name, raw.opened) for index, raw in enumerate(settings.objects)]
    kinds = {**_PROTECTORS, **{raw.name: raw.kind for raw in every}}
    for raw in every:
        match raw.kind:
            case "authentik_stages_email.emailstage":
                yield from _mail(raw, every)
            case "authentik_policies_reputation.reputationpolicy":
                yield from _threshold(raw)
            case "authentik_policies_expiry.passwordexpirypolicy":
                yield from _expiry(raw)
            case "authentik_policies_geoip.geoippolicy" if not settings.authentik.geoip:
                yield from _places(raw)
            case "authentik_flows.flowstagebinding":
                yield from _stage(raw, every, kinds)
            case "authentik_stages_prompt.promptstage":
                yield from _box(raw, every)
            case "authentik_sources_oauth.oauthsource":
                yield from _source(raw, every)


def _mail(raw: Raw, every: list[Raw]) -> Iterator[Problem]:
    places = [each.fields for each in every if each.kind == STAGE_BINDING]
    flows = {fields.get("target") for fields in places if fields.get("stage") == raw.name}
    enrolment = {each.name for each in every if each.fields.get("designation") == "enrollment"}
    if raw.fields.get("activate_user_on_success") is True and not (flows and flows <= enrolment):
        yield Problem(
            raw.at("activate_user_on_success"),
            "it lets people in again who were locked out, as soon as they follow a mail",
            "Write false; only a flow for enrolment may have such a mail, to confirm new accounts",
        )


def _threshold(raw: Raw) -> Iterator[Problem]:
    threshold = raw.fields.get("threshold", -5)
    if isinstance(threshold, int) and threshold < -5:
        what = "scores end at -5, so that a threshold below it is never reached"
        yield Problem(raw.at("threshold"), what, "Write -5, which five wrong passwords reach")


def _expiry(raw: Raw) -> Iterator[Problem]:
    if raw.fields.get("deny_only", False) is not True:
        yield Problem(
            raw.at("deny_only"),
            "an old password stops working the moment that the policy is looked at, so that who stops there is locked "
            "out",
            "Write deny_only: true, and let a prompt ask for a new one",
        )


def _places(raw: Raw) -> Iterator[Problem]:
    for field in _PLACES:
        if raw.fields.get(field):
            yield Problem(
                raw.at(field),
                "without a GeoIP database authentik cannot tell where anybody is: the policy fails or never passes, "
                "and keeps out everybody or nobody",
                "Leave it out; or, where authentik has a database (its System page tells), write authentik.geoip: true",
            )


def _stage(raw: Raw, every: list[Raw], kinds: Mapping[str, str]) -> Iterator[Problem]:
    """A stage in a flow, with the conditions of it that the file declares."""
    place = "/".join(str(raw.fields.get(name)) for name in ("target", "stage", "order"))
    conditions = [
        each
        for each in every
        if each.kind == POLICY_BINDING and str(each.fields.get("target")) in {raw.name, place}
    ]
    stage = kinds.get(str(raw.fields.get("stage")), "")
    if not conditions:
        return
    if raw.fields.get("evaluate_on_plan") is True:
        yield Problem(
            raw.at("evaluate_on_plan"),
            "its policies are looked at before anybody has said who they are: what they ask of the person is true of "
            "nobody, and the stage is run for nobody",
            "Write false, so that they are looked at when the stage's turn comes",
        )
    if stage == VALIDATION and len(conditions) > 1 and raw.fields.get("policy_engine_mode", "any") != "all":
        yield Problem(
            raw.at("policy_engine_mode"),
            "the stage is run for everybody of whom one of its policies is true",
            "Write policy_engine_mode: all",
        )
    for each in conditions:
        if stage == VALIDATION and each.fields.get("failure_result") is not True:
            yield Problem(
                each.at("failure_result"),
                "where the policy fails, the stage that protects is passed over",
                "Write failure_result: true",
            )
        if stage == DENY and not isinstance(each.fields.get("failure_result"), bool):
            yield Problem(
                each.at("failure_result"),
                "nothing says whether people get in where the policy fails",
                "Write failure_result: false to let them in, or true to let nobody in",
            )
        if stage == PASSWORD and kinds.get(str(each.fields.get("policy"))) == EXPIRY:
            yield Problem(
                each.at("policy"),
                "whoever's password is too old is asked for none, and gets in by the name alone",
                "Take this binding out, and bind a prompt for a new password after the login instead",
            )


def _box(raw: Raw, every: list[Raw]) -> Iterator[Problem]:
    asked = raw.fields.get("fields") or []
    boxes = [
        each.name for each in every if each.fields.get("type") == "checkbox" and each.fields.get("required")
    ]
    ticked = [name for name in boxes if isinstance(asked, list) and name in asked]
    if ticked and not raw.fields.get("validation_policies"):
        yield Problem(
            raw.at("validation_policies"),
            f"{ticked[0]} is required, and authentik takes it as answered when it is not ticked",
            "Add an expression policy that returns prompt_data's value of the box",
        )


def _source(raw: Raw, every: list[Raw]) -> Iterator[Problem]:
    proven = any(
        each.kind == EXPRESSION and "email_verified" in str(each.fields.get("expression")) for each in every
    )
    if raw.fields.get("user_matching_mode") == "email_link" and not proven:
        yield Problem(
            raw.at("user_matching_mode"),
            "whoever enters somebody's address there gets their account here: nothing asks whether it is verified",
            "Write identifier, or bind an expression policy on email_verified to the source's flows",
        )
