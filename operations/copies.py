"""Copies of the state that gatehouse makes for itself: before each run that changes something, and after it.

Pulumi replaces the state and its own backup without syncing either: a full disk cuts both at the same byte, a power cut
may leave both empty. Each copy is on the disk when the run goes on.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from components import private_files
from operations.errors import OperatorError
from operations.stack import PROJECT, ROOT, Stack

KEPT = 20
"""Copies that are kept of a client's state: the newest."""
ROOM = 16 * 2**20
"""Bytes that must be free where the state lies, beside several times what it takes now."""
TIMES = 10
"""A run writes the state many times, and keeps it, its backup, and a page of history."""


def state_file(stack: Stack) -> Path | None:
    """Where the state lies, if its backend is a folder."""
    directory = stack.state_directory
    return directory and directory / ".pulumi" / "stacks" / PROJECT / f"{stack.name}.json"


def folder(stack: Stack) -> Path:
    """Where the copies lie; nobody else may read them."""
    return ROOT / ".gatehouse" / stack.name / "states"


def copy_state(stack: Stack) -> None:
    """Copy the state, unless it is whole as it was.

    Raises:
        OperatorError: it cannot be copied.
    """
    state = state_file(stack)
    if state is None or not is_whole(state):
        return
    text, here = state.read_text(), folder(stack)
    kept = sorted(here.glob("*.json"))
    if kept and kept[-1].read_text() == text:
        return
    try:
        for each in (here.parent.parent, here.parent, here):
            private_files.make_folder(each)
        private_files.write(here / f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S.%f}.json", text)
    except OSError as error:
        raise OperatorError(
            f"The state of {stack.name} cannot be copied to {here} ({error.strerror}).",
            "Make room, or give that folder to whoever runs this; then run the same command again.",
        ) from None
    for old in kept[: -KEPT + 1]:
        old.unlink(missing_ok=True)


def restore_newest(stack: Stack) -> list[str]:
    """Put the newest whole copy in the place of a state that was cut off; words about it.

    Raises:
        OperatorError: there is no copy that is whole.
    """
    state = state_file(stack)
    if state is None or not state.exists() or is_whole(state):
        return []
    newest = max(filter(is_whole, _copies(stack, state)), key=lambda each: each.stat().st_mtime, default=None)
    if newest is None:
        raise OperatorError(
            f"The state of {stack.name} was cut off ({state}, {state.stat().st_size} bytes), and there is no copy of "
            f"it that is whole.",
            f"Put one from a backup of this machine in its place, then run: ./gatehouse up {stack.name}",
        )
    when = datetime.fromtimestamp(newest.stat().st_mtime).astimezone()
    private_files.write(state, newest.read_text())
    words = f"the newest copy that is whole, of {when:%Y-%m-%d %H:%M:%S}, was put in its place"
    more = f"If something is said to be there already, `./gatehouse recover {stack.name}` takes it in"
    return [f"The state of {stack.name} had been cut off while it was written: {words}. {more}."]


def _copies(stack: Stack, state: Path) -> Iterator[Path]:
    """Ours, and those that Pulumi makes where the state lies."""
    yield from folder(stack).glob("*.json")
    yield from state.parent.glob(f"{state.name}*.bak")
    yield from (state.parents[2] / "backups" / PROJECT / stack.name).glob("*.json*")


def is_whole(state: Path) -> bool:
    """Whether the file holds a state."""
    try:
        found = json.loads(state.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and isinstance(found.get("checkpoint"), dict)


def require_room(stack: Stack) -> None:
    """Refuse to begin a run whose state might not fit on the disk.

    Raises:
        OperatorError: there is too little room.
    """
    state = state_file(stack)
    if state is None:
        return
    size = state.stat().st_size if state.exists() else 0
    for place in {stack.state_directory, folder(stack)}:
        there = next(each for each in (place, *place.parents) if each.exists()) if place else ROOT
        free, needed = shutil.disk_usage(there).free, ROOM + TIMES * size
        if free < needed:
            raise OperatorError(
                f"Nothing was touched: {free / 2**20:.0f} MB are free at {there}, and a run needs {needed / 2**20:.0f} "
                f"MB there to keep the state of {stack.name} whole.",
                "Make room, then run the same command again.",
            )
