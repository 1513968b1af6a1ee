"""Everything that is wrong with the declared objects, at once and before anything is contacted."""

from __future__ import annotations

import re
from typing import Any

import pulumi
import pytest

from components.identity.plan import Plan
from components.identity.registration import register
from components.problems import Problems, Weight
from components.release_lines import known_lines, newest_line

PROVIDER = "authentik_providers_oauth2.oauth2provider"
FLOWS = {
    "authorization_flow": "default-provider-authorization-implicit-consent",
    "invalidation_flow": "default-provider-invalidation-flow",
}


def said(plan: Plan) -> list[str]:
    return [str(each) for each in plan.problems() if each.refuses]


def oauth2(plan: Plan, name: str = "grafana", **fields: Any) -> None:
    plan.add(PROVIDER, name, {**FLOWS, "redirect_uris": [], **fields})


def test_a_sound_plan_has_no_findings() -> None:
    plan = Plan("2026.8")
    plan.add("authentik_policies.policybinding", "b", {"target": "grafana", "group": "staff", "order": 0})
    plan.add("authentik_core.application", "grafana", {"name": "Grafana", "provider": "grafana"})
    plan.add("authentik_core.group", "staff", {})
    oauth2(
        plan,
        property_mappings=["goauthentik.io/providers/oauth2/scope-openid"],
        grant_types=["authorization_code"],
    )
    plan.add(
        "authentik_core.user",
        "jane",
        {"name": "Jane", "groups": ["staff"], "password": pulumi.Output.secret("x")},
    )
    plan.add(
        "authentik_policies.policybinding",
        "first-stage",
        {
            "target": "authentik_flows.flowstagebinding:default-authentication-flow/default-authentication-login/100",
            "group": "staff",
            "order": 1,
        },
    )
    assert said(plan) == []


def test_all_findings_come_together() -> None:
    plan = Plan("2026.2")
    oauth2(
        plan,
        grant_types=["authorization_code"],
        cliend_id="x",
        client_type="secret",
        redirect_uris="https://x",
    )
    plan.add("authentik_core.grupp", "staff", {})
    plan.add("authentik_core.objectattribute", "x", {})
    plan.add("authentik_stages_authenticator_totp.totpdevice", "x", {})
    plan.add("authentik_core.application", "grafana", {"provider": 7, "open_in_new_tab": "yes"})
    plan.add("authentik_core.group", "staff", {"users": ["jane"], "parent": "x"})
    plan.add("authentik_policies.policybinding", "nobody", {"target": "grafana", "order": 0})
    where = f"{PROVIDER} 'grafana'"
    assert said(plan) == [
        f"{where}, redirect_uris: is a text. Give it a list",
        (
            f"{where}, grant_types: exists from 2026.5 on, as far as known; this stack runs 2026.2. "
            "Leave it out, or change the version"
        ),
        f"{where}, cliend_id: there is no such field. Write client_id",
        f"{where}, client_type: cannot be 'secret'. Choose one of confidential, public",
        "authentik_core.grupp 'staff': there is no such kind. Write authentik_core.group",
        (
            "authentik_core.objectattribute 'x': authentik 2026.2 has no such kind. It is known in "
            f"{', '.join(known_lines()[known_lines().index('2026.8') :])}; update authentik, or leave it out"
        ),
        (
            "authentik_stages_authenticator_totp.totpdevice 'x': this kind is not configuration: people enrol devices "
            "themselves. Leave it out"
        ),
        (
            "authentik_core.application 'grafana', provider: refers to 7. "
            "Refer to objects by name (a slug, a name), not by pk"
        ),
        "authentik_core.application 'grafana', open_in_new_tab: is a text. Give it true or false",
        "authentik_core.application 'grafana': name is missing. Give it a text",
        (
            "authentik_core.group 'staff', users: this relation is declared from its other side. Declare the groups of "
            "each user instead"
        ),
        (
            "authentik_core.group 'staff', parent: exists up to 2025.10, as far as known; this stack runs 2026.2. "
            "Leave it out, or change the version"
        ),
        (
            "authentik_policies.policybinding 'nobody': policy or group or user is missing. "
            "It is part of what identifies the object"
        ),
    ]


def test_nested_objects_and_limits_are_checked() -> None:
    plan = Plan("2026.8")
    oauth2(plan, redirect_uris=[{"matching_mode": "prefix", "urll": "x"}], client_id="x" * 300)
    plan.add("authentik_policies.policybinding", "b", {"target": "grafana", "group": "staff", "order": 2**40})
    where = f"{PROVIDER} 'grafana', redirect_uris[0]"
    assert said(plan) == [
        f"{where}.matching_mode: cannot be 'prefix'. Choose one of strict, regex",
        f"{where}.urll: there is no such field. Write url",
        f"{where}: url is missing. Give it a text",
        f"{PROVIDER} 'grafana', client_id: has 300 characters. Use at most 255",
        (
            "authentik_policies.policybinding 'b', order: 1099511627776 is out of range. Stay between -2147483648 and "
            "2147483647"
        ),
    ]


