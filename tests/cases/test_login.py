"""How people log in, as `gatehouse:login` says it, on authentik."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bench.plain import PlainWorld
from bench.tests.authentik.browser import Browser
from tests.operations.client import BenchClient

pytestmark = pytest.mark.engine

PEOPLE = [
    {"username": name, "name": name.title(), "email": f"{name}@acme.example", "groups": groups}
    for name, groups in (("jane", ["staff"]), ("max", ["staff", "infra"]))
]
PAGE = "/if/flow/default-authentication-flow/?"
SECOND_FACTOR = "ak-stage-authenticator-validate"
UNTIL = "2099-01-01T00:00:00+00:00"


class People(BenchClient):
    """A client with jane and max, neither of whom has a second factor."""

    def logs_in(self, username: str) -> tuple[str, bool]:
        """What stands at the end of a login with the right password, and whether the person is in."""
        browser = Browser(self.world.issuer, username, self.secrets.value(f"person/{username}/password"))
        end = browser.flow(PAGE)["component"]
        return str(end), browser.http.get("/api/v3/core/users/me/").status_code == 200

    def quiet(self) -> None:
        self.pulumi("preview", "--refresh", "--expect-no-changes")

    def held(self, path: str, **wanted: str) -> dict[str, Any]:
        """The one object of authentik's."""
        (found,) = self.api.get(f"/api/v3/{path}/", params=wanted).raise_for_status().json()["results"]
        return dict(found)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    folder = tmp_path_factory.mktemp("login")
    with PlainWorld(folder / "world", lambda _: None, memory=True).running() as world:
        client = People(folder / "project", world, groups=["staff", "infra"], people=PEOPLE)
        yield client
        client.end()


@pytest.mark.case("mfa")
def test_a_second_factor_for_everybody_and_for_some(client: People) -> None:
    client.edit(login={"mfa": "required"})
    client.up()
    assert client.logs_in("jane") == client.logs_in("max") == (SECOND_FACTOR, False)
    client.quiet()
    client.edit(login={"mfa": {"requiredFor": ["infra"], "withoutDevice": "deny"}})
    assert "cannot log in any more" in client.up()
    assert client.logs_in("jane") == ("xak-flow-redirect", True)
    assert client.logs_in("max") == ("ak-stage-access-denied", False)
    client.quiet()


@pytest.mark.case("recovery", "invite")
def test_forgotten_passwords_and_invitations(client: People) -> None:
    client.edit(login={"recovery": True, "invitations": {"spring": {"group": "infra", "expires": UNTIL}}})
    client.up()
    client.quiet()
    flow = client.held("flows/instances", slug="gatehouse-recovery")
    assert client.held("core/brands", domain="authentik-default")["flow_recovery"] == flow["pk"]
    page = {"name": "default-authentication-identification"}
    assert client.held("stages/identification", **page)["recovery_flow"] == flow["pk"]
    assert client.held("stages/email", name="gatehouse-recovery-email")["activate_user_on_success"] is False
    asked = Browser(client.world.issuer).flow("/if/flow/gatehouse-recovery/?")
    assert asked["component"] == "ak-stage-email", "the same for somebody who is not known"
    invitation = client.held("stages/invitation/invitations", name="spring")
    written = client.held("stages/user_write", name="gatehouse-join-spring-write")
    assert written["create_users_group"] == client.held("core/groups", name="infra")["pk"]
    links = json.loads(client.pulumi("stack", "output", "invitations", "--show-secrets"))
    assert links == {
        "spring": f"{client.world.issuer}/if/flow/gatehouse-join-spring/?itoken={invitation['pk']}"
    }
    assert invitation["pk"] not in client.pulumi("stack", "output", "invitations")


def test_without_them_authentik_is_as_it_was(client: People) -> None:
    client.edit(login={})
    client.up()
    usual = client.held("stages/authenticator/validate", name="default-authentication-mfa-validation")
    assert (usual["not_configured_action"], usual["configuration_stages"]) == ("skip", [])
    assert client.held("core/brands", domain="authentik-default")["flow_recovery"] is None
    assert (
        client.api.get("/api/v3/flows/instances/", params={"slug": "gatehouse-recovery"}).json()["results"]
        == []
    )
    assert client.logs_in("max") == ("xak-flow-redirect", True)
    client.quiet()
