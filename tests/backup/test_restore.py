"""A snapshot put in the place of what is on the box: killed anywhere, damaged, undone."""

from __future__ import annotations

import shutil

import pytest

from tests.backup.conftest import PaperBox

pytestmark = pytest.mark.engine


def restore(box: PaperBox, snapshot: str = "latest", *, good: bool = True) -> str:
    """`restore run`; what it said last."""
    done = box.run("restore", "run", snapshot)
    assert (done.status == 0) is good, done
    return done.out + done.err


def tidy(box: PaperBox) -> bool:
    """Whether nothing is left of a restore, and what was stopped runs."""
    left = {path.name for path in (box.data / "backup").iterdir()} & {"restored", "before", "restoring"}
    databases = {path.name for path in (box.root / "databases").iterdir()}
    return not left and databases == {"authentik"} and not (box.root / "stopped").exists()


def test_everything_is_as_it_was(box: PaperBox) -> None:
    box.back_up()
    box.live("damaged")
    assert restore(box).endswith("restored\n")
    assert box.says() == {"as it was"} and tidy(box)


@pytest.mark.parametrize("every", [5, pytest.param(1, marks=pytest.mark.nightly)])
def test_killed_anywhere_the_same_command_again_ends_it(box: PaperBox, every: int) -> None:
    box.back_up()
    box.live("damaged")
    box.fault("docker", 0, "")
    restore(box)
    calls = box.no_fault()
    box.live("damaged")
    for call in range(4, calls + 1, every):  # before that, nothing was begun
        box.fault("docker", call, "kill")
        assert box.run("restore", "run", "latest").status == -9
        box.no_fault()
        # Whatever happened: what was there before is still there somewhere, until the new one answers.
        kept = {path.read_text() for path in (box.root / "databases").iterdir()}
        assert "damaged" in kept or box.says() == {"as it was"}
    restore(box)
    assert box.says() == {"as it was"} and tidy(box)


def test_a_backup_waits_for_a_restore_that_was_cut_off(box: PaperBox) -> None:
    box.back_up()
    (box.data / "backup/restoring").write_text("2026-11-30T02:30:00Z latest\n")
    assert "A restore of this box has not come to its end" in box.back_up(good=False).err
    restore(box)
    box.back_up()


def test_what_was_there_before_comes_back(box: PaperBox) -> None:
    box.back_up()
    box.live("as it is now")
    box.tool("sleep", "#!/bin/sh\nexit 0\n")
    box.tool(
        "docker", (box.root / "bin/docker").read_text().replace('print("healthy" if', 'print("starting" if')
    )
    said = restore(box, good=False)
    assert "does not answer after 600 s" in said and "./gatehouse restore acme --undo" in said
    assert box.says() == {"as it was"}
    box.tool(
        "docker", (box.root / "bin/docker").read_text().replace('print("starting" if', 'print("healthy" if')
    )
    done = box.run("restore", "undo")
    assert done.status == 0, done
    assert box.says() == {"as it is now"} and tidy(box)
    assert box.run("restore", "undo").status == 1


def test_a_snapshot_that_cannot_be_read_touches_nothing(box: PaperBox) -> None:
    box.back_up()
    box.live("as it is now")
    for pack in (box.repository / "data").rglob("*"):
        if pack.is_file():
            pack.chmod(0o600)
            pack.write_bytes(pack.read_bytes()[:100])
    shutil.rmtree(box.root / "var")  # restic's own copies of it
    said = restore(box, good=False)
    assert "Nothing was touched: snapshot latest cannot be read as a whole" in said
    assert box.says() == {"as it is now"} and tidy(box)


@pytest.mark.parametrize(
    ("snapshot", "running", "good"), [("2026.8.3", "2026.5.1", False), ("2026.5.1", "2026.8.3", True)]
)
def test_authentik_cannot_go_back(box: PaperBox, snapshot: str, running: str, good: bool) -> None:
    (box.root / "image").write_text(f"ghcr.io/goauthentik/server:{snapshot}\n")
    box.back_up()
    box.live("as it is now")
    (box.root / "image").write_text(f"ghcr.io/goauthentik/server:{running}\n")
    said = restore(box, good=good)
    assert good or f"the snapshot is of authentik {snapshot}, and {running} runs here" in said
    assert box.says() == {"as it was" if good else "as it is now"} and tidy(box)
