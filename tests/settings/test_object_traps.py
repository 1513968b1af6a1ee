"""What raw objects may do that looks like a trap and is none; the traps themselves are in bad/object-traps.yaml."""

from __future__ import annotations

from typing import Any

import pytest

from components.problems import Problems
from components.settings import parse
from tests.settings.files import good, laid_over

MFA = {"target": "default-authentication-flow", "stage": "default-authentication-mfa-validation", "order": 30}


def wrong(*objects: dict[str, Any], **more: Any) -> list[str]:
    """Where something is wrong with these raw objects."""
    try:
        parse(laid_over(good(), {"objects": list(objects), **more}), sealed=True)
    except Problems as error:
        return [each.where.removeprefix("gatehouse:objects") for each in error.problems]
    return []


def raw(kind: str, name: str, **fields: Any) -> dict[str, Any]:
    return {"kind": f"authentik_{kind}", "name": name, "fields": fields}


def test_a_mail_that_confirms_new_accounts() -> None:
    flow = raw("flows.flow", "join", title="Join", designation="enrollment")
    mail = raw("stages_email.emailstage", "mail", use_global_settings=True, activate_user_on_success=True)
    place = raw("flows.flowstagebinding", "p", target="join", stage="mail", order=10)
    assert wrong(flow, mail, place) == []
    assert wrong(mail) == ["[0].fields.activate_user_on_success"]


@pytest.mark.parametrize(
    "target", ["mine", "default-authentication-flow/default-authentication-mfa-validation/30"]
)
def test_conditions_are_found_by_either_name_of_their_place(target: str) -> None:
    condition = raw("policies.policybinding", "p", target=target, group="staff", order=0, failure_result=True)
    late, early = (
        raw("flows.flowstagebinding", "mine", **MFA, evaluate_on_plan=early) for early in (False, True)
    )
    assert wrong(late, condition) == wrong(early) == []
    assert wrong(early, condition) == ["[0].fields.evaluate_on_plan"]


def test_places_where_there_is_a_database() -> None:
    policy = raw("policies_geoip.geoippolicy", "here", countries=["DE"])
    assert wrong(policy) == ["[0].fields.countries"]
    assert wrong(policy, authentik={"version": "2026.8.3", "geoip": True}) == []


def test_a_source_whose_addresses_are_proven() -> None:
    source = raw(
        "sources_oauth.oauthsource", "g", slug="g", provider_type="google", user_matching_mode="email_link"
    )
    proof = raw(
        "policies_expression.expressionpolicy", "proof",
        expression="return bool(request.context.get('oauth_userinfo', {}).get('email_verified'))",
    )  # fmt: skip
    assert wrong(source) == ["[0].fields.user_matching_mode"]
    assert wrong(source, proof) == []
