"""Control groups: one of its own for each box, so that it can be limited, found and ended as a whole.

On a machine with version 1 of control groups (or both), a box gets a group in each controller, and Docker in the box
needs them writable; on one with version 2 only, nspawn delegates its own group and nothing has to be opened.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids")


def hierarchies() -> list[Path]:
    """Where this machine's control groups are mounted: each once."""
    if (_ROOT / "cgroup.procs").exists():
        return [_ROOT]
    places = {p.resolve() for p in _ROOT.iterdir() if (p / "cgroup.procs").exists()}
    return sorted(places)


def of(name: str) -> list[Path]:
    """The groups of the box called `name`, whether they are there or not."""
    return [h / "gatehouse" / name for h in hierarchies()]


def enter(name: str, memory_mb: int) -> None:
    """Move this process, and so all that it starts, into the groups of the box, with its size as their limit."""
    for group in of(name):
        group.mkdir(parents=True, exist_ok=True)
        for above in (group.parent.parent, group.parent):  # version 2 hands controllers down step by step
            if (above / "cgroup.subtree_control").exists():
                for controller in ("cpu", "cpuset", "io", "memory", "pids"):
                    with suppress(OSError):
                        (above / "cgroup.subtree_control").write_text(f"+{controller}")
        if (group / "cpuset.cpus").exists():
            for place in (group.parent, group):  # an empty set takes no process
                for file in ("cpuset.cpus", "cpuset.mems"):
                    (place / file).write_text((place.parent / file).read_text())
        for file in ("memory.limit_in_bytes", "memory.max"):
            with suppress(OSError):
                if (group / file).exists():
                    (group / file).write_text(str(memory_mb << 20))
        (group / "cgroup.procs").write_text(str(os.getpid()))


def open_controllers(leader: int) -> None:
    """Make version 1 controllers writable in the box whose first process is `leader`: Docker needs them."""
    for controller in _CONTROLLERS:
        place = _ROOT / controller
        if (place / "cgroup.procs").exists() and place != _ROOT:
            subprocess.run(
                ["nsenter", "-t", str(leader), "-m", "mount", "-o", "remount,bind,rw", str(place)],
                check=False, capture_output=True,
            )  # fmt: skip
