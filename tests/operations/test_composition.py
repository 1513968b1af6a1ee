"""Several clients in one program, and what a program leaves behind: nothing of the machine that it ran on."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest

from bench.authentik.testing import TOKEN, Running, serve
from bench.paths import ROOT
from components.client import Client
from components.secrets import new_root_secret
from tests.host import mocks
from tests.operations.client import BenchClient

STACK, HETZNER = "pulumi:pulumi:Stack", "pulumi:providers:hcloud"
PROGRAM = """\
import json
from pathlib import Path
from components.client import Client
from components.settings import load, parse
Client.from_settings(load())
Client.from_settings(parse(json.loads(Path("globex.json").read_text())))
"""
APPS = {"grafana": {"preset": "grafana", "url": "https://grafana.acme.example", "groups": ["staff"]},
        "wiki": {"protocol": "proxy", "url": "https://wiki.acme.example", "upstream": "http://wiki:80",
                 "everyone": True}}  # fmt: skip
NAS = {"nas": {"protocol": "ldap", "url": "https://nas.acme.example", "everyone": True}}
PEOPLE = [{"username": "jane", "name": "Jane", "email": "jane@acme.example", "groups": ["staff"]}]


@pytest.fixture
def servers() -> Iterator[tuple[Running, Running]]:
    with serve(version="2026.8.3") as first, serve(version="2026.8.3") as second:
        yield first, second


class World:
    """An authentik in this process, as `BenchClient` takes it."""

    def __init__(self, server: Running) -> None:
        self.issuer, self.token, self.version = server.url, server.token, "2026.8.3"


def writes(server: Running) -> list[str]:
    """What was written there since this was last asked."""
    found = [f"{each['method']} {each['path']}" for each in server.control.journal if each["method"] != "GET"]
    server.control.journal.clear()
    return found


@pytest.mark.engine
def test_a_program_may_compose_two_clients(tmp_path: Path, servers: tuple[Running, Running]) -> None:
    """The stack's own keeps its names when another comes beside it; the other has its name before each of its own."""
    first, second = servers
    settings: dict[str, Any] = {"groups": ["staff"], "people": PEOPLE, "apps": APPS}
    acme = BenchClient(tmp_path / "project", World(first), **settings)  # type: ignore[arg-type]
    acme.pulumi("up")
    assert writes(first)
    alone = {each["urn"] for each in acme.latest()["resources"]}

    globex = {"client": "globex", "domain": "globex.example", "box": "none", "rootSecret": new_root_secret(),
              "authentik": {"version": "2026.8.3", "url": second.url, "token": TOKEN}, **settings}  # fmt: skip
    (acme.project.folder / "globex.json").write_text(json.dumps(globex))
    (acme.project.folder / "__main__.py").write_text(PROGRAM)
    acme.pulumi("up")
    assert writes(first) == [] and writes(second)
    both = {each["urn"] for each in acme.latest()["resources"]}
    assert alone < both
    assert {urn.rpartition("::")[2].partition("-")[0] for urn in both - alone} == {"globex"}
    acme.pulumi("preview", "--refresh", "--expect-no-changes")
    acme.pulumi("destroy", "--run-program")
    for server in servers:
        with server.store.reading():
            assert server.store.all("/core/applications/") == []


@pytest.mark.engine
def test_no_path_is_in_the_state_and_no_debug_message_is_sent_unasked(
    tmp_path: Path, servers: tuple[Running, Running]
) -> None:
    client = BenchClient(tmp_path / "project", World(servers[0]), groups=["staff"], apps=APPS)  # type: ignore[arg-type]
    quiet = client.pulumi("preview", "--debug")
    assert [path.name for path in (client.project.folder / ".gatehouse").iterdir()] == ["state"]
    message = "debug: resource registration prepared: ty=pulumi-python:dynamic/authentik_core:group"
    assert "debug: " in quiet and message not in quiet
    assert message in client.pulumi("preview", PULUMI_OPTION_DEBUG="true")
    client.pulumi("up")
    exported = json.loads(client.pulumi("stack", "export", "--show-secrets"))
    ours = [each for each in exported["deployment"]["resources"] if each["type"] != "pulumi:pulumi:Stack"]
    assert len(ours) > 8
    for path in (client.project.folder, ROOT, sys.base_prefix, Path.home(), "project://"):
        assert str(path) not in json.dumps(ours), path


def test_two_clients_with_boxes_have_no_name_in_common(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    box = {"host": "198.51.100.7", "hostKey": mocks.KEY, "port": 2222}
    clients: dict[str, dict[str, Any]] = {"acme": {}, "globex": {}, "initech": {"server": None, "box": box}}
    settings = [
        mocks.settings(
            client=client,
            domain=f"{client}.example",
            cloudflareToken="x" * 40,
            people=PEOPLE,
            apps=json.loads(json.dumps(APPS | NAS).replace("acme.example", f"{client}.example")),
            **more,
        )
        for client, more in clients.items()
    ]
    found = [
        one
        for one in mocks.run(lambda: [Client.from_settings(each) for each in settings])
        if one.type != STACK
    ]
    names = [(one.type, one.name) for one in found]
    assert len(names) == len(set(names)) > 100
    types = [{kind for kind, name in names if name.startswith(client)} for client in ("globex", "initech")]
    assert types[0] - types[1] == {kind for kind, _ in names if kind.startswith(("hcloud:", HETZNER))}
    assert {
        ("hcloud:index/server:Server", "server"),
        ("docker:index/container:Container", "initech-npm"),
    } <= {*names}
    # What they are called outside is each client's own, whatever program declares it.
    servers = {one.inputs["name"] for one in found if one.type == "hcloud:index/server:Server"}
    assert servers == {"gatehouse-acme", "gatehouse-globex"}


def test_a_preview_leaves_nothing_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = mocks.settings(cloudflareToken="x" * 40)
    mocks.run(lambda: Client.from_settings(settings, pulumi.ResourceOptions()), preview=True)
    assert not list(tmp_path.iterdir())
    mocks.run(lambda: Client.from_settings(settings), preview=False)
    assert (tmp_path / ".gatehouse/acme/ssh_config").exists()
