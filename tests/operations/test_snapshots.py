"""The screens of a client's life, as an operator sees them: tests/operations/snapshots has each, whole.

They are compared after times and ports were made equal, and lines of things that are done side by side were put in
order. When a screen is meant to change, run this file with UPDATE_SNAPSHOTS=1, and read the diff.
"""

from __future__ import annotations

import io
import os
import re
import time
from itertools import groupby
from pathlib import Path

import pytest
from pulumi.automation import OpType
from rich.console import Console

from bench.plain import PlainWorld
from bench.project import PYTHON
from operations import progress
from operations.progress import Rooms, under_way
from operations.report import Change, Report
from operations.resource_labels import label_resource
from tests.operations.client import BenchClient
from tests.operations.terminal import on_terminal

SNAPSHOTS = Path(__file__).with_name("snapshots")
WIKI = {"preset": "nextcloud", "url": "https://files.acme.example", "groups": ["staff"]}
MOVED = WIKI | {"url": "https://cloud.acme.example"}
JANE = {"username": "jane", "name": "Jane", "email": "jane@acme.example", "groups": ["staff"]}
PLAIN = 0
"""In place of a width: no terminal, where lines are as long as they are."""


@pytest.mark.engine
@pytest.mark.parametrize("columns", [PLAIN, 80, 200])
def test_a_client_s_life(tmp_path: Path, world: PlainWorld, columns: int) -> None:
    client = BenchClient(tmp_path / "p", world, groups=["staff"], people=[JANE], apps={"files": WIKI})

    def shown(situation: str, *args: str) -> None:
        compare(f"{situation}-{columns or 'plain'}", screen(client, columns, *args))

    try:
        shown("preview", "preview", "acme")
        shown("up", "up", "acme", "--yes")
        shown("no-change", "preview", "acme", "--expect-no-changes")
        client.edit(people=[], apps={"files": MOVED})
        shown("edit", "preview", "acme", "--expect-no-changes")
        client.edit(people=[JANE], apps={"files": WIKI | {"launchUrl": "https://files.acme.example/start"}})
        client.fault("PATCH", "/core/applications/", status=500, times=9)
        shown("failure", "up", "acme", "--yes")
        client.no_faults()
        shown("destroy", "destroy", "acme", "--confirm", "acme")
    finally:
        client.end()


@pytest.mark.engine
@pytest.mark.parametrize("columns", [PLAIN, 80, 200])
def test_a_stack_file_with_mistakes(tmp_path: Path, world: PlainWorld, columns: int) -> None:
    wrong = [JANE | {"email": "nobody"}, JANE | {"groups": ["stuff"]}]
    client = BenchClient(tmp_path / "p", world, groups=["staff"], people=wrong)
    try:
        compare(f"refused-{columns or 'plain'}", screen(client, columns, "up", "acme", "--yes"))
    finally:
        client.end()


@pytest.mark.parametrize("columns", [80, 200])
def test_what_is_under_way(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table in the middle of a first `up`, and the line that stands for it where there is no terminal."""
    began = time.monotonic()
    report = Report(began=began - 100)
    inside = "urn:pulumi:acme::gatehouse::gatehouse:client:Client$"
    for type_, name in (
        ("hcloud:index/server:Server", "server"),
        ("cloudflare:index/dnsRecord:DnsRecord", "auth-A"),
    ):
        made = label_resource(f"{inside}{type_}::{name}")
        assert made
        report.changes.append(Change(OpType.CREATE, made))
    for type_, name, seconds in (
        ("docker:index/container:Container", "authentik-server", 74),
        ("docker:index/container:Container", "authentik-worker", 73),
        ("docker:index/container:Container", "npm", 9),
        ("docker:index/remoteImage:RemoteImage", "redis", 4),
        ("pulumi-python:dynamic/npm:certificate", "gatehouse auth.acme.example", 12),
    ):
        urn = f"{inside}{type_}::{name}"
        moving = label_resource(urn)
        assert moving
        report.under_way[urn] = (OpType.CREATE, moving, began - seconds)
    monkeypatch.setattr(progress.time, "monotonic", lambda: began)
    console = Console(
        width=columns, file=io.StringIO(), force_terminal=True, no_color=True, legacy_windows=False
    )
    console.print(Rooms(report, "bringing acme up"))
    assert isinstance(console.file, io.StringIO)
    drawn = re.sub(r"\x1b\[[0-9;]*m", "", console.file.getvalue())
    lines = [*(line.rstrip() for line in drawn.splitlines()), "", *under_way(report, longer_than=15)]
    compare(f"under-way-{columns}", "\n".join(lines) + "\n")


def screen(client: BenchClient, columns: int, *args: str) -> str:
    """What a command shows on a terminal of so many columns, or without one; and its exit code."""
    if columns:
        environment = client.project.environment | {"GATEHOUSE_PULUMI": ""}
        said = on_terminal([PYTHON, "-m", "operations", *args], client.project.folder, environment, columns)
    else:
        code, out, err = client.project.ended(*args, GATEHOUSE_PULUMI="")
        said = f"{out}{err}".rstrip() + f"\n(exit code {code})"
    return normalized(said)


def compare(name: str, said: str) -> None:
    """Hold a screen against the snapshot of that name; or keep it as the new one, where that is asked for."""
    file = SNAPSHOTS / f"{name}.txt"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        SNAPSHOTS.mkdir(exist_ok=True)
        file.write_text(said, encoding="utf-8")
    assert said == file.read_text(encoding="utf-8")


def normalized(said: str) -> str:
    """A screen without what differs from run to run."""
    said = re.sub(r"(?m)^ *\d+ s  ", "   N s  ", said)
    said = re.sub(r"after \d+ s", "after N s", said)
    said = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", said)
    lines = said.splitlines()
    return "".join(
        f"{line}\n" for timed, group in groupby(lines, _is_done) for line in _ordered(timed, [*group])
    )


def _is_done(line: str) -> bool:
    return line.startswith("   N s  ")


def _ordered(timed: bool, lines: list[str]) -> list[str]:
    return sorted(lines) if timed else lines
