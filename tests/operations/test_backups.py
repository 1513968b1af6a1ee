"""`backup`, `snapshots`, `restore` and `rehearse` on the operator's machine, with a paper box behind ssh."""

from __future__ import annotations

import io
import json
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from components import ssh
from components.problems import Problem
from operations import backups, box
from operations.backups import Backups, Snapshot, judged
from operations.cli import app
from operations.errors import OperatorError
from operations.rehearse import compare
from tests.host import mocks

BACKUP = {"repository": "b2:acme-sso", "keyId": "an-id", "key": "a-key"}
NOW = datetime.now(UTC).replace(microsecond=0)


class Paper:
    """A client with a box, and what the scripts on it are asked and answer."""

    def __init__(self) -> None:
        self.settings = mocks.settings(backup=BACKUP)
        self.resources: list[dict[str, Any]] = [
            {
                "urn": "urn:pulumi:acme::gatehouse::docker:index/container:Container::npm",
                "type": box.CONTAINER,
            },
            {
                "urn": "urn:pulumi:acme::gatehouse::command:local:Command::backups",
                "type": "command:local:Command",
            },
        ]
        self.asked: list[tuple[str, ...]] = []
        self.snapshots: list[tuple[str, datetime]] = [
            ("aaaa1111", NOW - timedelta(days=2)),
            ("bbbb2222", NOW),
        ]
        self.failing = ""
        self.lost = False

    def follow(self, *command: str, heard: Any, given: bytes = b"") -> tuple[int, str]:
        self.asked.append(
            command[3:] if command[2].endswith("/backup") else (command[2].rpartition("/")[2], *command[3:])
        )
        if self.lost:
            raise ssh.UnreachableError("203.0.113.10 (acme's box) cannot be reached over ssh: no route")
        if self.failing:
            heard(self.failing)
            return 1, self.failing
        if command[3] == "snapshots":
            heard(json.dumps([{"time": time.isoformat(), "short_id": name} for name, time in self.snapshots]))
        return 0, ""


