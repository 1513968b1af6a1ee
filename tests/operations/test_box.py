"""What is done about a box before a run: at the bench's Hetzner, with a paper box behind ssh."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bench.clouds.serving import Clouds
from bench.clouds.testing import client_of, make
from components import ssh
from components.objects.provider import UNREACHABLE
from components.problems import Problems
from components.settings import Settings
from operations import box
from operations.errors import OperatorError
from operations.stack import Stack
from tests.host import mocks
from tests.operations.client import wait_for
from tests.operations.test_interrupted_creates import LABELS, made

CONTAINERS = ("gatehouse-postgres", "gatehouse-authentik-server", "gatehouse-npm")


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clouds]:
    with make(tmp_path / "clouds", action_seconds=0.01).running() as running:
        monkeypatch.setenv("HCLOUD_ENDPOINT", running.hetzner_endpoint)
        monkeypatch.setenv("HCLOUD_TOKEN", running.tokens.hetzner)
        yield running


class Known(Stack):
    """A stack whose state has a server, what is on it, and objects in what runs there."""

    def __init__(self, ids: Mapping[str, str]) -> None:
        super().__init__("acme")
        cloud = [resource(token, "it", id=number) for token, number in ids.items()]
        host = {"host": "ssh://deploy@203.0.113.10"}
        self.resources = [
            *cloud,
            resource("command:local:Command", "hardening"),
            resource("pulumi:providers:docker", "docker", inputs=host),
            *(resource(box.CONTAINER, name, inputs={"name": name}) for name in CONTAINERS),
        ]
        containers = [each["urn"] for each in self.resources if each["type"] == box.CONTAINER]
        self.resources += [
            resource(
                "pulumi-python:dynamic/authentik_core:group",
                "staff",
                dependencies=containers,
                propertyDependencies={"name": containers},
                deletedWith=urn(box.VOLUME, "it"),
            )
        ]

    def deployment(self) -> dict[str, Any]:
        return {"resources": json.loads(json.dumps(self.resources))}

    def settings(self) -> Settings:
        return mocks.settings(domain="demo.example")

    def put(self, deployment: dict[str, Any]) -> None:
        self.resources = deployment["resources"]

    def types(self) -> set[str]:
        """What kinds of things the state has, by their first part."""
        return {each["type"].partition(":")[0] for each in self.resources}


def urn(token: str, name: str) -> str:
    return f"urn:pulumi:acme::gatehouse::{token}::{name}"


def resource(token: str, name: str, **more: Any) -> dict[str, Any]:
    return {"urn": urn(token, name), "type": token, "inputs": {}, **more}


@pytest.fixture
def stack(clouds: Clouds) -> Known:
    known = Known(made(clouds, labels=LABELS))
    server = client_of(clouds).servers
    wait_for(lambda: server.get_by_name("gatehouse-acme").status == "running", "the server to run")
    return known


class Paper:
    """What is behind ssh: containers and what they do."""

    def __init__(self) -> None:
        self.states = dict.fromkeys(CONTAINERS, "running")
        self.refused = 0
        self.commands: list[tuple[str, ...]] = []

    def run(self, *command: str, seconds: float = 60.0) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        if self.refused:
            self.refused -= 1
            raise ssh.UnreachableError("203.0.113.10 (acme's box) cannot be reached over ssh: no route")
        said = ""
        if command[:2] == ("docker", "ps"):
            said = "\n".join(f"{name} {state}" for name, state in self.states.items())
        if command[:2] == ("docker", "start"):
            self.states |= dict.fromkeys(command[2:], "running")
        if command[:2] == ("docker", "inspect"):
            said = f"{self.states[command[-1]]} healthy"
        return subprocess.CompletedProcess(command, 0, said, "")


@pytest.fixture
def paper(monkeypatch: pytest.MonkeyPatch) -> Paper:
    paper = Paper()
    monkeypatch.setattr(box.Box, "run", lambda _, *command, **more: paper.run(*command, **more))
    monkeypatch.setattr(box.tenacity, "wait_fixed", lambda _: 0.0)
    return paper


@pytest.fixture
def said() -> list[str]:
    return []


def test_a_box_on_which_all_is_well_is_left_alone(stack: Known, paper: Paper, said: list[str]) -> None:
    assert box.before_preview(stack, said.append) == (True, {})
    assert box.before_up(stack, said.append) == (True, {})
    assert box.before_destroy(stack, said.append) == {}
    assert said == []
    assert not any("start" in command for command in paper.commands)


@pytest.mark.case("4")
def test_stopped_containers_are_shown_by_a_preview_and_started_by_up(
    stack: Known, paper: Paper, said: list[str]
) -> None:
    paper.states["gatehouse-npm"] = "exited"
    assert box.before_preview(stack, said.append) == (True, {UNREACHABLE: '["/127.0.0.1:81"]'})
    assert "Stopped on the box: gatehouse-npm; `up` brings it back." in said[0]
    assert paper.states["gatehouse-npm"] == "exited"
    assert box.before_up(stack, said.append) == (True, {})
    assert said[1] == "Stopped on the box, and started again: gatehouse-npm."
    assert paper.states["gatehouse-npm"] == "running"


@pytest.mark.case("4")
def test_what_is_behind_a_container_that_is_gone_is_not_waited_for(
    stack: Known, paper: Paper, said: list[str]
) -> None:
    del paper.states["gatehouse-postgres"]  # without its database, authentik does not answer either
    for seen, told in (box.before_preview(stack, said.append), box.before_up(stack, said.append)):
        assert seen
        assert told == {UNREACHABLE: '["/127.0.0.1:9000"]'}
    assert box.before_destroy(stack, said.append) == {UNREACHABLE: '["/127.0.0.1:9000"]'}


@pytest.mark.case("5")
def test_a_box_that_cannot_be_reached(
    stack: Known, paper: Paper, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    paper.refused = 3
    assert box.before_up(stack, said.append) == (True, {})  # it restarts: waited for
    assert [line for line in said if "it is waited for, up to 180 s" in line] == said
    paper.refused = 1
    seen, _ = box.before_preview(stack, said.append)
    assert not seen
    assert "cannot be reached over ssh" in said[-1]
    monkeypatch.setattr(box, "REACHED", 0.05)
    paper.refused = 10**9
    with pytest.raises(OperatorError, match=r"Nothing was touched: .*cannot be reached over ssh"):
        box.before_up(stack, said.append)
    assert box.before_destroy(stack, said.append) == {}
    assert stack.types() == {"hcloud", "pulumi"}


@pytest.mark.case("5")
def test_a_server_that_is_off_is_switched_on(
    stack: Known, clouds: Clouds, paper: Paper, said: list[str]
) -> None:
    server = client_of(clouds).servers.get_by_name("gatehouse-acme")
    server.power_off().wait_until_finished()
    assert box.before_preview(stack, said.append) == (False, {})
    assert "is off; `up` switches it on" in said[0]
    assert box.before_up(stack, said.append) == (True, {})
    assert "gatehouse-acme is off: it is switched on" in said[1]
    assert client_of(clouds).servers.get_by_name("gatehouse-acme").status == "running"


@pytest.mark.case("5")
def test_a_server_that_is_gone_takes_what_was_on_it_out_of_the_state(
    stack: Known, clouds: Clouds, paper: Paper, said: list[str]
) -> None:
    client_of(clouds).servers.get_by_name("gatehouse-acme").delete().wait_until_finished()
    assert box.before_preview(stack, said.append) == (False, {})
    assert box.before_up(stack, said.append) == (False, {})
    assert "The server is gone at Hetzner: it is made anew" in said[-1]
    assert stack.types() == {"hcloud", "pulumi", "pulumi-python"}
    (group,) = [each for each in stack.resources if each["type"].startswith("pulumi-python")]
    assert group["dependencies"] == group["propertyDependencies"]["name"] == []
    assert group["deletedWith"] == urn(box.VOLUME, "it")
    assert paper.commands == []


@pytest.mark.case("5")
def test_with_the_volume_all_data_are_gone(
    stack: Known, clouds: Clouds, paper: Paper, said: list[str]
) -> None:
    hetzner = client_of(clouds)
    hetzner.servers.get_by_name("gatehouse-acme").delete().wait_until_finished()
    hetzner.volumes.get_by_name("gatehouse-acme").delete()
    assert box.before_up(stack, said.append) == (False, {})
    assert "all data with them" in said[-1]
    assert stack.types() == {"hcloud", "pulumi"}


@pytest.mark.case("5")
def test_another_projects_token_proves_nothing_gone(
    stack: Known, paper: Paper, said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with make(tmp_path / "other").running() as other:
        monkeypatch.setenv("HCLOUD_ENDPOINT", other.hetzner_endpoint)
        monkeypatch.setenv("HCLOUD_TOKEN", other.tokens.hetzner)
        for before in (box.before_up, box.before_destroy, box.before_preview):
            with pytest.raises(Problems, match=r"another project|has nothing of the"):
                before(stack, said.append)
    assert "docker" in stack.types()


def test_a_state_without_containers_needs_no_box(clouds: Clouds, said: list[str]) -> None:
    stack = Known({})
    stack.resources = [each for each in stack.resources if not each["type"].startswith("docker:")]
    assert box.before_up(stack, said.append) == (True, {})
    assert box.before_destroy(stack, said.append) == {}
