"""Processes of the bench by id: a process is the one that was recorded only if its start time is the recorded one."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Recorded:
    """A process as it was when it was recorded; `start` in seconds since the epoch."""

    pid: int
    start: float

    @classmethod
    def of(cls, pid: int) -> Recorded:
        """The process that has this id now. Raises psutil.NoSuchProcess."""
        return cls(pid, psutil.Process(pid).create_time())

    def find(self) -> psutil.Process | None:
        """The process, if it still runs (a zombie does not)."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.pid)
            if abs(process.create_time() - self.start) < 0.02 and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None

    def end(self, patience: float = 5.0) -> None:
        """Ask it to end, insist after `patience` seconds; fine if it is gone."""
        for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 5.0)):
            process = self.find()
            if process is None:
                return
            with suppress(psutil.NoSuchProcess, psutil.TimeoutExpired):
                process.send_signal(number)
                process.wait(seconds)


def write(path: Path, processes: dict[str, Recorded]) -> None:
    """Record processes by name, so that whoever finds the directory later can end them."""
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps({name: asdict(p) for name, p in processes.items()}, indent=2))
    temporary.replace(path)


def read(path: Path) -> dict[str, Recorded]:
    """What `write` recorded; nothing if the file is not there."""
    if not path.exists():
        return {}
    return {name: Recorded(**p) for name, p in json.loads(path.read_text()).items()}


def end_marked(name: str, value: str) -> None:
    """Kill every process that has this variable in its environment, but for this one and those that started it."""
    mine = {os.getpid(), *(p.pid for p in psutil.Process().parents())}
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.pid not in mine and process.environ().get(name) == value:
                process.kill()
                process.wait(5)


def end_group(groups: Iterable[Path], patience: float = 60.0) -> None:
    """Kill every process in these control groups and remove the groups.

    Raises TimeoutError if one of them doesn't go.
    """
    deadline = time.monotonic() + patience
    present = [g for g in groups if g.exists()]
    while present:
        for group in present:
            # os.walk passes over groups that vanish meanwhile; the innermost come first.
            for place in [Path(found) for found, _, _ in os.walk(group, topdown=False)]:
                with suppress(OSError):
                    for pid in (place / "cgroup.procs").read_text().split():
                        with suppress(ProcessLookupError):
                            os.kill(int(pid), signal.SIGKILL)
                with suppress(OSError):
                    place.rmdir()
        present = [g for g in present if g.exists()]
        if present:
            if time.monotonic() > deadline:
                raise TimeoutError(f"processes in {', '.join(map(str, present))} don't end")
            time.sleep(0.02)
