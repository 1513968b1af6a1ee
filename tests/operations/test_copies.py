"""The state's own copies: before and after each run, whole, on the disk; and room for them."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from operations import backend, copies
from operations.errors import OperatorError
from operations.stack import Stack

pytestmark = pytest.mark.case("8")


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stack:
    """A stack whose state lies below a folder of the test."""
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}/state")
    monkeypatch.setattr(copies, "ROOT", tmp_path)
    return Stack("acme")


def write(stack: Stack, resources: int, *, cut: int = 0) -> Path:
    """Write the state as Pulumi does, with so many resources in it; or without its last `cut` characters."""
    state = copies.state_file(stack)
    assert state
    state.parent.mkdir(parents=True, exist_ok=True)
    latest: dict[str, Any] = {"resources": [{"urn": str(number)} for number in range(resources)]}
    text = json.dumps({"version": 3, "checkpoint": {"stack": "acme", "latest": latest}})
    state.write_text(text[: len(text) - cut])
    return state


def kept(stack: Stack) -> list[Path]:
    return sorted(copies.folder(stack).glob("*.json"))


def test_each_run_begins_with_a_copy_that_nobody_else_reads(stack: Stack) -> None:
    state = write(stack, 1)
    assert backend.clear_leftovers(stack) == []
    assert backend.clear_leftovers(stack) == []
    (copy,) = kept(stack)
    assert copy.read_text() == state.read_text()
    assert [stat.S_IMODE(each.stat().st_mode) for each in (copy, copy.parent)] == [0o600, 0o700]


def test_it_is_on_the_disk_when_the_run_goes_on(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync
    monkeypatch.setattr(
        os,
        "fsync",
        lambda file: (synced.append(str(Path(f"/proc/self/fd/{file}").readlink())), real(file))[1],
    )
    write(stack, 1)
    copies.copy_state(stack)
    (copy,) = kept(stack)
    assert [str(copy.parent) in each for each in synced] == [True, True]  # the file, and its name


def test_only_the_newest_are_kept(stack: Stack) -> None:
    for number in range(copies.KEPT + 5):
        write(stack, number)
        copies.copy_state(stack)
    found = kept(stack)
    assert len(found) == copies.KEPT
    assert len(json.loads(found[-1].read_text())["checkpoint"]["latest"]["resources"]) == copies.KEPT + 4


@pytest.mark.parametrize("cut", [1, 40, 10_000])
def test_a_state_that_was_cut_is_put_back(stack: Stack, cut: int) -> None:
    """Also where its backup is cut at the same byte, as a full disk does; or is empty, as after a power cut."""
    state = write(stack, 2)
    whole = state.read_text()
    copies.copy_state(stack)
    write(stack, 3, cut=cut)
    state.with_name("acme.json.bak").write_text(state.read_text())
    (note,) = backend.clear_leftovers(stack)
    assert "had been cut off" in note
    assert state.read_text() == whole


def test_pulumis_own_backup_may_be_the_newest(stack: Stack) -> None:
    state = write(stack, 1)
    copies.copy_state(stack)
    newer = write(stack, 2).read_text()
    backup = state.with_name("acme.json.bak")
    backup.write_text(newer)
    later = backup.stat().st_mtime + 5
    os.utime(backup, (later, later))
    write(stack, 3, cut=5)
    backend.clear_leftovers(stack)
    assert state.read_text() == newer


def test_without_a_whole_copy_nothing_is_made_up(stack: Stack) -> None:
    state = write(stack, 3, cut=5)
    before = state.read_text()
    with pytest.raises(OperatorError, match="there is no copy of it that is whole"):
        backend.clear_leftovers(stack)
    assert state.read_text() == before


def test_a_stack_without_a_state_is_a_new_one(stack: Stack) -> None:
    assert backend.clear_leftovers(stack) == []
    assert kept(stack) == []


def test_no_run_begins_without_room(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    write(stack, 1)
    usage = (100 * 2**20, 95 * 2**20, 5 * 2**20)
    monkeypatch.setattr(copies.shutil, "disk_usage", lambda _: copies.shutil._ntuple_diskusage(*usage))
    with pytest.raises(OperatorError, match=r"5 MB are free at .*, and a run needs 16 MB there"):
        backend.clear_leftovers(stack)
    assert kept(stack) == []
