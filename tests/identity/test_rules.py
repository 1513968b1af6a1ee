"""Rules between fields: what a plan finds is what authentik refuses, and nothing else."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from bench.authentik.testing import Running
from components.identity import catalog
from components.identity.dialect import Authentik
from components.identity.kinds import ReleaseLine
from components.identity.rules import rule_problems
from components.identity.specs import ObjectSpec
from components.objects.errors import ObjectError
from components.objects.reconcile import DesiredObject, Reconciler
from tests.identity.samples import Samples

FLOWS = {
    "authorization_flow": "default-provider-authorization-implicit-consent",
    "invalidation_flow": "default-provider-invalidation-flow",
}
PROXY = {"name": "x", "external_host": "https://x.acme.example", **FLOWS}
SAML = {"name": "x", "acs_url": "https://x.acme.example", **FLOWS}
KUBERNETES = "authentik_outposts.kubernetesserviceconnection"
BROKEN: list[tuple[str, dict[str, Any], str]] = [
    (
        "authentik_events.notificationtransport",
        {"name": "x", "mode": "webhook"},
        "webhook_url is missing where mode is webhook or webhook_slack",
    ),
    ("authentik_providers_proxy.proxyprovider", PROXY, "internal_host is missing where mode is proxy"),
    (
        "authentik_providers_proxy.proxyprovider",
        {**PROXY, "mode": "forward_single", "basic_auth_enabled": True},
        "basic_auth_user_attribute is missing where basic_auth_enabled is true",
    ),
    (
        "authentik_flows.flowstagebinding",
        {
            "target": "default-user-settings-flow", "stage": "default-authentication-login", "order": 90,
            "re_evaluate_policies": False, "evaluate_on_plan": False,
        },
        "evaluate_on_plan or re_evaluate_policies must be true",
    ),
    (
        "authentik_policies_reputation.reputationpolicy",
        {"name": "x", "check_ip": False, "check_username": False},
        "check_ip or check_username must be true",
    ),
    (
        "authentik_providers_saml.samlprovider",
        {
            **SAML, "signing_kp": "authentik Self-signed Certificate", "sign_assertion": False,
            "sign_response": False,
        },
        "sign_assertion or sign_response must be true, since signing_kp is set",
    ),
    (
        "authentik_stages_identification.identificationstage",
        {"name": "x"},
        "user_fields or sources is missing",
    ),
    ("authentik_blueprints.blueprintinstance", {"name": "x"}, "path or content is missing"),
    (
        "authentik_policies_event_matcher.eventmatcherpolicy",
        {"name": "x"},
        "action or client_ip or app or model is missing",
    ),
    (
        "authentik_stages_authenticator_validate.authenticatorvalidatestage",
        {"name": "x", "not_configured_action": "configure"},
        "configuration_stages is missing where not_configured_action is configure",
    ),
    (
        "authentik_stages_redirect.redirectstage",
        {"name": "x", "mode": "static"},
        "target_static is missing where mode is static",
    ),
    (
        "authentik_outposts.outpost",
        {"name": "x", "type": "proxy", "providers": [], "config": {}},
        "providers is missing",
    ),
    ("authentik_core.application", {"name": "x", "slug": "token"}, "cannot be any of authorize, token"),
    (
        "authentik_providers_oauth2.scopemapping",
        {"name": "x", "scope_name": "two words", "expression": "return {}"},
        "must not contain blanks",
    ),
    (
        "authentik_policies.policybinding",
        {
            "target": "authentik_flows.flow:default-user-settings-flow", "group": "authentik Admins",
            "user": "akadmin", "order": 0,
        },
        "group and user exclude each other",
    ),
    (KUBERNETES, {"name": "x", "local": True}, "kubeconfig is missing. Give it a value; an empty one ({}) will do"),
    (
        KUBERNETES,
        {"name": "x", "local": False, "kubeconfig": {}},
        "kubeconfig is empty, which it may be only where local is true",
    ),
    (
        KUBERNETES,
        {"name": "x", "local": False, "kubeconfig": {"clusters": []}},
        "has no current context with its cluster and user",
    ),
    (
        "authentik_core.token",
        {"identifier": "x", "intent": "api", "expires": "2031-01-01T00:00:00Z"},
        "expires: is set by authentik itself where intent is api. Leave it out",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "fields", "said"), BROKEN, ids=[said for *_, said in BROKEN])
def test_what_is_found_is_what_authentik_refuses(
    server: Running, kind: str, fields: dict[str, Any], said: str
) -> None:
    line = ReleaseLine("2026.8")
    [first, *_] = rule_problems(line, ObjectSpec(kind, "x", fields))
    assert said in str(first)
    with pytest.raises(ObjectError, match=r"HTTP 400|without a word|keeps"):
        Reconciler(Authentik(server.url, server.token, None, line)).create(DesiredObject(kind, "x", fields))


@pytest.mark.parametrize("line", catalog.lines())
def test_what_authentik_takes_is_not_found(line: str) -> None:
    known = ReleaseLine(line)
    samples = Samples(known, lambda _label, _fields: None)
    for label in known.declarable():
        for variant, least in ((0, False), (1, False), (0, True)):
            spec = ObjectSpec(label, "x", samples.fields(label, variant, least=least))
            assert list(rule_problems(known, spec)) == [], label


def test_what_is_known_only_later_is_not_judged() -> None:
    fields = {"name": "x", "scope_name": pulumi.Output.from_input("one two"), "expression": "return {}"}
    kind = "authentik_providers_oauth2.scopemapping"
    assert list(rule_problems(ReleaseLine("2026.8"), ObjectSpec(kind, "x", fields))) == []


def test_a_value_is_judged_also_where_the_object_is_taken_over() -> None:
    line, fields = (
        ReleaseLine("2026.8"),
        {"identifier": "x", "intent": "api", "expires": "2031-01-01T00:00:00Z"},
    )
    assert len(list(rule_problems(line, ObjectSpec("authentik_core.token", "x", fields, adopt=True)))) == 1
    taken = ObjectSpec("authentik_policies_reputation.reputationpolicy", "x", {"check_ip": False}, adopt=True)
    assert list(rule_problems(line, taken)) == [], "what it has besides is not known"
