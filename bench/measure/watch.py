"""Looks on while a command runs: which processes there are, from when to when, and what they use."""

from __future__ import annotations

import re
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.project import Project

_PAUSE = 0.01
_ROLES = (
    (r"language_host\.py|pulumi-language-python(?!-exec)", "language host"),
    (r"engine/program\.py|pulumi-language-python-exec", "program"),
    (r"engine/dynamic\.py|pulumi\.dynamic|pulumi-resource-pulumi-python", "provider of REST objects"),
    (r"bench\.plugins (\w+)|pulumi-resource-(\w+)", "plugin"),
    (r"(^|/)pulumi ", "CLI and engine"),
)


@dataclass
class Seen:
    """One process: seconds after the start of the command, seconds of processor time, bytes."""

    role: str
    began: float
    ended: float
    processor: float = 0.0
    peak: int = 0


def watch(project: Project, *args: str) -> list[Seen]:
    """Run one of the CLI's commands in a project; its processes, by when they began.

    Raises RuntimeError if it fails.
    """
    argv = project.through(["pulumi", "--non-interactive", *args])
    output = project.folder / ".gatehouse" / "watched"
    with output.open("w") as log:
        began = time.time()
        process = subprocess.Popen(
            argv,
            cwd=project.folder,
            env=project.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        seen: dict[int, Seen] = {}
        top = psutil.Process(process.pid)
        clock = top.create_time()  # psutil's own, up to a second beside the other
        while process.poll() is None:
            with suppress(psutil.Error):
                for each in (top, *top.children(recursive=True)):
                    _note(each, seen, time.time() - began, clock)
            time.sleep(_PAUSE)
    if process.returncode:
        raise RuntimeError(f"pulumi {' '.join(args)} failed:\n{output.read_text()[-2000:]}")
    return sorted((each for each in seen.values() if each.role), key=lambda each: each.began)


def _note(process: psutil.Process, seen: dict[int, Seen], now: float, clock: float) -> None:
    with suppress(psutil.Error, OSError):
        known = seen.get(process.pid)
        called = role(" ".join(process.cmdline()) + " ")
        if known is None:
            known = seen[process.pid] = Seen(called, process.create_time() - clock, now)
        known.role = called or known.role  # launchers become what they launch
        known.ended = now
        spent = process.cpu_times()
        known.processor = spent.user + spent.system
        status = Path(f"/proc/{process.pid}/status").read_text()
        if peak := re.search(r"VmHWM:\s+(\d+) kB", status):
            known.peak = int(peak.group(1)) * 1024


def role(command: str) -> str:
    """What a process is, by its command line; empty for one that does not matter here."""
    for pattern, called in _ROLES:
        if found := re.search(pattern, command):
            names = [name for name in found.groups() if name and name.isalpha()]
            return f"{called} {names[0]}" if called == "plugin" and names else called
    return ""
