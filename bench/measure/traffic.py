"""What was asked of authentik: the emulator's own count of calls and bytes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from bench.plain import PlainWorld

_API = "/api/v3"
DOOR = ("/-/health/ready/", f"{_API}/core/users/me/")
"""Asked once a process: is it ready, and does our token work?"""


@dataclass
class Traffic:
    """Requests in the order in which they came, and the bytes of all bodies, both ways."""

    entries: list[dict[str, Any]]
    size: int

    @property
    def writes(self) -> list[str]:
        """Everything that is not a GET."""
        return [f"{e['method']} {e['path']}" for e in self.entries if e["method"] != "GET"]

    @property
    def door(self) -> int:
        """Calls that only see whether authentik lets us in."""
        return sum(entry["path"] in DOOR for entry in self.entries)

    @property
    def lists(self) -> Counter[str]:
        """How often each kind's list was asked for; its further pages count as part of it."""
        return Counter(
            entry["path"]
            for entry in self.entries
            if re.search(r"(^|&)page=1(&|$)", entry["query"]) and entry["method"] == "GET"
        )

    @property
    def pages(self) -> int:
        """Further pages of lists, which are no calls of their own kind."""
        return sum(bool(re.search(r"(^|&)page=(?!1(&|$))", entry["query"])) for entry in self.entries)

    @property
    def singles(self) -> list[str]:
        """Reads of one object."""
        return [
            entry["path"]
            for entry in self.entries
            if entry["method"] == "GET" and "page=" not in entry["query"] and entry["path"] not in DOOR
        ]

    def shape(self) -> Counter[str]:
        """How often each method and path was asked for, whatever the object's pk."""
        return Counter(
            f"{e['method']} {shapeless(e['path'])}{'?' if e['query'] else ''}" for e in self.entries
        )


def shapeless(path: str) -> str:
    """The path of a request without the name of the object: all after the kind, but for a last word."""
    if path in DOOR:
        return path
    kept = path.split("/")
    return "/".join([*kept[:5], *("*" if part else part for part in kept[5:6]), *kept[6:]])


def traffic(world: PlainWorld, run: Callable[[], object]) -> Traffic:
    """What a run asks for."""
    with httpx.Client(base_url=world.issuer, trust_env=False) as client:
        client.delete("/_bench/totals")
        client.delete("/_bench/journal")
        run()
        totals = client.get("/_bench/totals").raise_for_status().json()
        journal = client.get("/_bench/journal").raise_for_status().json()
    return Traffic(journal, sum(total["received"] + total["sent"] for total in totals))
