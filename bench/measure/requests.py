"""Makes the naive program that sends the requests that gatehouse sent, and a loop that sends them without an engine."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import httpx

from bench.measure.naive.sends import CHANGE, REFRESH, Sender
from bench.measure.stacks import APART, Client, Naive
from bench.measure.traffic import DOOR, Traffic
from bench.plain import PlainWorld

_API = "/api/v3"
_POINTS = {
    "group": "/core/groups/",
    "groups": "/core/groups/",
    "provider": "/providers/oauth2/",
    "target": "/core/applications/",
}
"""Fields that name other objects, and the kind of those."""
_CALLED = {
    "/core/groups/": "name",
    "/core/users/": "username",
    "/providers/oauth2/": "name",
    "/core/applications/": "slug",
}
"""What an object of a kind is called; bindings have no name."""
_NEEDS = {
    "/crypto/certificatekeypairs/": "/providers/oauth2/",
    "/propertymappings/provider/scope/": "/providers/oauth2/",
    "/flows/instances/": "/providers/oauth2/",
    "/providers/all/": "/core/applications/",
}
"""Lists of what others refer to, and who refers to it."""
_UNIQUE = {"name", "slug", "username", "client_id"}
"""Fields that no two objects may have alike."""
_SEPARATE = {"set_password": "password"}


class UnlikeError(Exception):
    """The naive program does not do the same as gatehouse, so a ratio would mean nothing."""


def requests(folder: Path, client: Client, world: PlainWorld, seen: Traffic) -> Naive:
    """The naive program for what `client` sent to `world` when it was brought up."""
    naive = Naive(folder, "requests", client)
    (folder / "requests.json").write_text(json.dumps(document(world, seen)))
    return naive


def ask_for(naive: Naive, refreshed: Traffic, changed: Traffic) -> None:
    """Have the naive program ask for the lists that were asked for when a client was refreshed, and changed."""
    path = naive.folder / "requests.json"
    made = json.loads(path.read_text())
    made["lists"] |= {REFRESH: _lists(refreshed), CHANGE: _lists(changed)}
    path.write_text(json.dumps(made))


def _lists(seen: Traffic) -> list[str]:
    """What was asked for that is no object."""
    return [_whole(e) for e in seen.entries if e["method"] == "GET" and (e["query"] or e["path"] in DOOR)]


def _whole(entry: dict[str, Any]) -> str:
    return f"{entry['path']}?{entry['query']}" if entry["query"] else str(entry["path"])


def document(world: PlainWorld, seen: Traffic) -> dict[str, Any]:
    """What the naive program reads: lists by the kind before whose first object they come, and the objects."""
    posts = [
        e for e in seen.entries if e["method"] == "POST" and e["path"].rsplit("/", 2)[1] not in _SEPARATE
    ]
    kinds = {entry["path"] for entry in posts}
    lists: dict[str, list[str]] = {"": []}
    for entry in seen.entries:
        if entry["method"] == "GET" and (entry["query"] or entry["path"] in DOOR):
            needed = f"{_API}{_NEEDS.get(entry['path'].removeprefix(_API), '')}"
            before = entry["path"] if entry["path"] in kinds else needed if needed in kinds else ""
            lists.setdefault(before, []).append(_whole(entry))
    known = _known(world)
    passwords = {
        e["path"].split("/")[-3]: e["body"]["password"] for e in seen.entries if "/set_password/" in e["path"]
    }
    users = {name: pk for pk, name in known["/core/users/"].items()}
    objects = [_object(entry, number, known) for number, entry in enumerate(posts)]
    for item in objects:
        if (pk := users.get(item["body"].get("username", "").removesuffix(APART))) in passwords:
            item["body"]["password"] = passwords[pk]
            item["call"]["apart"] = {"password": "set_password/"}
    return {"address": world.issuer, "token": world.token, "lists": lists, "objects": objects}


def _object(entry: dict[str, Any], number: int, known: dict[str, dict[str, str]]) -> dict[str, Any]:
    path, body = entry["path"], dict(entry["body"])
    kind = path.removeprefix(_API)
    called = body[_CALLED[kind]] if kind in _CALLED else f"{number}"
    edges: dict[str, Any] = {}
    for field, to in _POINTS.items():
        if field in body:
            value = body.pop(field)
            keys = [f"{to}{known[to][str(pk)]}" for pk in (value if isinstance(value, list) else [value])]
            edges[field] = keys if isinstance(value, list) else keys[0]
    for field in _UNIQUE & body.keys():
        body[field] += APART
    return {
        "key": f"{kind}{called}",
        "name": f"{kind.strip('/').replace('/', '-')}-{called}",
        "call": {"path": path, "url": "slug" if kind == "/core/applications/" else "pk", "apart": {}},
        "body": body,
        "edges": edges,
    }


def _known(world: PlainWorld) -> dict[str, dict[str, str]]:
    """For each kind that has names, pk -> name of what the emulator holds."""
    found: dict[str, dict[str, str]] = {}
    headers = {"Authorization": f"Bearer {world.token}"}
    with httpx.Client(base_url=world.issuer, headers=headers, trust_env=False, timeout=60) as client:
        for kind, called in _CALLED.items():
            page, names = 1, dict[str, str]()
            while page:
                query: dict[str, str | int] = {"page_size": 100, "page": page, "superuser_full_list": "true"}
                answer = client.get(f"{_API}{kind}", params=query).raise_for_status().json()
                names |= {str(item["pk"]): str(item[called]) for item in answer["results"]}
                page = int(answer["pagination"]["next"])
            found[kind] = names
    return found


class Loop:
    """The same requests one after the other, without an engine."""

    def __init__(self, naive: Naive) -> None:
        self._document = json.loads((naive.folder / "requests.json").read_text())
        self._made: list[str] = []

    def up(self) -> None:
        """Send everything."""
        sender = self._sender()
        pks: dict[str, Any] = {}
        for item in self._document["objects"]:
            edges = {
                field: [pks[key] for key in keys] if isinstance(keys, list) else pks[keys]
                for field, keys in item["edges"].items()
            }
            pks[item["key"]], where = sender.make(item["call"], {**item["body"], **edges})
            self._made.append(where)

    def down(self) -> None:
        """Delete it all again."""
        sender = self._sender()
        for where in reversed(self._made):
            sender.send("DELETE", where)
        self._made = []

    def _sender(self) -> Sender:
        return Sender(
            self._document["address"], self._document["token"], copy.deepcopy(self._document["lists"])
        )


def same(ours: Traffic, naive: Traffic) -> None:
    """Raises UnlikeError unless both sent the same requests, objects' own pks aside."""
    a, b = ours.shape(), naive.shape()
    if a != b:
        lines = [f"{key}: {a[key]} and {b[key]}" for key in sorted({*a, *b}) if a[key] != b[key]]
        raise UnlikeError("gatehouse and the naive program did not send the same:\n" + "\n".join(lines))
