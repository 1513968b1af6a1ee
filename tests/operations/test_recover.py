"""A client whose state is lost is taken in again from what there is of it outside; nothing outside is changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.clouds.serving import Clouds
from bench.clouds.testing import client_of
from bench.plain import PlainWorld
from bench.project import Project
from components.memory import CLIENT
from tests.operations.client import BenchClient
from tests.operations.test_server import KINDS, clouds, made, project

__all__ = ["clouds", "project"]  # fixtures
pytestmark = [pytest.mark.engine, pytest.mark.case("12")]

SETTINGS: dict[str, Any] = {
    "groups": ["staff"],
    "people": [{"username": "jane", "name": "Jane", "email": "jane@acme.example", "groups": ["staff"]}],
    "apps": {
        "grafana": {"preset": "grafana", "url": "https://grafana.acme.example", "groups": ["staff"]},
        "files": {"preset": "nextcloud", "url": "https://files.acme.example", "groups": ["staff"]},
    },
}


@pytest.fixture
def client(tmp_path: Path, world: PlainWorld) -> Iterator[BenchClient]:
    found = BenchClient(tmp_path / "project", world, **SETTINGS)
    yield found
    found.edit(groups=[], people=[], apps={}, objects=[])
    found.pulumi("destroy", check=False)
    for kind in ("application", "provider", "user", "group"):
        path = {"application": "core/applications", "provider": "providers/oauth2", "user": "core/users",
                "group": "core/groups"}[kind]  # fmt: skip
        for each in found.all(kind):
            found.api.delete(f"/api/v3/{path}/{each['slug' if kind == 'application' else 'pk']}/")
    found.end()


def lose_state(project: Project) -> dict[str, str]:
    """Delete the state; the ids that it had, by URN."""
    ids = {each["urn"]: each["id"] for each in project.state("acme")["resources"] if each.get("id")}
    shutil.rmtree(project.folder / ".gatehouse/state/.pulumi")
    return {urn: id_ for urn, id_ in ids.items() if "pulumi:providers" not in urn}


def ids(project: Project) -> dict[str, str]:
    """The ids of what the state has, by URN, without providers, whose ids are made up."""
    return {
        each["urn"]: each["id"]
        for each in project.state("acme").get("resources", [])
        if each.get("id") and "pulumi:providers" not in each["urn"]
    }


def memory(project: Project) -> list[Any]:
    """What the state remembers of the client."""
    return [
        each["outputs"]["memory"] for each in project.state("acme")["resources"] if each["type"] == CLIENT
    ]


def writes(client: BenchClient) -> list[str]:
    """What was written to authentik since this was last asked."""
    return [
        f"{each['method']} {each['path']}"
        for each in client.api.delete("/_bench/journal").raise_for_status().json()
        if each["method"] != "GET" and each["path"].startswith("/api/")
    ]


def test_a_client_without_a_box_is_taken_in_as_it_was(client: BenchClient) -> None:
    client.up()
    outputs = client.project.gatehouse("outputs", "acme", "--show-secrets", "--json")
    remembered = memory(client.project)
    before = lose_state(client.project)
    writes(client)
    said = client.project.gatehouse("recover", "acme", "--yes")
    assert (
        "has this client's client id" in said and "known by its name alone" in said and "missing" not in said
    )
    assert ids(client.project) == before and memory(client.project) == remembered != []
    assert client.project.gatehouse("outputs", "acme", "--show-secrets", "--json") == outputs
    client.project.gatehouse("preview", "acme", "--expect-no-changes")
    client.project.gatehouse("preview", "acme", "--refresh", "--expect-no-changes")
    assert "No change." in client.up()
    assert writes(client) == []
    assert client.can_log_in("jane")
    state = client.stored.read_text()
    for name in ("app/grafana/client-secret", "person/jane/password"):
        assert client.secrets.value(name) not in state
    assert client.root not in state
    # … and from now on it is held as ever: what it made goes with it.
    client.project.gatehouse("destroy", "acme", "--confirm", "acme")
    assert not [kind for kind in ("application", "provider", "user", "group", "binding") if client.all(kind)]


def test_what_is_missing_is_said_and_made_by_the_next_up(client: BenchClient) -> None:
    client.up()
    before = lose_state(client.project)
    client.api.delete("/api/v3/core/applications/files/").raise_for_status()
    client.api.patch(
        f"/api/v3/core/groups/{client.one('group', 'staff')['pk']}/", json={"attributes": {"a": 1}}
    )
    client.api.patch(f"/api/v3/core/users/{client.one('user', 'jane')['pk']}/", json={"name": "Janet"})
    said = client.project.gatehouse("recover", "acme", "--yes")
    lines = {line.split("authentik")[0].strip(): line for line in said.splitlines() if "authentik" in line}
    assert "missing" in lines["application files"]
    assert "not as the stack file says: name" in lines["user jane"]
    kept = ids(client.project)
    assert kept.items() < before.items()
    client.up()
    assert (
        client.names("application") == ["files", "grafana"] and client.one("user", "jane")["name"] == "Jane"
    )
    client.project.gatehouse("preview", "acme", "--expect-no-changes")


def test_another_ones_objects_are_left_alone(client: BenchClient) -> None:
    client.up()
    lose_state(client.project)
    provider = client.one("provider", "grafana")
    client.api.patch(
        f"/api/v3/providers/oauth2/{provider['pk']}/", json={"client_id": "another"}
    ).raise_for_status()
    said = client.project.gatehouse("recover", "acme", "--yes")
    (line,) = [line for line in said.splitlines() if "OAuth2 provider grafana" in line]
    assert "doubtful" in line and "another client id" in line
    # Nor what leads to it: the application, and who may use it.
    assert not [urn for urn in ids(client.project) if "::grafana" in urn]
    assert client.one("provider", "grafana")["client_id"] == "another"
    assert "is there already" in client.up(check=False)
    assert client.one("provider", "grafana")["client_id"] == "another"


def test_what_was_adopted_is_taken_over_again_and_stays_at_destroy(client: BenchClient) -> None:
    client.edit(groups=[{"name": "staff", "adopt": True}])
    client.up()
    lose_state(client.project)
    said = client.project.gatehouse("recover", "acme", "--yes")
    (line,) = [line for line in said.splitlines() if "the next `up` takes over what is there" in line]
    assert "taken over next" in line and "missing" not in said
    writes(client)
    client.up()
    assert writes(client) == []
    client.project.gatehouse("preview", "acme", "--expect-no-changes")
    client.project.gatehouse("destroy", "acme", "--confirm", "acme")
    assert client.names("group") == ["staff"] and not client.all("application")


def test_nothing_is_kept_without_a_yes_or_where_nothing_is_found(client: BenchClient) -> None:
    said = client.project.gatehouse("recover", "acme", "--yes", check=False)
    assert "Nothing of acme was found" in said and "./gatehouse up acme" in said
    client.up()
    lose_state(client.project)
    said = client.project.gatehouse("recover", "acme", check=False)  # nobody there to say yes
    assert "Aborted" in said
    assert ids(client.project) == {}
    client.project.gatehouse("recover", "acme", "--yes")


def test_a_server_and_all_that_hangs_on_it(project: Project, clouds: Clouds) -> None:
    project.gatehouse("up", "acme", "--yes")
    before, state = made(clouds), lose_state(project)
    stray = client_of(clouds).volumes.create(
        size=10, name="old-data", location=client_of(clouds).locations.get_by_name("nbg1"),
        labels={"gatehouse": "acme"},
    ).volume  # fmt: skip
    foreign = client_of(clouds).volumes.create(
        size=10, name="theirs", location=client_of(clouds).locations.get_by_name("nbg1")
    ).volume  # fmt: skip
    commands = len(clouds.project.all("actions"))
    for command in ("preview", "up"):
        refused = project.gatehouse(command, "acme", *(["--yes"] if command == "up" else []), check=False)
        assert "./gatehouse recover acme" in refused
    said = project.gatehouse("recover", "acme", "--yes")
    assert "volume old-data" in said and "the stack file does not want it" in said and "theirs" not in said
    assert ids(project) == state
    assert len(clouds.project.all("actions")) == commands
    stray.delete()
    foreign.delete()
    project.gatehouse("preview", "acme", "--expect-no-changes")
    project.gatehouse("preview", "acme", "--refresh", "--expect-no-changes")
    assert "No change." in project.gatehouse("up", "acme", "--yes")
    assert made(clouds) == before
    urns = [each["urn"] for each in json.loads(json.dumps(project.state("acme")["resources"]))]
    assert len(urns) == len(set(urns))
    project.gatehouse("destroy", "acme", "--confirm", "acme")
    assert made(clouds) == {kind: [] for kind in KINDS}
