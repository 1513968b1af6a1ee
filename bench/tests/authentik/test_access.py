"""Who may use what, and who gets past a stage, as a real 2026.2.2 decided it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bench.authentik.testing import serve
from bench.tests.authentik.browser import PASSWORD, Browser
from bench.tests.authentik.conftest import Client
from bench.tests.authentik.test_login import person

FLOW, MFA = "default-authentication-flow", "default-authentication-mfa-validation"
DENIED = "ak-stage-access-denied"


@pytest.fixture
def fresh() -> Iterator[Client]:
    """An installation of its own: these tests change the login flow."""
    with serve(version="2026.8.3") as running:
        yield Client(running)


def end_of_login(client: Client, username: str) -> Any:
    """The challenge at which a login with the password ends."""
    return Browser(client.running.url, username, PASSWORD).flow(f"/if/flow/{FLOW}/?next=/")


def policy(client: Client, name: str, expression: str) -> str:
    return str(client("POST", "/policies/expression/", 201, name=name, expression=expression)["pk"])


def bind(client: Client, target: str, order: int = 0, **more: Any) -> Any:
    return client("POST", "/policies/bindings/", 201, target=target, order=order, **more)


# Applications -------------------------------------------------------------------------------------------------------


def test_access_is_evaluated_as_recorded(shared: Client) -> None:
    staff = shared("POST", "/core/groups/", 201, name="acc-staff")["pk"]
    child = shared("POST", "/core/groups/", 201, name="acc-nested", parents=[staff])["pk"]
    people = {
        "max": person(shared, "acc-max", groups=[staff]),
        "nina": person(shared, "acc-nina", groups=[child]),
        "otto": person(shared, "acc-otto"),
        "olga": person(shared, "acc-olga", groups=[staff], is_active=False),
    }
    past = policy(shared, "acc-past", "from datetime import date\nreturn date.today() < date(2020, 1, 1)")
    broken = policy(shared, "acc-broken", "return request.user.no_such_attribute")
    member = policy(shared, "acc-member", "return ak_is_group_member(request.user, name='acc-staff')")

    def allowed(slug: str, bindings: list[dict[str, Any]], mode: str = "any") -> set[str]:
        body = {"name": slug, "slug": slug, "policy_engine_mode": mode}
        pk = shared("POST", "/core/applications/", 201, **body)["pk"]
        for order, binding in enumerate(bindings):
            bind(shared, pk, order, **binding)
        path = f"/core/applications/{slug}/check_access/?for_user="
        return {name for name, each in people.items() if shared("GET", f"{path}{each['pk']}", 200)["passing"]}

    inside = {"max", "nina", "olga"}  # whoever is not active is stopped at the login, not here
    assert allowed("acc-free", []) == {*inside, "otto"}
    assert allowed("acc-group", [{"group": staff}]) == inside
    assert allowed("acc-person", [{"user": people["otto"]["pk"]}]) == {"otto"}
    assert allowed("acc-not", [{"group": staff, "negate": True}]) == {"otto"}
    assert allowed("acc-off", [{"group": staff, "enabled": False}]) == {*inside, "otto"}
    assert allowed("acc-all", [{"group": staff}, {"policy": past}], "all") == set()
    assert allowed("acc-any", [{"group": staff}, {"policy": past}]) == inside
    assert allowed("acc-member", [{"policy": member}]) == inside
    assert allowed("acc-broken", [{"policy": broken}]) == set()
    assert allowed("acc-true", [{"policy": broken, "failure_result": True}]) == {*inside, "otto"}
    negated = {"policy": broken, "failure_result": False, "negate": True}
    assert allowed("acc-negated", [negated]) == set(), "negate does not turn a failure round"


def test_what_the_bench_cannot_evaluate_is_refused(shared: Client) -> None:
    pk = shared("POST", "/core/applications/", 201, name="geo", slug="geo")["pk"]
    geo = shared("POST", "/policies/geoip/", 201, name="geo", countries=["DE"])["pk"]
    bind(shared, pk, policy=geo)
    shared("GET", "/core/applications/geo/check_access/", 501)


# Stages -------------------------------------------------------------------------------------------------------------


@pytest.mark.case("mfa")
def test_a_stage_that_denies_lets_nobody_without_a_device_past(fresh: Client) -> None:
    person(fresh, "leo")
    (stage,) = fresh("GET", f"/stages/authenticator/validate/?name={MFA}", 200)["results"]
    path = f"/stages/authenticator/validate/{stage['pk']}/"
    assert end_of_login(fresh, "leo")["component"] == "xak-flow-redirect", "skip is the default"
    fresh("PATCH", path, 200, name=MFA, not_configured_action="deny")
    told = end_of_login(fresh, "leo")
    assert told["component"] == DENIED
    assert told["error_message"] == "No (allowed) MFA authenticator configured."
    assert told["pending_user"] == "leo"
    # Told to have one set up, somebody without a device is asked for that, by the only stage or by choice.
    totp, webauthn = (
        fresh("GET", f"/stages/authenticator/{kind}/", 200)["results"][0] for kind in ("totp", "webauthn")
    )
    configure = {"name": MFA, "not_configured_action": "configure"}
    fresh("PATCH", path, 200, **configure, configuration_stages=[webauthn["pk"]])
    assert end_of_login(fresh, "leo")["component"] == "ak-stage-authenticator-webauthn"
    fresh("PATCH", path, 200, **configure, configuration_stages=[totp["pk"], webauthn["pk"]])
    asked = end_of_login(fresh, "leo")
    assert asked["component"] == "ak-stage-authenticator-validate"
    assert [each["pk"] for each in asked["configuration_stages"]] == [totp["pk"], webauthn["pk"]]
    browser = Browser(fresh.running.url, "leo", PASSWORD)
    browser.answers["ak-stage-authenticator-validate"] = {"selected_stage": totp["pk"]}
    assert browser.flow(f"/if/flow/{FLOW}/?next=/")["component"] == "ak-stage-authenticator-totp"


def test_policies_of_a_stage_count_when_its_turn_comes(fresh: Client) -> None:
    (admins,) = fresh("GET", "/core/groups/?name=authentik%20Admins", 200)["results"]
    person(fresh, "ada", groups=[admins["pk"]])
    person(fresh, "jane")
    stage = fresh("POST", "/stages/deny/", 201, name="closed", deny_message="Not today.")
    flow = fresh.flow(FLOW)
    binding = fresh("POST", "/flows/bindings/", 201, target=flow, stage=stage["pk"], order=25)
    pk = policy(fresh, "is-administrator", "return request.user.is_superuser")
    bound = bind(fresh, binding["pk"], policy=pk)
    told = end_of_login(fresh, "ada")
    assert (told["component"], told["error_message"]) == (DENIED, "Not today.")
    assert end_of_login(fresh, "jane")["component"] == "xak-flow-redirect"
    # On planning nobody has said who they are: the stage is dropped for everybody.
    fresh("PATCH", f"/flows/bindings/{binding['pk']}/", 200, evaluate_on_plan=True)
    assert end_of_login(fresh, "ada")["component"] == "xak-flow-redirect"
    fresh("PATCH", f"/flows/bindings/{binding['pk']}/", 200, evaluate_on_plan=False)
    # A policy that fails counts as its binding says, and the default skips the stage.
    fresh("PATCH", f"/policies/expression/{pk}/", 200, expression='raise Exception("broken")')
    assert end_of_login(fresh, "ada")["component"] == "xak-flow-redirect"
    fresh(
        "PATCH", f"/policies/bindings/{bound['pk']}/", 200,
        target=binding["pk"], policy=pk, order=0, failure_result=True,
    )  # fmt: skip
    assert end_of_login(fresh, "jane")["component"] == DENIED
