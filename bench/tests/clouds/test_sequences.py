"""The HTTP exchanges of the official plugins, sent again in their order: status, and shape of each reply.

What the recording's API was, a simple fake, decides nothing about values: compared are the status, that every
field of its reply is there with the same type, and every text that the plugins read as an error. Ids are those
of the recording; actions, which are numbered differently, are matched one by one.
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.clouds.testing import make
from bench.tests.plugins import replay_cloudflare, replay_hcloud
from bench.tests.plugins.recordings import FOLDER, lines

CONTINUED = "..."  # the recording's lists end so after their first element
Exchange = dict[str, Any]


def exchanges(name: str) -> list[Exchange]:
    found: list[Exchange] = json.loads((FOLDER / f"{name}-http.json").read_text())
    return found


def shape_differs(want: Any, got: Any, path: str = "") -> str | None:
    """Where `got` lacks a field of `want` or has one of another type; None if nowhere."""
    if want is None or got is None or (isinstance(want, str) and want.startswith("<as other")):
        return None
    if isinstance(want, bool) != isinstance(got, bool):
        return f"{path}: want {want!r}, got {got!r}"
    if isinstance(want, dict):
        if not isinstance(got, dict):
            return f"{path}: want an object, got {got!r}"
        if missing := set(want) - set(got):
            return f"{path}: {sorted(missing)} missing"
        return next((d for k in want if (d := shape_differs(want[k], got[k], f"{path}.{k}"))), None)
    if isinstance(want, list):
        if not isinstance(got, list):
            return f"{path}: want a list, got {got!r}"
        pairs = zip((w for w in want if w != CONTINUED), got, strict=False)
        return next((d for w, g in pairs if (d := shape_differs(w, g, f"{path}[]"))), None)
    same = isinstance(got, int | float) if isinstance(want, int | float) else isinstance(got, type(want))
    return None if same else f"{path}: want {want!r}, got {got!r}"


def told(reply: Any) -> tuple[str, str]:
    """What an error of Hetzner's says; its details were the fake's own."""
    return reply["error"]["code"], reply["error"]["message"]


def ids_of(reply: Any) -> list[int]:
    """The ids of the actions of a reply, in order."""
    if not isinstance(reply, dict):
        return []
    actions = [reply.get("action"), *(reply.get("actions") or []), *(reply.get("next_actions") or [])]
    return [a["id"] for a in actions if a]


# Exchanges whose reply is the recording's own fault, and why.
NOT_AS_RECORDED = {
    ("update-server-ipv6-off", "POST", "/v1/servers/2002/actions/change_dns_ptr"): "the fake crashed",
}
KINDS = {"ssh_keys", "servers", "firewalls", "volumes", "primary_ips"}


def test_hetzners_plugin_is_answered_as_it_was(tmp_path: Path) -> None:
    clouds = make(tmp_path, correlation_id=lambda: "fakecorrelationid")
    clouds.tokens = replace(clouds.tokens, hetzner=replay_hcloud.TOKEN)
    cases = list(dict.fromkeys(line["case"] for line in lines("hcloud") if "case" in line))
    differences, statuses, at, numbers = [], Counter[int](), -1, dict[int, int]()
    with ExitStack() as stack:
        stack.enter_context(clouds.running())
        headers = {"Authorization": f"Bearer {replay_hcloud.TOKEN}"}
        base = clouds.hetzner_endpoint.removesuffix("/v1")
        http = stack.enter_context(httpx.Client(base_url=base, headers=headers))
        for one in exchanges("hcloud"):
            while cases[max(at, 0)] != one["case"] or at < 0:
                at += 1
                if hand := replay_hcloud.HANDS.get(cases[at]):
                    hand(clouds.project)
            for _ in range(one["count"] if one["status"] == 429 else 1):  # tried again
                answer = _send(http, one, clouds, numbers)
            statuses[answer.status_code] += 1
            if (one["case"], one["method"], one["path"]) in NOT_AS_RECORDED:
                continue
            got = answer.json() if answer.content and one["reply"] is not None else None
            numbers |= dict(zip(ids_of(one["reply"]), ids_of(got), strict=False))
            where = f"{one['case']} {one['method']} {one['path']}"
            if answer.status_code != one["status"]:
                differences.append(
                    f"{where}: {answer.status_code} in place of {one['status']}: {answer.text[:200]}"
                )
            elif one["status"] >= 400 and one["reply"] and told(got) != told(one["reply"]):
                differences.append(f"{where}: {told(got)} in place of {told(one['reply'])}")
            elif difference := shape_differs(one["reply"], got):
                differences.append(f"{where}{difference}")
    print(f"{sum(statuses.values())} requests, {len(differences)} answered otherwise, {dict(statuses)}")
    assert not differences, "\n".join(differences)


def _send(http: httpx.Client, one: Exchange, clouds: Any, numbers: dict[int, int]) -> httpx.Response:
    kind = one["path"].rpartition("/")[2]
    if one["method"] == "POST" and kind in KINDS and one["status"] == 201:
        made = next(v for v in one["reply"].values() if isinstance(v, dict) and "id" in v)
        clouds.project.data["next"][kind] = made["id"]
    query = dict(one.get("query") or {})
    if one["path"] == "/v1/actions":
        asked = query["id"] if isinstance(query["id"], list) else [query["id"]]
        query["id"] = [str(numbers.get(int(number), number)) for number in asked]
    answer = http.request(one["method"], one["path"], params=query, json=one.get("body"))
    _settled(http, answer)
    return answer


def _settled(http: httpx.Client, answer: httpx.Response) -> None:
    """Wait for the actions of a reply, as the plugin does before it goes on."""
    for number in ids_of(answer.json() if answer.content and answer.is_success else None):
        while http.get(f"/v1/actions/{number}").json()["action"]["status"] == "running":
            pass


def test_cloudflares_plugin_is_answered_as_it_was(tmp_path: Path) -> None:
    next_id = ""
    clouds = make(tmp_path, zones=dict(replay_cloudflare.ZONES), new_record_id=lambda: next_id)
    clouds.tokens = replace(clouds.tokens, cloudflare=replay_cloudflare.TOKEN)
    cases = list(dict.fromkeys(line["case"] for line in lines("cloudflare") if "case" in line))
    differences, at, count = [], -1, 0
    with ExitStack() as stack:
        stack.enter_context(clouds.running())
        headers = {"Authorization": f"Bearer {replay_cloudflare.TOKEN}"}
        base = clouds.cloudflare_base_url.removesuffix("/client/v4")
        http = stack.enter_context(httpx.Client(base_url=base, headers=headers))
        for one in exchanges("cloudflare"):
            while cases[max(at, 0)] != one["case"] or at < 0:
                at += 1
                if hand := replay_cloudflare.HANDS.get(cases[at]):
                    hand(clouds)
            if one["method"] == "POST" and one["status"] == 200:
                next_id = one["reply"]["result"]["id"]
            answer = http.request(one["method"], one["path"], params=one.get("query"), json=one.get("body"))
            count += 1
            where = f"{one['case']} {one['method']} {one['path']}"
            if answer.status_code != one["status"]:
                differences.append(
                    f"{where}: {answer.status_code} in place of {one['status']}: {answer.text[:200]}"
                )
            elif one["status"] >= 400 and answer.json() != one["reply"]:
                differences.append(f"{where}: {answer.json()} in place of {one['reply']}")
            elif difference := shape_differs(one["reply"], answer.json()):
                differences.append(f"{where}{difference}")
    print(f"{count} requests, {len(differences)} answered otherwise")
    assert not differences, "\n".join(differences)


def test_the_comparison_sees_a_difference() -> None:
    assert shape_differs({"a": [{"b": 1}]}, {"a": [{"b": 2}]}) is None
    assert shape_differs({"a": 1.0}, {"a": 1}) is None
    for want, got in (
        ({"a": 1}, {}),
        ({"a": [{"b": 1}]}, {"a": [{"c": 1}]}),
        ({"a": True}, {"a": 1}),
        ([1], {}),
    ):
        with pytest.raises(AssertionError):
            assert shape_differs(want, got) is None
