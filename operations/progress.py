"""What is under way: what each thing waits for by name, and a live table of rooms for a terminal."""

from __future__ import annotations

import time
from collections.abc import Mapping

from pulumi.automation import OpType
from rich.console import Console, ConsoleOptions, RenderResult
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from components.containers.services import SERVICES
from operations.report import Report
from operations.resource_labels import ROOMS, ResourceLabel, longest_prefix_match

OUTSIDE: Mapping[str, str] = {
    "hcloud:": "Hetzner",
    "cloudflare:": "Cloudflare",
    "docker:": "Docker on the box",
    "command:": "the box",
    "npm.": "Nginx Proxy Manager",
    "authentik_": "authentik",
    "gatehouse.": "authentik",
}
"""Whom a thing waits for, by the beginning of its type."""
STARTS: Mapping[str, str] = {
    "hcloud:index/server:Server": "Hetzner, which makes the server and boots it",
    "command:local:Command": "ssh, then cloud-init, then the hardening",
    "command:local:Command/backups": "restic, which opens or makes the repository",
    "docker:index/remoteImage:RemoteImage": "the registry that the image is pulled from",
    "docker:index/container:Container": "the container to be healthy",
    **{f"docker:index/container:Container/{name}": service.awaited for name, service in SERVICES.items()},
    "npm.certificate": "Let's Encrypt, which looks at a record at Cloudflare",
}
"""The same of what is being made, where more is known of it; the longest key that fits counts."""
_MADE = (OpType.CREATE, OpType.CREATE_REPLACEMENT, OpType.REPLACE, OpType.UPDATE)
_SHOWN = 3
"""Things of a room that are named at once."""


def waits_for(operation: OpType, thing: ResourceLabel) -> str:
    """What something that is under way waits for; empty if it is not known."""
    table = {**OUTSIDE, **(STARTS if operation in _MADE else {})}
    return longest_prefix_match(table, f"{thing.type}/{thing.name}") or ""


def under_way(report: Report, room: str = "", longer_than: float = 0.0) -> list[str]:
    """What has been under way for longer than so many seconds, each with what it waits for; the longest first."""
    now = time.monotonic()
    moving = sorted(report.under_way.values(), key=lambda each: each[2])
    found = []
    for operation, thing, began in moving:
        if now - began >= longer_than and room in ("", thing.room):
            waits = waits_for(operation, thing)
            found.append(f"{thing}, {now - began:.0f} s{f', waits for {waits}' if waits else ''}")
    return found


class Rooms:
    """A table of the rooms in which something is under way or done, drawn anew each time it is asked for."""

    def __init__(self, report: Report, title: str) -> None:
        self._report = report
        self._title = title
        self._spinner = Spinner("dots")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The table as it is now."""
        now = time.monotonic()
        seconds = f"{now - self._report.began:.0f} s"
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True, justify="right")
        table.add_column(overflow="fold")
        for room in ROOMS:
            done = sum(each.label.room == room for each in self._report.changes)
            here = under_way(self._report, room)
            if not done and not here:
                continue
            lines = here[:_SHOWN] + ([f"and {len(here) - _SHOWN} more"] if len(here) > _SHOWN else [])
            table.add_row(Text(room, "bold"), f"{done} done", Text("\n".join(lines), "dim"))
        self._spinner.update(text=f"{self._title}, {seconds}")
        yield self._spinner
        yield table
