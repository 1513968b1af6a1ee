"""What the box does each night: with the real restic, and whatever goes wrong."""

from __future__ import annotations

import json

import pytest

from tests.backup.conftest import PaperBox

pytestmark = pytest.mark.engine


def test_a_good_backup_is_noted_and_told_and_nothing_else_is(box: PaperBox) -> None:
    said = box.back_up().out
    (snapshot,) = box.snapshots()
    assert snapshot in said and said.endswith("done\n")
    time, noted, where = (box.data / "backup/good").read_text().split()
    assert time.endswith("Z") and noted.startswith(snapshot) and where == str(box.repository)
    assert len(box.calls("curl")) == 1
    assert "beat.example" not in box.calls("curl")[0]  # the heartbeat's URL is not in anybody's `ps`
    held = {line for line in box.restic("ls", "latest") if line.startswith("/")}
    assert {
        "/backup/stage/npm.sqlite",
        "/npm/keys.json",
        "/letsencrypt/certificate",
        "/authentik/data/logo",
    } <= held
    assert (
        not {"/npm/database.sqlite", "/npm/logs"} & held
    )  # the copy of it is whole, the file itself may not be
    listed = json.loads(box.run("backup", "snapshots").out)
    assert [each["hostname"] for each in listed] == ["acme"]
    assert box.run("backup", "status").out.startswith("good 20")


FAULTS = {
    "the database's dump fails": ("docker", 3, "fail", "cannot be dumped: docker: No space left on device"),
    "half a dump is not taken for a whole one": ("docker", 3, "cut", "cannot be read back"),
    "Postgres does not run": ("docker", 1, "fail", "Postgres does not run on this box"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_dump_that_is_not_whole_is_no_backup(box: PaperBox, name: str) -> None:
    tool, number, what, words = FAULTS[name]
    box.fault(tool, number, what)
    done = box.back_up(good=False)
    assert words in done.err
    assert box.snapshots() == [] and not (box.data / "backup/good").exists()
    assert box.calls("curl") == []
    box.no_fault()
    box.back_up()
    assert len(box.snapshots()) == 1


def test_a_disk_without_room_for_the_dump(box: PaperBox) -> None:
    (box.root / "size").write_text(str(1 << 60))
    assert "The disk is full: the dump may need" in box.back_up(good=False).err
    (box.root / "size").unlink()
    box.back_up()


def test_a_repository_that_cannot_be_reached(box: PaperBox) -> None:
    box.configure(repository="rest:https://127.0.0.1:9/acme", keyId="acme", key="not-to-be-seen")
    done = box.back_up(good=False)
    assert "The repository rest:https://127.0.0.1:9/acme cannot be reached" in done.err
    assert "not-to-be-seen" not in done.err + done.out
    box.configure()
    box.back_up()


def test_a_repository_of_somebody_else(box: PaperBox) -> None:
    environment = box.root / "etc/gatehouse/backup/environment"
    before = environment.read_text()
    environment.write_text(before.replace("RESTIC_PASSWORD=", "RESTIC_PASSWORD=x"))
    assert "does not open with this client's password" in box.back_up(good=False).err
    environment.write_text(before)
    box.back_up()


def test_a_repository_that_was_taken_away_is_not_begun_anew_in_silence(box: PaperBox) -> None:
    box.back_up()
    box.repository.rename(box.root / "away")
    assert "There is no repository at" in box.back_up(good=False).err
    assert box.run("backup", "prepare").status == 1
    assert not box.repository.exists()
    assert box.run("backup", "prepare", "--new").status == 0
    box.back_up()
    assert len(box.snapshots()) == 1


def test_another_repository_is_begun(box: PaperBox) -> None:
    box.back_up()
    box.repository = box.root / "another"
    box.configure()
    assert box.run("backup", "prepare").status == 0
    box.back_up()
    assert len(box.snapshots()) == 1


@pytest.mark.parametrize("call", [3, 4])
def test_a_run_that_was_killed_is_gone_on_from(box: PaperBox, call: int) -> None:
    box.fault("docker", call, "kill")  # while it dumps, or reads the dump back
    assert box.run("backup", "run").status == -9
    box.no_fault()
    box.back_up()
    assert len(box.snapshots()) == 1


INCOMPLETE = """#!/bin/sh
if [ "$2" = backup ] && [ "$(cat "$GATEHOUSE_ROOT/incomplete")" -gt 0 ]; then
  echo $(($(cat "$GATEHOUSE_ROOT/incomplete") - 1)) >"$GATEHOUSE_ROOT/incomplete"
  "$GATEHOUSE_ROOT/bin/real-restic" "$@"
  echo "error: lstat npm/a.log: no such file or directory" >&2
  exit 3
fi
exec "$GATEHOUSE_ROOT/bin/real-restic" "$@"
"""


@pytest.mark.parametrize(("times", "good"), [(1, True), (3, False)])
def test_a_snapshot_that_lacks_a_file_is_taken_away_again(box: PaperBox, times: int, good: bool) -> None:
    (box.root / "bin/restic").rename(box.root / "bin/real-restic")
    box.tool("restic", INCOMPLETE)
    (box.root / "incomplete").write_text(str(times))
    done = box.back_up(good=good)
    assert len(box.snapshots()) == int(good)
    assert good or "lstat npm/a.log" in done.err


def test_only_so_many_are_kept_unless_nothing_may_be_deleted(box: PaperBox) -> None:
    box.back_up()
    box.back_up()
    assert len(box.snapshots()) == 1
    box.configure(appendOnly=True)
    box.back_up()
    assert len(box.snapshots()) == 2


def test_a_damaged_repository_is_found(box: PaperBox) -> None:
    box.back_up()
    assert (box.data / "backup/checked").exists()
    (box.data / "backup/checked").unlink()
    for pack in (box.repository / "data").rglob("*"):
        if pack.is_file():
            pack.chmod(0o600)
            pack.write_bytes(pack.read_bytes()[:-20])
    done = box.back_up(good=False)
    assert "is damaged" in done.err and "Begin a new one at another place" in done.err
    assert len(box.calls("curl")) == 1  # no heartbeat


def test_a_failure_is_noted_and_mailed(box: PaperBox) -> None:
    box.back_up()
    box.configure(mail="ops@agency.example")
    (box.root / "calls").unlink()
    box.fault("docker", 1, "fail")
    box.back_up(good=False)
    box.no_fault()
    box.run("backup", "ended", SERVICE_RESULT="exit-code", EXIT_STATUS="1")
    assert "failed 20" in box.run("backup", "status").out
    (mail,) = box.calls("curl")
    assert "--upload-file -" in mail and "ops@agency" not in mail
    # Not of one that found another under way, nor of a good one.
    box.run("backup", "ended", SERVICE_RESULT="exit-code", EXIT_STATUS="75")
    box.run("backup", "ended", SERVICE_RESULT="success")
    assert len(box.calls("curl")) == 1
    box.back_up()
    assert "failed" not in box.run("backup", "status").out
