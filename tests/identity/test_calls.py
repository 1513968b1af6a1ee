"""How often authentik is asked by whole runs of a client with 12 apps, looked up in its journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bench.plain import PlainWorld
from tests.operations.client import BenchClient

pytestmark = pytest.mark.engine

GOAL = 1.3
"""Calls for each object that is made; every app takes two writes, since it opens last, and a person's password one."""
GROUPS = ["staff", "engineering", "board"]
APPS = {
    f"app{number}": {
        "protocol": "oidc",
        "url": f"https://app{number}.acme.example",
        "redirectUris": [f"https://app{number}.acme.example/callback"],
        "groups": [GROUPS[number % 3]],
    }
    for number in range(1, 13)
}
PEOPLE = [
    {"username": name, "name": name.title(), "email": f"{name}@acme.example", "groups": ["staff"]}
    for name in ("jane", "mallory", "omar", "wei")
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BenchClient]:
    folder = tmp_path_factory.mktemp("calls")
    with PlainWorld(folder / "world", lambda _: None, memory=True).running() as world:
        client = BenchClient(folder / "project", world, groups=GROUPS, people=PEOPLE, apps=APPS)
        yield client
        client.end()


def calls(client: BenchClient) -> list[dict[str, Any]]:
    """Everything that authentik was asked since this was last asked, and what `gatehouse up` says before that."""
    client.api.delete("/_bench/journal")
    client.up()
    asked: list[dict[str, Any]] = client.api.get("/_bench/journal").raise_for_status().json()
    return asked


@pytest.fixture(scope="module")
def asked_first(client: BenchClient) -> list[dict[str, Any]]:
    """What authentik was asked by the first `up`."""
    return calls(client)


def test_up_from_nothing_asks_little_more_than_it_writes(
    client: BenchClient, asked_first: list[dict[str, Any]], record_figure: Callable[..., None]
) -> None:
    resources = client.project.state("acme")["resources"]
    made = [each for each in resources if "/authentik_" in each["type"] or "/gatehouse:" in each["type"]]
    counts = Counter(f"{each['method']} {each['path']}" for each in asked_first if each["method"] == "GET")
    assert {path for path, count in counts.items() if count > 1} <= {"GET /api/v3/core/users/me/"}, counts
    record_figure("test", calls_per_object_up=(round(len(asked_first) / len(made), 3), GOAL))
    assert len(asked_first) <= GOAL * len(made), counts


@pytest.mark.usefixtures("asked_first")
def test_an_edit_is_one_write_and_what_was_read_before_it(client: BenchClient) -> None:
    apps = {**APPS, "app1": {**APPS["app1"], "launchUrl": "https://app1.acme.example/start"}}
    client.edit(apps=apps)
    asked = calls(client)
    assert [each["method"] for each in asked if each["method"] != "GET"] == ["PATCH"]
    single = [each["path"] for each in asked if each["method"] == "GET" and not each["query"]]
    assert set(single) == {"/api/v3/core/users/me/", "/api/v3/admin/version/"}, single
