"""A provider process must not outlive the engine that started it.

The official launcher leaves the process running when the engine is killed: it goes on writing to the server after the
operator was told that the run is dead, and it never exits. So the process watches who its parent is.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from functools import cache
from pathlib import Path

LAUNCHER = "pulumi-resource-pulumi-python"
INTERVAL = 0.5
"""Seconds between two looks."""


@cache
def exit_with_parent() -> None:
    """End this process, at once, when the engine that started it has ended. One watch a process is enough."""
    parent = os.getppid()
    grandparent = _parent_of(parent) if LAUNCHER in _command_of(parent) else None
    threading.Thread(target=_watch, args=(parent, grandparent), name="parent-watch", daemon=True).start()


def _watch(parent: int, grandparent: int | None) -> None:
    while os.getppid() == parent and (grandparent is None or _parent_of(parent) == grandparent):
        time.sleep(INTERVAL)
    os._exit(1)


def _command_of(pid: int) -> str:
    proc = Path(f"/proc/{pid}/cmdline")
    if proc.exists():
        return proc.read_bytes().replace(b"\0", b" ").decode(errors="replace")
    return _ps("command=", pid)


def _parent_of(pid: int) -> int | None:
    stat = Path(f"/proc/{pid}/stat")
    try:
        if stat.exists():
            return int(stat.read_text().rpartition(")")[2].split()[1])
        return int(_ps("ppid=", pid))
    except (OSError, ValueError):
        return None


def _ps(column: str, pid: int) -> str:
    return subprocess.run(
        ["ps", "-o", column, "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
