"""What somebody made by hand in authentik is refused, left alone, and only taken over where the stack file says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bench.plain import PlainWorld
from tests.operations.client import BenchClient

pytestmark = pytest.mark.engine

JANE = {"username": "jane", "name": "Jane Doe", "email": "jane@acme.example", "groups": ["staff"]}
GRAFANA = {"preset": "grafana", "url": "https://grafana.acme.example", "groups": ["staff"]}
PASSWORD = "what-Jane-chose-herself-42"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, world: PlainWorld) -> Iterator[BenchClient]:
    client = BenchClient(
        tmp_path_factory.mktemp("twins") / "project", world,
        groups=["staff"], people=[JANE], apps={"grafana": GRAFANA},
    )  # fmt: skip
    yield client
    client.end()


@pytest.fixture(scope="module")
def by_hand(client: BenchClient) -> dict[str, Any]:
    """What the stack file declares, made by a run that then forgot it, and changed a little since."""
    client.up()
    client.project.pulumi("stack", "rm", "--force", "--yes", "--preserve-config", "acme")
    client.project.pulumi("stack", "init", "acme")
    user = client.one("user", "jane")["pk"]
    for method, path, body in (
        ("POST", f"core/users/{user}/set_password/", {"password": PASSWORD}),
        ("PATCH", f"core/users/{user}/", {"attributes": {"desk": 7}}),
        ("PATCH", "core/applications/grafana/", {"meta_publisher": "by hand"}),
    ):
        client.api.request(method, f"/api/v3/{path}", json=body).raise_for_status()
    return held(client)


def held(client: BenchClient) -> dict[str, Any]:
    """Everything in authentik that could be touched, hidden fields and all."""
    state = client.api.get("/_bench/state").json()
    kinds = (
        "/core/groups/",
        "/core/users/",
        "/providers/oauth2/",
        "/core/applications/",
        "/policies/bindings/",
    )
    return {kind: state.get(kind) for kind in kinds}


def test_identical_objects_are_refused_by_name(client: BenchClient, by_hand: dict[str, Any]) -> None:
    said = client.up(check=False)
    assert "group 'staff' is there already" in said
    assert "'grafana' is there already" in said
    assert "and this resource did not make it; it is left as it is" in said
    assert f"authentik at {client.world.issuer}" in said
    assert "take over what is there with `adopt: true`" in said
    assert "Traceback" not in said
    assert held(client) == by_hand


def test_they_are_there_after_destroy(client: BenchClient, by_hand: dict[str, Any]) -> None:
    client.project.gatehouse("destroy", "acme", "--confirm", "acme")
    assert held(client) == by_hand


def test_they_are_taken_over_where_it_is_said_and_given_back(
    client: BenchClient, by_hand: dict[str, Any]
) -> None:
    client.edit(
        groups=[{"name": "staff", "adopt": True, "superuser": True}],
        people=[{**JANE, "adopt": True, "name": "Jane D."}],
        apps={"grafana": {**GRAFANA, "adopt": True, "name": "Dashboards"}},
    )
    assert "staff: takes over group 'staff', if it is there" in client.project.gatehouse("preview", "acme")
    assert "staff: took over group 'staff' (pk " in client.up()
    now = held(client)
    assert {kind: sorted(each) for kind, each in now.items()} == {
        kind: sorted(each) for kind, each in by_hand.items()
    }
    assert client.one("group", "staff")["is_superuser"] is True
    assert client.one("application", "grafana")["name"] == "Dashboards"
    assert client.one("application", "grafana")["meta_publisher"] == "by hand"
    user = client.one("user", "jane")
    assert (user["name"], user["attributes"]) == ("Jane D.", {"desk": 7})
    assert not client.can_log_in("jane")  # she keeps the password that she chose
    assert "No change." in client.up()
    apps = client.settings["apps"]
    client.edit(apps={})
    said = client.project.gatehouse("preview", "acme")
    assert "Shown as deleted, but only given back" in said
    assert "application grafana" in said
    assert "group " not in said.partition("Shown as deleted")[2]
    client.edit(apps=apps)

    client.project.gatehouse("destroy", "acme", "--confirm", "acme")
    assert steady(held(client)) == steady(by_hand)


def steady(objects: dict[str, Any]) -> dict[str, Any]:
    """Without what the server writes whenever it writes."""
    return {
        kind: {
            pk: {name: value for name, value in each.items() if "updated" not in name}
            for pk, each in of_kind.items()
        }
        for kind, of_kind in objects.items()
    }
