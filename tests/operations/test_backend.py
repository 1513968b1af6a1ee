"""The state's folder after a run that was killed: locks of the dead, the living and others, and half-written files."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from operations import backend, copies
from operations.errors import OperatorError
from operations.stack import Stack


@pytest.fixture(autouse=True)
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}/state")
    monkeypatch.setattr(copies, "ROOT", tmp_path)
    return tmp_path / "state" / ".pulumi" / "locks" / "organization" / "gatehouse" / "acme"


def lock(locks: Path, *, pid: int, host: str | None = None) -> Path:
    """A lock as the file backend writes it."""
    locks.mkdir(parents=True, exist_ok=True)
    path = locks / "0aa72b3c.json"
    holder = {"pid": pid, "username": "sam", "hostname": host or socket.gethostname()}
    path.write_text(json.dumps({**holder, "timestamp": "2026-11-25T01:24:49.198886577Z"}))
    return path


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that looks like Pulumi's."""
    program = tmp_path / "pulumi"
    shutil.copy(shutil.which("sleep") or "/bin/sleep", program)
    process = subprocess.Popen([program, "300"])
    yield process
    process.kill()
    process.wait()


# Locks --------------------------------------------------------------------------------------------------------------


def test_without_a_lock_there_is_nothing_to_do() -> None:
    assert backend.clear_leftovers(Stack("acme")) == []


def test_the_lock_of_a_dead_run_is_cleared(locks: Path, engine: subprocess.Popen[bytes]) -> None:
    path = lock(locks, pid=engine.pid)
    engine.kill()
    engine.wait()
    (note,) = backend.clear_leftovers(Stack("acme"))
    assert note == (
        f"The lock of a run that is dead (sam@{socket.gethostname()}, process {engine.pid}, since "
        "2026-11-25T01:24:49) was removed."
    )
    assert not path.exists()


def test_a_zombie_is_dead(locks: Path, engine: subprocess.Popen[bytes]) -> None:
    path = lock(locks, pid=engine.pid)
    engine.kill()
    os.waitid(os.P_PID, engine.pid, os.WEXITED | os.WNOWAIT)  # ended, and nobody has asked how
    assert psutil.Process(engine.pid).status() == psutil.STATUS_ZOMBIE
    backend.clear_leftovers(Stack("acme"))
    assert not path.exists()


def test_a_process_id_that_was_used_again_is_no_run(locks: Path) -> None:
    path = lock(locks, pid=os.getpid())
    assert backend.clear_leftovers(Stack("acme"))
    assert not path.exists()


@pytest.mark.parametrize("stopped", [False, True], ids=["running", "stopped"])
def test_the_lock_of_a_run_that_is_alive_is_respected(
    locks: Path, engine: subprocess.Popen[bytes], stopped: bool
) -> None:
    path = lock(locks, pid=engine.pid)
    if stopped:
        engine.send_signal(signal.SIGSTOP)
    with pytest.raises(OperatorError) as refused:
        backend.clear_leftovers(Stack("acme"))
    assert "locked by a run that is alive" in refused.value.what
    assert f"process {engine.pid}" in refused.value.what
    assert "Wait until it ends" in refused.value.remedy
    assert path.exists()


def test_the_lock_of_another_machine_is_respected(locks: Path) -> None:
    path = lock(locks, pid=1, host="elsewhere")
    with pytest.raises(OperatorError) as refused:
        backend.clear_leftovers(Stack("acme"))
    assert "another machine (sam@elsewhere, process 1" in refused.value.what
    assert "pulumi cancel" in refused.value.remedy
    assert path.exists()


def test_another_backend_has_locks_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "https://api.pulumi.example")
    assert backend.clear_leftovers(Stack("acme")) == []


# Half-written files -------------------------------------------------------------------------------------------------


def test_files_that_were_cut_off_are_put_right(tmp_path: Path, locks: Path) -> None:
    stacks = tmp_path / "state" / ".pulumi" / "stacks" / "gatehouse"
    stacks.mkdir(parents=True)
    locks.mkdir(parents=True)
    whole = {
        "acme.json": '{"checkpoint": {}}',
        "other.json": '{"checkpoint": {}}',
        "other.json.attrs": "",
        "acme.json.bak": '{"checkpoint": {}}',
    }
    for name, text in {**whole, "acme.json.attrs": "", "acme.json.18eb.tmp": '{"vers'}.items():
        (stacks / name).write_text(text)
    (locks / "1.json").write_text("")
    (locks / "2.json.18eb.tmp").write_text("{")
    (note,) = backend.clear_leftovers(Stack("acme"))
    assert note.startswith("acme.json.attrs, which a killed run had not finished writing")
    assert {path.name: path.read_text() for path in stacks.iterdir()} == whole
    assert list(locks.iterdir()) == []
