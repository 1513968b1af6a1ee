"""No app lets anybody in before its access is in place, wherever a run of the engine ends.

Somebody who is in no group stands outside. The emulator is asked after every single write of a run, while the write's
answer is held back, which apps would let them in: what it holds then is what a run leaves that is killed there.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.authentik.access import may_use
from bench.authentik.testing import Running, serve
from tests.operations.client import BenchClient, wait_for

pytestmark = [pytest.mark.engine, pytest.mark.case("1")]

Settings = dict[str, Any]
APPLICATIONS = "/core/applications/"
POLICY = "authentik_policies_expression.expressionpolicy"
WRITES = "POST|PUT|PATCH|DELETE"
KILLED_AFTER = (3, 11, 19)
"""Writes of the edit that are carried out before the run is killed."""
TOLD: dict[str, tuple[int, int]] = {}
"""Points at which it was asked, and doors that were found open, by test."""


def oidc(key: str, **more: Any) -> Settings:
    url = f"https://{key}.acme.example"
    return {"protocol": "oidc", "url": url, "redirectUris": [f"{url}/cb"], **more}


def behind(key: str, **more: Any) -> Settings:
    return {"protocol": "proxy", "url": f"https://{key}.acme.example", "upstream": f"http://{key}:80", **more}


FIRST: Settings = {
    "groups": ["staff", "board"],
    "objects": [
        {"kind": POLICY, "name": "always", "fields": {"expression": "return True"}},
        {"kind": POLICY, "name": "hours", "fields": {"expression": "return True"}},
    ],
    "people": [{"username": "jane", "name": "Jane", "email": "jane@acme.example", "groups": ["staff"]}],
    "apps": {
        "grafana": oidc("grafana", groups=["staff"]),
        "wiki": oidc("wiki", groups=["staff", "board"], policies=["always", "hours"]),
        "shop": oidc("shop", everyone=True),
        "dash": behind("dash", groups=["staff"], policies=["always"]),
        "tools": behind("tools", groups=["board", "staff"]),
        "door": behind("door", everyone=True),
    },
}


def edited() -> Settings:
    """Other groups, policies that come and go, an app for everybody closed, one opened, one more, one less."""
    settings = copy.deepcopy(FIRST)
    settings["groups"] = ["staff", "board", "guests"]
    apps = settings["apps"]
    apps["grafana"] |= {"groups": ["board", "guests"], "policies": ["always"]}
    apps["wiki"] = oidc("wiki", groups=["guests", "staff"])
    apps["shop"] = oidc("shop", groups=["staff"])
    apps["dash"] = behind("dash", everyone=True)
    del apps["tools"]
    apps["chat"] = oidc("chat", groups=["guests"], users=["jane"], policies=["hours"])
    return settings


def changed() -> Settings:
    """The same without an app that comes or goes, so that there is a way back."""
    settings = edited()
    del settings["apps"]["chat"]
    settings["apps"]["tools"] = behind("tools", groups=["guests", "board"], policies=["hours"])
    return settings


def swapped() -> Settings:
    """Each app speaks the other protocol."""
    settings = edited()
    for key, app in settings["apps"].items():
        who = {name: app[name] for name in ("groups", "users", "policies", "everyone") if name in app}
        settings["apps"][key] = (behind if app["protocol"] == "oidc" else oidc)(key, **who)
    return settings


def everyone(*stages: Settings) -> set[str]:
    """Apps that one of these files opens to everybody."""
    return {key for stage in stages for key, app in stage["apps"].items() if app.get("everyone")}


@dataclass
class Watch:
    """Asks after every write which apps let the outsider in, and notes those that may not."""

    server: Running
    outsider: Settings
    record_figure: Callable[..., None]
    allowed: set[str] = field(default_factory=set)
    points: int = 0
    found: list[str] = field(default_factory=list)

    def open(self) -> set[str]:
        """Apps that have a provider and let the outsider through."""
        store = self.server.store
        with store.reading():
            return {
                app["slug"]
                for app in store.all(APPLICATIONS)
                if app["provider"] is not None and may_use(store, self.outsider, app)
            }

    def note(self, what: str) -> None:
        """Add what was found to the figures of this module. Raises AssertionError for a door that was open."""
        print(f"{what}: asked at {self.points} points, found open: {self.found or 'none'}")
        TOLD[what] = (self.points, len(self.found))
        points, found = (sum(numbers) for numbers in zip(*TOLD.values(), strict=True))
        self.record_figure("test", doors_open=(found, 0), door_kill_points=(points, None))
        assert self.found == []

    def __enter__(self) -> Watch:
        api = self.server.server.api
        self.handle = api.handle

        def watched(method: str, path: str, *more: Any) -> Any:
            answer = self.handle(method, path, *more)
            if method in WRITES.split("|"):
                self.points += 1
                self.found += [f"{app}, after {method} {path}" for app in self.open() - self.allowed]
            return answer

        api.handle = watched  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        self.server.server.api.handle = self.handle  # type: ignore[method-assign]


@dataclass
class World:
    """What a client needs to know of an authentik."""

    issuer: str
    token: str
    version: str = "2026.8.3"


@pytest.fixture
def watch(record_figure: Callable[..., None]) -> Iterator[Watch]:
    with serve(version="2026.8.3") as server:
        made = httpx.post(
            f"{server.url}/api/v3/core/users/",
            json={"username": "outsider", "name": "Somebody"},
            headers={"Authorization": f"Bearer {server.token}"},
        )
        with Watch(server, made.raise_for_status().json(), record_figure) as watch:
            yield watch


@pytest.fixture
def client(watch: Watch, tmp_path: Path) -> Iterator[BenchClient]:
    client = BenchClient(tmp_path / "project", World(watch.server.url, watch.server.token), **FIRST)  # type: ignore[arg-type]
    yield client
    client.end()


def test_no_write_opens_a_door(client: BenchClient, watch: Watch) -> None:
    """From nothing to nothing: up, an edit, other protocols, and down."""
    stage = FIRST
    watch.allowed = everyone(stage)
    client.pulumi("up")
    assert watch.open() == everyone(stage)
    for following in (edited(), swapped()):
        watch.allowed = everyone(stage, following)
        client.edit(**copy.deepcopy(following))
        client.pulumi("up")
        stage = following
        assert watch.open() == everyone(stage)
    client.pulumi("preview", "--refresh", "--expect-no-changes")
    watch.allowed = everyone(stage)
    client.pulumi("destroy")
    assert watch.open() == set()
    watch.note("a client's life")


@pytest.mark.nightly
def test_a_killed_run_and_another_edit_open_no_door(client: BenchClient, watch: Watch) -> None:
    """Killed for good at some points of an edit; what follows is another edit, not the rest of the first."""
    watch.allowed = everyone(FIRST)
    client.up()
    for after in KILLED_AFTER:
        watch.allowed = everyone(FIRST, changed())
        client.edit(**changed())
        client.freeze(WRITES, "^/api/v3/", after)
        log = client.project.folder / "killed.log"
        run = client.project.start("up", "acme", "--yes", log=log)
        try:
            wait_for(lambda run=run: client.frozen() or run.poll() is not None, f"{after} writes", 180)  # type: ignore[misc]
            assert run.poll() is None, log.read_text()
        finally:
            client.kill(run)
            client.no_faults()
        assert watch.open() <= watch.allowed
        client.edit(**copy.deepcopy(FIRST))
        client.up()
        assert watch.open() == everyone(FIRST)
    client.pulumi("preview", "--refresh", "--expect-no-changes")
    watch.note("killed runs")
