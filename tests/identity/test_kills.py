"""A client with 12 apps and 60 other objects, killed anywhere: the next `gatehouse up` finds its way from there.

What a client that was never killed comes to is the measure: the same objects of every kind, no more and no less.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.figures import record
from bench.plain import PlainWorld
from components.identity.dialect import Authentik
from components.identity.kinds import Line
from components.objects.store import Store
from tests.operations.client import BenchClient, wait_for

pytestmark = pytest.mark.engine

Settings = dict[str, Any]
Names = dict[str, list[str]]
UUID = re.compile(r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}")
"""In the names of what authentik makes for each outpost."""
WRITES = "POST|PUT|PATCH|DELETE"
PATIENCE = 120.0
FLOW, TOKEN, OUTPOST = "authentik_flows.flow", "authentik_core.token", "authentik_outposts.outpost"
LEAVE = "default-invalidation-flow"
converged: list[str] = []


def declared() -> Settings:
    found: Settings = yaml.safe_load((Path(__file__).parent / "twelve_apps.yaml").read_text())
    return found


def edited() -> Settings:
    """Renamed, deleted, replaced, made and changed at once."""
    settings = declared()
    apps = settings["apps"]
    apps["graphs"] = {"id": "grafana", **apps.pop("grafana")}
    apps["chat"] = {"protocol": "proxy", "url": apps["chat"]["url"], "upstream": "http://chat:80"}
    del apps["printer"]
    settings["people"].pop()
    settings["groups"][2] = {"name": "council", "id": "board"}
    for one in (apps["wiki"], apps["payroll"], settings["people"][2]):
        one["groups"] = ["council" if group == "board" else group for group in one["groups"]]
    for one in settings["objects"]:
        if one["name"] == "wiki editors" and "target" in one["fields"]:
            one["fields"]["group"] = "council"
        if one["name"] == "acme-hours":
            one |= {"name": "acme-times", "id": "acme-hours"}
        if one["name"] == "payroll hours":
            one["fields"]["policy"] = "acme-times"
    settings["groups"].append("late")
    return settings


LEA = {"username": "lea", "name": "Lea", "email": "lea@acme.example", "groups": ["late"]}
KEY = {"user": "lea", "intent": "app_password", "key": "k" * 40}
STEPS: dict[str, tuple[str, Settings, str, str]] = {
    "taken over, not recorded": (
        "objects",
        {"kind": FLOW, "name": LEAVE, "adopt": True, "fields": {"title": "Bye"}},
        "GET",
        f"/flows/instances/{LEAVE}/$",
    ),
    "user and password": ("people", LEA, "POST", "/set_password/$"),
    "token and key": (
        "objects",
        {"kind": TOKEN, "name": "acme-backup", "fields": KEY},
        "POST",
        "/set_key/$",
    ),
    "outpost, made and not recorded": (
        "objects",
        {
            "kind": OUTPOST,
            "name": "acme-edge",
            "fields": {"type": "proxy", "providers": ["legacy"], "config": {}},
        },
        "GET",
        "/outposts/instances/[0-9a-f-]{36}/$",
    ),
}
"""What comes after that, one by one: where it is declared, what, and the request that is the last of its run."""


def grown() -> Settings:
    settings = edited()
    for section, what, _, _ in STEPS.values():
        settings[section].append(what)
    return settings


def names(client: BenchClient) -> Names:
    """What is in authentik of every kind that can be declared, by natural key."""
    line = Line("2026.8")
    store = Store(Authentik(client.world.issuer, client.world.token, None, line))
    kinds = [line.kind(label) for label in line.declarable()]
    return {
        kind.name: sorted(UUID.sub("*", store.name_of(kind, item)) for item in store.all(kind))
        for kind in kinds
    }


@pytest.fixture(scope="module")
def measure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Names]]:
    """What a client that is never killed comes to: at first, after the edits, and grown."""
    folder = tmp_path_factory.mktemp("measure")
    with PlainWorld(folder / "world", lambda _: None, memory=True).running() as world:
        client = BenchClient(folder / "project", world, **declared())
        found = []
        for settings in (declared(), edited(), grown()):
            client.edit(**settings)
            client.pulumi("up")
            found.append(names(client))
        client.end()
    yield found


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BenchClient]:
    folder = tmp_path_factory.mktemp("kills")
    with PlainWorld(folder / "world", lambda _: None, memory=True).running() as world:
        client = BenchClient(folder / "project", world, **declared())
        yield client
        client.end()


@pytest.fixture(scope="module")
def fresh(client: BenchClient) -> tuple[Names, str]:
    """What a new authentik holds, and what the flow is called that is taken over later."""
    return names(client), title(client)


def title(client: BenchClient) -> str:
    flow = client.api.get(f"/api/v3/flows/instances/{LEAVE}/").raise_for_status().json()
    return str(flow["title"])


def killed_at(client: BenchClient, method: str, path: str, after: int = 0) -> None:
    """Start `gatehouse up`, and kill it while this request is under way, which is never carried out.

    With `after`, that many of them are let through first.
    """
    if after:
        client.fault(method, path, times=after)
    client.hold(method, path)
    run = client.project.start("up", "acme", "--yes")
    try:
        wait_for(lambda: client.faults_met() or run.poll() is not None, f"{method} {path}", PATIENCE)
        assert run.poll() is None, f"it ended before:\n{run.stdout.read() if run.stdout else ''}"
    finally:
        client.kill(run)
    client.no_faults()
    converged.append(f"{method} {path} {after}")


def converges(client: BenchClient, wanted: Names) -> None:
    client.up()
    assert names(client) == wanted
    assert client.pending() == []
    client.pulumi("preview", "--refresh", "--expect-no-changes")


def test_while_it_comes_up(client: BenchClient, fresh: tuple[Names, str], measure: list[Names]) -> None:
    for after in (2, 20, 30):
        killed_at(client, WRITES, "/api/v3/", after)
    converges(client, measure[0])


def test_in_the_middle_of_edits_of_every_sort(client: BenchClient, measure: list[Names]) -> None:
    client.edit(**edited())
    for after in (1, 2, 2):
        killed_at(client, WRITES, "/api/v3/", after)
    converges(client, measure[1])


@pytest.mark.parametrize("step", STEPS)
def test_between_two_steps(client: BenchClient, fresh: tuple[Names, str], step: str) -> None:
    section, what, method, path = STEPS[step]
    client.edit(**{section: [*client.settings[section], copy.deepcopy(what)]})
    killed_at(client, method, path)


def test_after_all_steps(client: BenchClient, measure: list[Names]) -> None:
    converges(client, measure[2])
    assert client.can_log_in("lea")
    tokens = client.api.get("/api/v3/core/tokens/acme-backup/view_key/").raise_for_status().json()
    assert tokens["key"] == "k" * 40


def test_destroy_leaves_what_was_there(client: BenchClient, fresh: tuple[Names, str]) -> None:
    client.project.gatehouse("destroy", "acme", "--confirm", "acme")
    assert (names(client), title(client)) == fresh


def test_every_point_converged() -> None:
    """Counts what has passed before it in this module."""
    record("test", twelve_apps_kill_points_converged=(len(converged), 10))
    assert len(converged) == 10
