"""A run that is killed while Hetzner makes the server, and a server that somebody deleted by hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.clouds.serving import Clouds
from bench.clouds.testing import client_of, make
from bench.project import Project
from components.secrets import new_root_secret
from tests.host.mocks import KEY
from tests.operations.client import kill, wait_for

pytestmark = pytest.mark.engine

KINDS = ("ssh_keys", "firewalls", "primary_ips", "volumes", "servers")


@pytest.fixture
def clouds(tmp_path: Path) -> Iterator[Clouds]:
    with make(tmp_path / "clouds", action_seconds=0.05).running() as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, clouds: Clouds) -> Project:
    environment = {
        "HCLOUD_ENDPOINT": clouds.hetzner_endpoint,
        "HCLOUD_TOKEN": clouds.tokens.hetzner,
        "CLOUDFLARE_BASE_URL": clouds.cloudflare_base_url,
        "CLOUDFLARE_API_TOKEN": clouds.tokens.cloudflare,
    }
    made = Project(tmp_path / "project", environment)
    shutil.copy(Path(__file__).with_name("box_program.py"), made.folder / "__main__.py")
    settings: dict[str, Any] = {
        "client": "acme", "domain": "demo.example", "protect": False,
        "server": {"type": "cx23", "location": "nbg1", "image": "debian-12"},
        "operators": [{"name": "sam", "email": "sam@agency.example", "sshKey": KEY}],
        "authentik": {"version": "2026.8.3"}, "network": {"ipv6": False},
    }  # fmt: skip
    made.stack("acme", settings, {"rootSecret": new_root_secret()})
    return made


def made(clouds: Clouds) -> dict[str, list[str]]:
    """The ids of what there is at Hetzner."""
    return {kind: sorted(clouds.project.all(kind)) for kind in KINDS}


def test_a_server_that_a_killed_run_had_ordered_is_found_again(project: Project, clouds: Clouds) -> None:
    clouds.project.seconds = 6.0  # so that Hetzner still makes the server when the next run asks for it
    run = project.start("up", "acme", "--yes")
    try:
        wait_for(
            lambda: bool(clouds.project.all("servers")) or run.poll() is not None, "a server to be ordered"
        )
        assert run.poll() is None
    finally:
        kill(run)
    clouds.project.seconds = 0.05
    before = made(clouds)
    plain = project.pulumi("up", "--yes", "--skip-preview", "--stack", "acme", check=False)
    assert "pulumi cancel" in plain

    said = project.gatehouse("up", "acme", "--yes")
    assert "Server server: had been made by the interrupted run; taken into the state" in said
    after = made(clouds)
    assert {kind: len(ids) for kind, ids in after.items()} == dict.fromkeys(KINDS, 1)
    assert {kind: ids for kind, ids in before.items() if ids} == {
        kind: after[kind] for kind, ids in before.items() if ids
    }
    assert client_of(clouds).servers.get_by_name("gatehouse-acme").status == "running"
    commands = {action["command"] for action in clouds.project.all("actions").values()}
    assert "create_server" in commands
    assert commands.isdisjoint({"stop_server", "shutdown_server"}), "its power was cut while it first booted"
    assert "No change." in project.gatehouse("up", "acme", "--yes")
    project.gatehouse("preview", "acme", "--refresh", "--expect-no-changes")

    # Somebody deletes the server at Hetzner: it is made again, with the addresses and the volume that it had.
    hetzner = client_of(clouds)
    hetzner.servers.get_by_name("gatehouse-acme").delete().wait_until_finished()
    assert "server" in project.gatehouse("preview", "acme", "--refresh")
    project.gatehouse("up", "acme", "--yes")
    again = made(clouds)
    assert {**again, "servers": []} == {**after, "servers": []}
    assert again["servers"] != after["servers"]
    server = hetzner.servers.get_by_name("gatehouse-acme")
    assert [volume.id for volume in server.volumes] == [int(after["volumes"][0])]

    # … or it is gone when all is to be taken down.
    server.delete().wait_until_finished()
    project.gatehouse("destroy", "acme", "--confirm", "acme")
    assert made(clouds) == {kind: [] for kind in KINDS}


@pytest.mark.heals("server_ordered_and_not_told")
def test_what_a_run_that_failed_had_ordered_is_found_by_its_label(project: Project, clouds: Clouds) -> None:
    """The connection breaks after Hetzner has taken the order: the plugin fails, the engine forgets the create."""
    for kind in ("volumes", "servers"):
        fault = {"method": "POST", "path": f"/{kind}$", "cut": "after"}
        httpx.post(f"{side(clouds)}/faults", json=fault).raise_for_status()
    project.gatehouse("up", "acme", "--yes", check=False)
    before = made(clouds)
    httpx.delete(f"{side(clouds)}/faults").raise_for_status()
    said = project.gatehouse("up", "acme", "--yes")
    assert "had been made by an earlier run; taken into the state" in said
    after = made(clouds)
    assert {kind: len(ids) for kind, ids in after.items()} == dict.fromkeys(KINDS, 1)
    assert {kind: ids for kind, ids in before.items() if ids} == {
        kind: after[kind] for kind, ids in before.items() if ids
    }
    project.gatehouse("preview", "acme", "--refresh", "--expect-no-changes")
    project.gatehouse("destroy", "acme", "--confirm", "acme")


def side(clouds: Clouds) -> str:
    """Where trouble with Hetzner is ordered."""
    return clouds.hetzner_endpoint.removesuffix("/v1") + "/_bench"


@pytest.mark.case("5")
def test_what_ran_on_a_server_that_is_gone_is_not_asked_for(project: Project, clouds: Clouds) -> None:
    project.gatehouse("up", "acme", "--yes")
    before = made(clouds)
    give_containers(project)
    client_of(clouds).servers.get_by_name("gatehouse-acme").delete().wait_until_finished()
    said = project.gatehouse("preview", "acme", "--refresh")
    assert "The server at Hetzner is gone." in said
    said = project.gatehouse("up", "acme", "--yes")
    assert "docker" not in {each["type"].partition(":")[0] for each in project.state("acme")["resources"]}
    assert "The server is gone at Hetzner: it is made anew" in said
    after = made(clouds)
    assert {**after, "servers": []} == {**before, "servers": []}
    assert len(after["servers"]) == 1
    project.gatehouse("preview", "acme", "--refresh", "--expect-no-changes")
    project.gatehouse("destroy", "acme", "--confirm", "acme")


def give_containers(project: Project) -> None:
    """Let the state have a container on the server, which the last resource depends on. Nobody will ever be asked."""
    file = project.folder / "state.json"
    project.pulumi("stack", "export", "--stack", "acme", "--file", str(file))
    state = json.loads(file.read_text())
    resources = state["deployment"]["resources"]
    place = next(n for n, each in enumerate(resources) if each["type"] == "hcloud:index/server:Server")
    server, urn = resources[place]["urn"], "urn:pulumi:acme::gatehouse::{}::{}"
    provider = {
        "urn": urn.format("pulumi:providers:docker", "docker"), "type": "pulumi:providers:docker", "custom": True,
        "id": "4b4d44f0-6b3f-4d6b-9ac0-6a7d2f4d8f10", "inputs": {"host": "ssh://deploy@192.0.2.1"}, "outputs": {},
    }  # fmt: skip
    container = {
        "urn": urn.format("docker:index/container:Container", "npm"), "type": "docker:index/container:Container",
        "custom": True, "id": "f00", "inputs": {"name": "gatehouse-npm"}, "outputs": {"name": "gatehouse-npm"},
        "provider": f"{provider['urn']}::{provider['id']}", "dependencies": [server], "deletedWith": server,
    }  # fmt: skip
    resources[place + 1 : place + 1] = [provider, container]
    assert len(resources) > place + 3
    resources[-1].setdefault("dependencies", []).append(container["urn"])
    file.write_text(json.dumps(state))
    project.pulumi("stack", "import", "--stack", "acme", "--file", str(file))


def test_bad_accounts_are_found_before_anything_is_made(project: Project, clouds: Clouds) -> None:
    for environment, words in (
        (
            {"HCLOUD_TOKEN": "x" * 64},
            ("Nothing was touched", "Hetzner token", "refused (401)", "read and write"),
        ),
        (
            {"CLOUDFLARE_API_TOKEN": "y" * 40},
            ("Nothing was touched", "Cloudflare token", "DNS:Edit on demo.example"),
        ),
    ):
        said = project.gatehouse("up", "acme", "--yes", check=False, **environment)
        assert [word for word in words if word not in said] == []
    project.edit("acme", {"domain": "elsewhere.example", "server": {"type": "cx23", "location": "ash"}})
    said = project.gatehouse("up", "acme", "--yes", check=False)
    for words in (
        "elsewhere.example is no zone",
        "gatehouse:domain",
        "not available at ash",
        "gatehouse:server.location",
    ):
        assert words in said
    assert made(clouds) == {kind: [] for kind in KINDS}


def test_a_token_of_another_project_is_noticed(project: Project, clouds: Clouds, tmp_path: Path) -> None:
    assert "nothing was made in it yet" in project.gatehouse("doctor", "acme", check=False)
    project.gatehouse("up", "acme", "--yes")
    assert "the one that this client is in" in project.gatehouse("doctor", "acme", check=False)
    before = made(clouds)
    with make(tmp_path / "other", action_seconds=0.05).running() as other:
        elsewhere = {"HCLOUD_ENDPOINT": other.hetzner_endpoint, "HCLOUD_TOKEN": other.tokens.hetzner}
        said = " ".join(project.gatehouse("up", "acme", "--yes", check=False, **elsewhere).split())
        assert "Nothing was touched" in said
        assert "the token's project has nothing of the" in said
        assert "Correct HCLOUD_TOKEN: this is another project's token" in said
        assert made(other) == {kind: [] for kind in KINDS}
    assert made(clouds) == before
    project.gatehouse("destroy", "acme", "--confirm", "acme")


def test_a_protected_server_is_made_anew_in_one_run_once_its_clients_name_was_typed(
    project: Project, clouds: Clouds
) -> None:
    project.edit("acme", {"protect": True})
    project.gatehouse("up", "acme", "--yes")
    before = made(clouds)
    assert "protected" not in project.gatehouse("preview", "acme", "--expect-no-changes")

    project.edit("acme", {"rebuild": 2})
    said = project.gatehouse("preview", "acme")
    words = (
        "gatehouse:rebuild is 2",
        "was made with 1",
        f"gatehouse-acme (id {before['servers'][0]}",
        "What stays: the volume",
    )
    assert [each for each in words if each not in said] == []
    assert "replace" in said and "unable to replace" not in said
    plan = project.gatehouse("preview", "acme", GATEHOUSE_PULUMI="").splitlines()
    assert "  ± server server" in plan
    interrupts = plan[plan.index("What this interrupts:") + 1 :]
    assert interrupts[0].startswith("  the server is made anew: nobody can log in")
    assert interrupts[1] == "", "what goes with the server is spoken of once more"
    for arguments, refused in (
        (("--yes",), "./gatehouse up acme --yes --confirm acme"),
        (("--yes", "--confirm", "acne"), "'acne' is not 'acme'; nothing was touched"),
        (("--confirm", "acne"), "'acne' is not 'acme'; nothing was touched"),
    ):
        said = project.gatehouse("up", "acme", *arguments, check=False)
        assert refused in said and "What stays: the volume" in said
    hetzner = client_of(clouds)
    assert hetzner.servers.get_by_name("gatehouse-acme").protection == {"delete": True, "rebuild": True}
    assert protected(project) == {"server", "data", "ipv4"}
    assert made(clouds) == before

    orders = len(clouds.project.all("actions"))
    project.gatehouse("up", "acme", "--confirm", "acme")
    after = made(clouds)
    assert {**after, "servers": []} == {**before, "servers": []}
    assert after["servers"] != before["servers"] and len(after["servers"]) == 1
    server = hetzner.servers.get_by_name("gatehouse-acme")
    assert [volume.id for volume in server.volumes] == [int(before["volumes"][0])]
    assert server.protection == {"delete": True, "rebuild": True}
    assert protected(project) == {"server", "data", "ipv4"}
    # Nothing but the old server was ever open to be deleted.
    lifted = {
        resource["id"]
        for action in list(clouds.project.all("actions").values())[orders:]
        if action["command"] == "change_protection"
        for resource in action["resources"]
    }
    assert lifted == {int(before["servers"][0]), server.id}
    assert "No change." in project.gatehouse("up", "acme", "--yes")

    # Killed while Hetzner makes the next one: it is found, and takes the place of the one that is gone.
    project.edit("acme", {"rebuild": 3})
    clouds.project.seconds = 4.0
    run = project.start("up", "acme", "--yes", "--confirm", "acme")
    try:
        wait_for(
            lambda: bool(set(clouds.project.all("servers")) - {str(server.id)}) or run.poll() is not None,
            "the next server to be ordered",
        )
        assert run.poll() is None
    finally:
        kill(run)
    clouds.project.seconds = 0.05
    ordered = made(clouds)["servers"]
    project.gatehouse("up", "acme", "--yes")
    assert made(clouds) == {**after, "servers": ordered}
    assert protected(project) == {"server", "data", "ipv4"}
    assert "No change." in project.gatehouse("up", "acme", "--yes")
    project.gatehouse("destroy", "acme", "--confirm", "acme")
    assert made(clouds) == {kind: [] for kind in KINDS}


def protected(project: Project) -> set[str]:
    """The logical names of what the engine refuses to delete."""
    return {
        each["urn"].rpartition("::")[2] for each in project.state("acme")["resources"] if each.get("protect")
    }