def test_names_are_unique_where_authentik_has_one_name_space() -> None:
    plan = Plan("2026.8")
    oauth2(plan, "same")
    plan.add(
        "authentik_providers_proxy.proxyprovider",
        "same",
        {**FLOWS, "mode": "forward_single", "external_host": "https://x.acme.example"},
    )
    plan.add("authentik_core.group", "same", {})
    plan.add("authentik_core.group", "other", {}, logical_name="same")
    [first, second] = said(plan)
    assert first.startswith("authentik_providers_proxy.proxyprovider 'same': 'same' is declared twice")
    assert second.startswith("authentik_core.group 'other': the logical name 'same' is used twice")


def test_circles_are_named() -> None:
    plan = Plan("2026.8")
    plan.add("authentik_core.group", "a", {"parents": ["b"]})
    plan.add("authentik_core.group", "b", {"parents": ["a"]})
    [finding] = said(plan)
    assert "refer to each other in a circle" in finding
    assert "'a'" in finding
    assert "'b'" in finding


def test_unknown_names_are_warnings_with_the_nearest() -> None:
    plan = Plan("2026.8")
    plan.add("authentik_core.group", "engineering", {})
    plan.add("authentik_core.user", "jane", {"name": "Jane", "groups": ["enginering"]})
    [warning] = plan.problems()
    assert warning.weight is Weight.WARNING
    assert "'enginering' is neither declared here nor a default object" in warning.what
    assert warning.remedy == "Write engineering, if that is meant"


def test_adopting_needs_only_what_identifies_the_object() -> None:
    plan = Plan("2026.8")
    plan.add("authentik_flows.flow", "default-authentication-flow", {"title": "Welcome"}, adopt=True)
    plan.add("authentik_flows.flowstagebinding", "x", {"order": 10}, adopt=True)
    assert said(plan) == [
        "authentik_flows.flowstagebinding 'x': target is missing. It is part of what identifies the object",
        "authentik_flows.flowstagebinding 'x': stage is missing. It is part of what identifies the object",
    ]


def test_a_newer_line_is_said_to_be_unknown() -> None:
    newest = re.escape(newest_line())
    with pytest.raises(
        Problems, match=rf"authentik 2099\.1: this gatehouse knows .*nothing newer than {newest}\."
    ):
        Plan("2099.1")


class Recorder(pulumi.runtime.Mocks):
    def __init__(self) -> None:
        self.made: list[pulumi.runtime.MockResourceArgs] = []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[Any, Any]]:
        self.made.append(args)
        return f"{args.name}-id", args.inputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        return {}, None


def test_registering_in_an_order_that_works() -> None:
    recorder = Recorder()
    pulumi.runtime.set_mocks(recorder, project="gatehouse", stack="acme", preview=True)

    @pulumi.runtime.test
    def program() -> None:
        provider = pulumi.ProviderResource(
            "pulumi-python", "authentik", {"gatehouse:address": "http://127.0.0.1:9"}
        )
        plan = Plan("2026.8")
        plan.add("authentik_policies.policybinding", "b", {"target": "grafana", "group": "staff", "order": 0})
        plan.add(
            "authentik_core.application",
            "grafana",
            {"name": "G", "provider": "grafana"},
            logical_name="app-1",
        )
        plan.add("authentik_core.group", "staff", {})
        oauth2(plan, client_secret="derived")
        made = register(plan.resolve(), provider)
        assert set(made) == {
            ("authentik_policies.policybinding", "b"),
            ("authentik_core.application", "grafana"),
            ("authentik_core.group", "staff"),
            (PROVIDER, "grafana"),
            ("gatehouse.access", "grafana"),
        }

    program()
    made = {args.typ.removeprefix("pulumi-python:dynamic/"): args for args in recorder.made}
    order = list(made)
    binding = made["authentik_policies:policybinding"]
    assert order.index("authentik_core:application") < order.index("authentik_policies:policybinding")
    assert order[-1] == "gatehouse:access"
    access = made["gatehouse:access"].inputs
    assert (access["application"], access["provider"], access["bindings"]) == (
        "grafana",
        "grafana",
        ["group staff"],
    )
    assert "provider" not in made["authentik_core:application"].inputs
    assert binding.inputs["target"] == "authentik_core.application:grafana"
    assert made["authentik_core:application"].name == "app-1"
    assert made["authentik_core:application"].inputs["gatehouse"] == {
        "kind": "authentik_core.application",
        "logical": "app-1",
        "elsewhere": ["backchannel_providers", "policy_engine_mode", "provider"],
    }


