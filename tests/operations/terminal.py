"""Runs a command on a terminal, and gives what is on the screen when it has ended."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Mapping
from pathlib import Path

import pyte

LINES = 300
"""Higher than anything that is shown, so that nothing scrolls away."""


def on_terminal(argv: list[str], folder: Path, environment: Mapping[str, str], columns: int) -> str:
    """Run a command on a terminal of so many columns; the screen at its end, and the exit code below it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, columns, 0, 0))
    without = {name: value for name, value in environment.items() if name not in ("NO_COLOR", "COLUMNS")}
    process = subprocess.Popen(
        argv, cwd=folder, env=without | {"TERM": "xterm-256color"}, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    screen = pyte.Screen(columns, LINES)
    stream = pyte.ByteStream(screen)
    while said := _read(ours):
        stream.feed(said)
    os.close(ours)
    code = process.wait()
    shown = [line.rstrip() for line in screen.display]
    return "\n".join(shown).rstrip() + f"\n(exit code {code})"


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux says so when nobody has the other end any more
        return b""
