"""No app lets anybody in before its access is in place, wherever a run of the engine ends.

Somebody who is in no group stands outside. The emulator is asked after every single write of a run, while the write's
answer is held back, which apps would let them in: what it holds then is what a run leaves that is killed there.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.authentik.access import may_use
from bench.authentik.testing import Running, serve
from bench.figures import record
from tests.operations.client import BenchClient

pytestmark = [pytest.mark.engine, pytest.mark.case("1")]

Settings = dict[str, Any]
APPLICATIONS = "/core/applications/"
WRITES = "POST|PUT|PATCH|DELETE"


def oidc(key: str, **more: Any) -> Settings:
    url = f"https://{key}.acme.example"
    return {"protocol": "oidc", "url": url, "redirectUris": [f"{url}/cb"], **more}


def behind(key: str, **more: Any) -> Settings:
    return {"protocol": "proxy", "url": f"https://{key}.acme.example", "upstream": f"http://{key}:80", **more}


FIRST: Settings = {
    "groups": ["staff", "board"],
    "people": [{"username": "jane", "name": "Jane", "email": "jane@acme.example", "groups": ["staff"]}],
    "apps": {
        "grafana": oidc("grafana", groups=["staff"]),
        "wiki": oidc("wiki", groups=["staff", "board"]),
        "shop": oidc("shop"),
        "dash": behind("dash", groups=["staff"]),
        "tools": behind("tools", groups=["board", "staff"]),
        "door": behind("door"),
    },
}


def edited() -> Settings:
    """Other groups, an app for everybody closed, one opened, one more, one less."""
    settings = copy.deepcopy(FIRST)
    settings["groups"] = ["staff", "board", "guests"]
    apps = settings["apps"]
    apps["grafana"]["groups"] = ["board"]
    apps["wiki"]["groups"] = ["guests"]
    apps["shop"]["groups"] = ["staff"]
    apps["dash"] = behind("dash")
    del apps["tools"]
    apps["chat"] = oidc("chat", groups=["guests", "staff"])
    return settings


def swapped() -> Settings:
    """Each app speaks the other protocol."""
    settings = edited()
    for key, app in settings["apps"].items():
        groups = {"groups": app["groups"]} if "groups" in app else {}
        settings["apps"][key] = (behind if app["protocol"] == "oidc" else oidc)(key, **groups)
    return settings


def everyone(*stages: Settings) -> set[str]:
    """Apps that one of these files opens to everybody."""
    return {key for stage in stages for key, app in stage["apps"].items() if not app.get("groups")}


@dataclass
class Watch:
    """Asks after every write which apps let the outsider in, and notes those that may not."""

    server: Running
    outsider: Settings
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
def watch() -> Iterator[Watch]:
    with serve(version="2026.8.3") as server:
        made = httpx.post(
            f"{server.url}/api/v3/core/users/",
            json={"username": "outsider", "name": "Somebody"},
            headers={"Authorization": f"Bearer {server.token}"},
        )
        with Watch(server, made.raise_for_status().json()) as watch:
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
    print(f"asked at {watch.points} points, found open: {watch.found}")
    record("test", doors_open=(len(watch.found), 0), door_kill_points=(watch.points, None))
    assert watch.found == []
    assert watch.open() == set()