@pytest.fixture
def paper(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Paper:
    made = Paper()
    monkeypatch.setattr(box.Box, "follow", lambda _, *command, **more: made.follow(*command, **more))
    for name, value in {
        "require": lambda self: self,
        "settings": lambda _: made.settings,
        "deployment": lambda _: {"resources": made.resources},
        "pulumi": lambda *_: type("Done", (), {"stdout": '{"deployment": "sealed"}'})(),
    }.items():
        monkeypatch.setattr(backups.Stack, name, value)
    monkeypatch.setattr(backups.Stack, "file", tmp_path / "Pulumi.acme.yaml", raising=False)
    monkeypatch.setattr(backups.Stack, "__init__", lambda self, name: setattr(self, "name", name))
    (tmp_path / "Pulumi.acme.yaml").write_text(
        "encryptionsalt: v1:salt:v1:more\n# ours\nconfig:\n  gatehouse:client: acme\n"
        "  gatehouse:rootSecret:\n    secure: v1:root\n  gatehouse:email: {password: {secure: v1:mail}, host: a}\n"
    )
    return made


def typed(*words: str, given: str = "") -> tuple[int, str]:
    """A command as it is typed; how it ended, and what it said."""
    done = CliRunner().invoke(app, [*words], input=given)
    return done.exit_code, " ".join(f"{done.output} {done.exception or ''}".split())


def test_the_box_gets_the_papers_and_backs_itself_up(paper: Paper) -> None:
    code, said = typed("backup", "acme")
    assert (code, paper.asked) == (0, [("papers",), ("now",)])
    assert "acme is backed up." in said
    typed("backup", "acme", "--new-repository")
    assert paper.asked[2] == ("prepare", "--new")


def test_the_papers_hold_no_secret(paper: Paper) -> None:
    with tarfile.open(fileobj=io.BytesIO(backups.papers(backups.Stack("acme")))) as archive:
        texts = {each.name: archive.extractfile(each).read().decode() for each in archive}  # type: ignore[union-attr]
    stack = texts["Pulumi.acme.yaml"]
    assert "v1:" not in stack and "# ours" in stack
    assert "{password: {secure: not-in-backups}, host: a}" in stack
    assert texts["state.json"] == '{"deployment": "sealed"}'


def test_snapshots_are_listed(paper: Paper) -> None:
    code, said = typed("snapshots", "acme")
    assert code == 0 and "aaaa1111" in said and "2 days ago" in said
    code, said = typed("snapshots", "acme", "--json")
    assert [each["id"] for each in json.loads(said)] == ["aaaa1111", "bbbb2222"]
    paper.snapshots = []
    assert "Make one: ./gatehouse backup acme" in typed("snapshots", "acme")[1]


def test_a_restore_says_what_is_lost_and_asks_for_the_name(paper: Paper) -> None:
    code, said = typed("restore", "acme", given="acme\n")
    assert code == 0 and paper.asked[-1] == ("restore", "start", "bbbb2222")
    assert "passwords and second factors that were set" in said and "./gatehouse up acme" in said
    code, said = typed("restore", "acme", "aaaa", given="another\n")
    assert code == 1 and "nothing was touched" in said
    assert paper.asked[-1] == ("snapshots",)
    assert typed("restore", "acme", "aaaa1111", "--confirm", "acme")[0] == 0
    assert paper.asked[-1] == ("restore", "start", "aaaa1111")
    assert typed("restore", "acme", "--undo")[0] == 0
    assert paper.asked[-1] == ("restore", "undo")
    assert "Give one of them" in typed("restore", "acme", "aaaa1111", "--undo")[1]


def test_a_snapshot_that_there_is_not(paper: Paper) -> None:
    assert "There is no snapshot cccc of acme" in typed("restore", "acme", "cccc", "--confirm", "acme")[1]
    paper.snapshots = []
    assert "has no backup of acme yet" in typed("restore", "acme", "--confirm", "acme")[1]


def test_what_the_box_says_is_what_ends_the_command(paper: Paper) -> None:
    paper.failing = "The repository b2:acme-sso cannot be reached (no answer)."
    code, said = typed("backup", "acme")
    assert code == 1 and "acme: The repository b2:acme-sso cannot be reached" in said
    assert said.count("cannot be reached") == 1
    paper.failing, paper.lost = "", True
    assert "run the same command again to see how it ended" in typed("backup", "acme")[1]


def test_a_client_that_is_not_backed_up(paper: Paper) -> None:
    paper.resources.pop()
    assert "Bring it up first: ./gatehouse up acme" in typed("backup", "acme")[1]
    paper.settings = mocks.settings()
    assert "its stack file has no gatehouse:backup" in typed("backup", "acme")[1]
    elsewhere = {"box": "none", "server": None, "operators": None}
    paper.settings = mocks.settings(
        **elsewhere, authentik={"version": "2026.8.3", "url": "https://sso.acme.example", "token": "t"}
    )
    assert "whoever runs its authentik backs it up" in typed("backup", "acme")[1]


def words(status: dict[str, str]) -> list[str]:
    return [
        f"{each.what}. {each.remedy}" if isinstance(each, Problem) else each.what
        for each in judged("acme", status)
    ]


def test_what_doctor_says_of_the_last_backup() -> None:
    def at(hours: int) -> str:
        return f"{NOW - timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ} abcd b2:acme-sso"

    assert words({"good": at(5)}) == ["the last good backup is 5 hours old"]
    (late,) = words({"good": at(80)})
    assert late == "the last good backup is 3 days old. Once it is put right: ./gatehouse backup acme"
    (failed,) = words({"good": at(5), "failed": "2026-11-30T02:30:00Z The disk is full."})
    assert "5 hours old; the last one failed: The disk is full." in failed
    (never,) = words({})
    assert never == "there is no good backup yet. Make one: ./gatehouse backup acme"
    cut_off, _ = words({"good": at(5), "restoring": at(1)})
    assert "a restore was cut off" in cut_off


def test_doctor_asks_the_box(paper: Paper, monkeypatch: pytest.MonkeyPatch) -> None:
    told = SimpleNamespace(stdout=f"good {NOW:%Y-%m-%dT%H:%M:%SZ} abcd b2:acme-sso\n")
    monkeypatch.setattr(box.Box, "run", lambda *_, **__: told)
    (good,) = backups.findings(backups.Stack("acme"), paper.settings, paper.resources)
    assert good.what == "the last good backup is a minute old"
    (later,) = backups.findings(backups.Stack("acme"), paper.settings, [])
    assert later.what == "the box is set up for it by the next `up`: b2:acme-sso"

    def away(*_: Any, **__: Any) -> None:
        raise ssh.UnreachableError("203.0.113.10 (acme's box) cannot be reached over ssh: no route")

    monkeypatch.setattr(box.Box, "run", away)
    (unasked,) = backups.findings(backups.Stack("acme"), paper.settings, paper.resources)
    assert isinstance(unasked, Problem) and "cannot be asked when it was last backed up" in unasked.what


def test_doctor_advises_to_back_up(paper: Paper) -> None:
    (advice,) = backups.findings(backups.Stack("acme"), mocks.settings(), paper.resources)
    assert isinstance(advice, Problem) and not advice.refuses and "nothing is backed up" in advice.what


class Lists:
    """An authentik that lists these."""

    def __init__(self, *objects: dict[str, Any]) -> None:
        self.objects = objects

    def get(self, path: str, params: dict[str, Any]) -> Any:
        found = {"results": [*self.objects], "pagination": {"next": 0}}
        return type("Answer", (), {"is_error": False, "json": lambda _: found})()


def test_what_is_compared() -> None:
    jane = {"pk": 1, "username": "jane", "groups": ["a", "b"], "is_active": True}
    nora = {"pk": 2, "username": "nora", "groups": []}
    found = compare("people", Lists(jane, nora), Lists({**jane, "groups": ["b", "a"]}))  # type: ignore[arg-type]
    assert (found.count, found.lost, found.changed, found.ok) == (2, ("nora",), (), False)
    found = compare("people", Lists(jane), Lists({**jane, "is_active": False}, nora))  # type: ignore[arg-type]
    assert (found.lost, found.changed, found.ok) == ((), ("jane",), False)


def test_an_age_is_said_as_people_say_it() -> None:
    for passed, said in (
        ({"seconds": 5}, "a minute"),
        ({"minutes": 5}, "5 minutes"),
        ({"hours": 1}, "1 hour"),
        ({"days": 3}, "3 days"),
    ):
        assert Snapshot(datetime.now(UTC) - timedelta(**passed), "x").age == said


def test_backups_are_none_of_a_client_that_is_not_there() -> None:
    with pytest.raises(OperatorError):
        Backups(backups.Stack("nobody"), print)
