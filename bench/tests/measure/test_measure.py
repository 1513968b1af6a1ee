"""What the measurements rest on: that both sides do the same, that nothing is missed, and that medians are medians."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from bench.measure.floor import document
from bench.measure.naive.sends import whole
from bench.measure.promises import broken
from bench.measure.requests import UnlikeError, same
from bench.measure.timing import Pair, Times, paired
from bench.measure.traffic import Traffic
from bench.measure.watch import role

API = "/api/v3"


def asked(method: str, path: str, query: str = "") -> dict[str, Any]:
    return {"method": method, "path": path, "query": query, "body": None}


LISTED = asked("GET", f"{API}/core/groups/", "include_users=false&page_size=100&page=1")
FURTHER = asked("GET", f"{API}/core/groups/", "include_users=false&page_size=100&page=2")
READ = asked("GET", f"{API}/core/groups/77/")
WRITTEN = asked("PUT", f"{API}/core/groups/77/")
READY = asked("GET", "/-/health/ready/")


def test_a_refresh_may_list_each_kind_once_and_nothing_else() -> None:
    good = Traffic([READY, LISTED, FURTHER], 0)
    assert broken("preview --refresh", good) == []
    assert (good.door, good.pages, dict(good.lists)) == (1, 1, {f"{API}/core/groups/": 1})


@pytest.mark.parametrize(
    ("title", "entries", "said"),
    [
        ("preview --refresh", [LISTED, LISTED], "2 lists of"),
        ("preview --refresh", [LISTED, READ], "read one object"),
        ("preview --refresh", [LISTED, WRITTEN], "wrote: PUT"),
        ("preview --refresh", [READY], "nothing was read"),
        ("preview", [READY], "asked: GET /-/health/ready/"),
        ("preview", [LISTED], "asked: GET"),
        ("up that changes nothing", [WRITTEN], "wrote: PUT"),
    ],
)
def test_whatever_is_asked_beyond_the_promise_is_found(
    title: str, entries: list[dict[str, Any]], said: str
) -> None:
    found = broken(title, Traffic(entries, 0))
    assert any(said in each for each in found), found


def test_requests_are_the_same_whatever_the_pk() -> None:
    other = asked("GET", f"{API}/core/groups/another/")
    same(Traffic([LISTED, READ], 0), Traffic([other, LISTED], 0))
    with pytest.raises(UnlikeError, match=r"PUT /api/v3/core/groups/\*/: 0 and 1"):
        same(Traffic([LISTED, READ], 0), Traffic([LISTED, READ, WRITTEN], 0))


def test_a_floor_registers_what_the_state_holds() -> None:
    secret = {
        "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270",
        "plaintext": '"hidden"',
    }
    urn = "urn:pulumi:acme::gatehouse::{}::{}"
    stack, provider, key = (
        urn.format("pulumi:pulumi:Stack", "gatehouse-acme"),
        urn.format("pulumi:providers:hcloud", "hcloud"),
        urn.format("hcloud:index/sshKey:SshKey", "deploy"),
    )
    made = document(
        [
            {"urn": stack, "type": "pulumi:pulumi:Stack", "custom": False, "outputs": {"token": secret}},
            {"urn": provider, "type": "pulumi:providers:hcloud", "custom": True, "parent": stack,
             "inputs": {"token": secret, "__internal": {}}},
            {"urn": key, "type": "hcloud:index/sshKey:SshKey", "custom": True, "parent": stack,
             "provider": f"{provider}::id", "dependencies": [provider], "inputs": {"name": "deploy"}},
        ]
    )  # fmt: skip
    assert made["packages"] == ["pulumi_hcloud"]
    assert made["outputs"] == {"token": {"secret": "hidden"}}
    assert [item["name"] for item in made["resources"]] == ["hcloud", "deploy"]
    assert made["resources"][0]["inputs"] == {"token": {"secret": "hidden"}}
    assert made["resources"][1]["provider"] == provider
    assert made["resources"][1]["dependencies"] == [provider]


def test_both_sides_run_in_turn_and_the_first_of_each_is_not_counted() -> None:
    order: list[str] = []

    def noted(name: str) -> Callable[[], None]:
        return lambda: order.append(name)

    def ready(name: str) -> Callable[[int], None]:
        return lambda number: order.append(f"{name} {number}")

    pair = paired(noted("a"), noted("b"), 2, before=(ready("for a"), ready("for b")))
    assert order == [
        each for number in (-1, 0, 1) for each in (f"for a {number}", "a", f"for b {number}", "b")
    ]
    assert (len(pair.ours.wall), len(pair.naive.wall)) == (2, 2)


def test_what_ran_before_needs_no_run_that_is_not_counted() -> None:
    order: list[str] = []
    pair = paired(lambda: order.append("a"), lambda: order.append("b"), 1, warm=False)
    assert order == ["a", "b"]
    assert (len(pair.ours.wall), len(pair.naive.wall)) == (1, 1)


def test_a_ratio_is_one_of_medians() -> None:
    pair = Pair(Times([1.0, 9.0, 2.0], [1.0, 1.0, 1.0]), Times([1.0, 1.0, 8.0], [2.0, 2.0, 2.0]))
    assert pair.ratio == 2.0
    assert pair.processor_ratio == 0.5


@pytest.mark.parametrize(
    ("command", "called"),
    [
        ("/x/pulumi --non-interactive preview ", "CLI and engine"),
        ("python -u /x/bench/engine/language_host.py 127.0.0.1:1 ", "language host"),
        ("/opt/pulumi-language-python 127.0.0.1:1 ", "language host"),
        ("python -u /x/bench/engine/program.py {} ", "program"),
        ("python -u -m pulumi.dynamic 127.0.0.1:1 ", "provider of REST objects"),
        ("python -u -m bench.plugins hcloud 127.0.0.1:1 ", "plugin hcloud"),
        ("/home/x/pulumi-resource-docker 127.0.0.1:1 ", "plugin docker"),
        ("ssh -F config box ", ""),
    ],
)
def test_processes_are_told_apart(command: str, called: str) -> None:
    assert role(command) == called


def test_numbers_lose_the_point_that_pulumi_gives_them() -> None:
    assert whole({"order": 0.0, "ratio": 0.5, "pks": [1.0, {"pk": 2.0}]}) == {
        "order": 0, "ratio": 0.5, "pks": [1, {"pk": 2}],
    }  # fmt: skip