def test_nothing_is_registered_when_something_is_wrong() -> None:
    plan = Plan("2026.8")
    plan.add("authentik_core.group", "a", {"nope": 1})
    plan.add("authentik_core.group", "b", {"neither": 1})
    with pytest.raises(Problems, match="2 mistakes") as caught:
        register(plan.resolve(), pulumi.ProviderResource.__new__(pulumi.ProviderResource))
    assert len(caught.value.problems) == 2


def test_a_null_that_the_engine_drops_is_warned_of() -> None:
    plan = Plan("2026.8")
    plan.add("authentik_core.group", "staff", {"attributes": {"keep": [None], "deep": [{"gone": None}]}})
    plan.add("authentik_core.group", "board", {"attributes": {"keep": [None]}, "is_superuser": None})
    assert said(plan) == []
    [warning] = map(str, plan.problems())
    assert warning.startswith("authentik_core.group 'staff', attributes: a null in it gets lost")


BINDING, APP = "authentik_policies.policybinding", "authentik_core.application"
SOURCE, GROUP = "authentik_sources_plex.plexsource", "authentik_core.group"


def small(*specs: tuple[str, str, dict[str, Any]]) -> Plan:
    plan = Plan("2026.8")
    for kind, name, fields in specs:
        plan.add(kind, name, fields)
    return plan


def test_a_name_that_may_mean_two_objects_has_to_say_which() -> None:
    things: list[tuple[str, str, dict[str, Any]]] = [
        (APP, "media", {"name": "Media"}),
        (SOURCE, "media", {"name": "Media", "client_id": "x", "plex_token": "y"}),
        (GROUP, "staff", {}),
    ]
    binding = {"group": "staff", "order": 0}
    assert said(small(*things, (BINDING, "b", {**binding, "target": "media"}))) == [
        f"{BINDING} 'b', target: 'media' may mean 2 of the declared objects. Write {APP}:media or {SOURCE}:media"
    ]
    assert said(small(*things, (BINDING, "b", {**binding, "target": f"{SOURCE}:media"}))) == []


def test_a_kind_that_a_field_cannot_name_is_said() -> None:
    plan = small(
        (GROUP, "staff", {}), (BINDING, "b", {"target": f"{GROUP}:staff", "group": "staff", "order": 0})
    )
    (finding,) = said(plan)
    assert finding.startswith(
        f"{BINDING} 'b', target: it cannot name objects of the kind {GROUP}. It may name "
    )
    plan = small((GROUP, "staff", {}), (APP, "a", {"name": "A"}))
    plan.add("authentik_core.user", "jane", {"name": "Jane", "groups": [f"{GROUP}:staff"]})
    assert (
        f"authentik_core.user 'jane', groups: '{GROUP}:staff' names its kind, which is plain here. Write staff"
        in (said(plan))
    )


def test_keys_are_compared_as_authentik_will_have_them() -> None:
    (finding,) = said(small((GROUP, "staff", {}), (GROUP, "other", {"name": " staff "})))
    assert "'staff' is declared twice" in finding
    app, group = (APP, "a", {"name": "A"}), (GROUP, "staff", {})
    twins = [
        (BINDING, name, {"target": target, "group": "staff", "order": 0})
        for name, target in (("one", "a"), ("two", f"{APP}:a"))
    ]
    (finding,) = said(small(app, group, *twins))
    assert finding.startswith(f"{BINDING} 'two': '{APP}:a/group:staff' is declared twice")


def test_two_clients_with_one_id_are_refused() -> None:
    fields = {
        "authorization_flow": "default-provider-authorization-implicit-consent",
        "invalidation_flow": "default-provider-invalidation-flow",
        "redirect_uris": [],
        "client_id": "same",
    }
    (finding,) = said(small((PROVIDER, "one", fields), (PROVIDER, "two", fields)))
    assert finding == (
        f"{PROVIDER} 'two': 'same' belongs to {PROVIDER} 'one' already. "
        "It can belong to one only; leave it out of the other"
    )


def test_a_misspelt_unit_of_time_is_warned_of() -> None:
    plan = small(
        ("authentik_stages_user_login.userloginstage", "login", {"session_duration": "hours=1;minuts=5"})
    )
    assert said(plan) == []
    [warning] = map(str, plan.problems())
    assert "session_duration: authentik skips the unit 'minuts' without a word" in warning
