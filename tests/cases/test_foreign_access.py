"""What somebody changes by hand of who may use an app is seen; ours is repaired, and what is not ours is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.plain import PlainWorld
from tests.operations.client import BenchClient

pytestmark = [pytest.mark.engine, pytest.mark.case("2")]

BINDINGS = "/api/v3/policies/bindings/"
GUESTS = "dash: lets the group guests in (a binding that the stack file does not have"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[BenchClient]:
    app = {"protocol": "proxy", "url": "https://dash.acme.example", "upstream": "http://dash:80"}
    apps = {"dash": {**app, "groups": ["staff"]}}
    with PlainWorld(tmp_path / "world", lambda _: None, memory=True).running() as world:
        jane = {"username": "jane", "name": "Jane", "email": "jane@acme.example"}
        client = BenchClient(
            tmp_path / "project", world, groups=["staff", "guests"], people=[jane], apps=apps
        )
        client.up()
        yield client
        client.end()


def bindings(client: BenchClient) -> dict[str, dict[str, Any]]:
    """The app's bindings, by their groups."""
    return {each["group_obj"]["name"]: each for each in client.all("binding")}


def bind(client: BenchClient, group: str, **more: Any) -> None:
    """Let a group into the app, by hand."""
    body = {"target": client.one("application", "dash")["pk"], "group": client.one("group", group)["pk"]}
    client.api.post(BINDINGS, json={**body, "order": 5, **more}).raise_for_status()


def test_what_is_ours_is_repaired(client: BenchClient) -> None:
    own = bindings(client)["staff"]
    client.api.patch(
        f"{BINDINGS}{own['pk']}/",
        json={**{name: own[name] for name in ("target", "group", "order")}, "enabled": False, "negate": True},
    ).raise_for_status()
    (provider,) = client.api.get("/api/v3/providers/proxy/").raise_for_status().json()["results"]
    opened = {"mode": "proxy", "internal_host": provider["internal_host"], "skip_path_regex": ".*"}
    client.api.patch(f"/api/v3/providers/proxy/{provider['pk']}/", json=opened).raise_for_status()
    client.api.patch("/api/v3/core/applications/dash/", json={"policy_engine_mode": "all"}).raise_for_status()
    role = client.api.post("/api/v3/rbac/roles/", json={"name": "helpers"}).raise_for_status().json()["pk"]
    jane, guests = client.one("user", "jane"), client.one("group", "guests")
    staff = client.one("group", "staff")["pk"]
    client.api.patch(f"/api/v3/core/users/{jane['pk']}/", json={"roles": [role]}).raise_for_status()
    client.api.patch(f"/api/v3/core/groups/{guests['pk']}/", json={"parents": [staff]}).raise_for_status()
    shown = client.project.gatehouse("preview", "acme", "--refresh", GATEHOUSE_PULUMI="")
    assert "roles: −helpers" in shown
    assert "parents: −staff" in shown
    assert "enabled: false → true; negate: true → false" in shown
    assert "skip path regex: .* " in shown
    assert "policy engine mode: all → any" in shown
    client.up()
    repaired = bindings(client)["staff"]
    assert (repaired["pk"], repaired["enabled"], repaired["negate"]) == (own["pk"], True, False)
    assert (client.one("user", "jane")["roles"], client.one("group", "guests")["parents"]) == ([], [])
    client.project.gatehouse("preview", "acme", "--refresh", "--expect-no-changes")


def test_what_is_not_ours_is_named_and_stays_unless_the_operator_agrees(client: BenchClient) -> None:
    bind(client, "guests")
    bind(client, "staff", negate=True, enabled=False)
    shown = client.project.gatehouse("preview", "acme", "--refresh", GATEHOUSE_PULUMI="")
    assert f"{GUESTS})" in shown
    assert "dash: is disabled, and would let everybody who is not in the group staff in" in shown
    assert "~ access" not in shown
    with pytest.raises(AssertionError, match="ended with"):
        client.project.gatehouse("preview", "acme", "--refresh", "--expect-no-changes")
    assert shown.count("lets the group guests in") == 1
    assert f"{GUESTS})" in client.up()
    assert len(client.all("binding")) == 3

    said = client.project.gatehouse("up", "acme", given="y\ny\n")
    assert "Remove what the stack file does not have (dash: is disabled" in said
    assert "removed the binding that" in said
    assert [each["group_obj"]["name"] for each in client.all("binding")] == ["staff"]
    client.project.gatehouse("preview", "acme", "--refresh", "--expect-no-changes")


def test_what_is_not_ours_goes_where_the_file_says_so(client: BenchClient) -> None:
    bind(client, "guests")
    client.edit(foreignAccess="remove")
    assert f"{GUESTS}; it is removed)" in client.project.gatehouse("preview", "acme", "--refresh")
    assert "removed the binding that lets the group guests in" in client.up()
    assert list(bindings(client)) == ["staff"]
    client.project.gatehouse("preview", "acme", "--refresh", "--expect-no-changes")
