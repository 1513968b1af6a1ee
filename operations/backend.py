"""The folder in which Pulumi keeps a stack's state, after a run that was killed: its lock, and half-written files."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

from operations import copies
from operations.errors import OperatorError
from operations.stack import PROJECT, Stack


def clear_leftovers(stack: Stack) -> list[str]:
    """Free the stack's state of what a dead run left, and keep a copy of it; words for the operator about it.

    Backends other than a folder need no such thing, or cannot be looked into.

    Raises:
        OperatorError: the stack is locked by a run that is alive, or by another machine; its state is cut off, and so
            are all copies; or there is no room for it.
    """
    directory = stack.state_directory
    if directory is None:
        return []
    copies.require_room(stack)  # first: to put a copy in the place of a state takes room as well
    inside = directory / ".pulumi"
    notes = clear_dead_locks(stack.name, inside / "locks" / "organization" / PROJECT / stack.name)
    notes += repair_state(inside / "stacks" / PROJECT / f"{stack.name}.json") + copies.restore_newest(stack)
    copies.copy_state(stack)
    return notes


def clear_dead_locks(name: str, locks: Path) -> list[str]:
    """Remove the locks of runs that are dead; a lock that was cut off while it was written is one of those.

    Raises:
        OperatorError: a run is alive, or was started on another machine.
    """
    notes = []
    for path in sorted(locks.glob("*.json")):
        try:
            lock = json.loads(path.read_text())
        except ValueError:
            path.unlink()
            continue
        holder = (
            f"{lock['username']}@{lock['hostname']}, process {lock['pid']}, since {lock['timestamp'][:19]}"
        )
        if lock["hostname"] != socket.gethostname():
            raise OperatorError(
                f"Stack {name} is locked by a run on another machine ({holder}).",
                f"If that run is dead, run there: ./gatehouse up {name}, or pulumi cancel --stack {name}",
            )
        if is_engine(int(lock["pid"])):
            raise OperatorError(
                f"Stack {name} is locked by a run that is alive ({holder}).",
                "Wait until it ends; two runs at once would undo each other's work.",
            )
        path.unlink()
        notes.append(f"The lock of a run that is dead ({holder}) was removed.")
    for rest in locks.glob("*.tmp"):
        rest.unlink()
    return notes


def repair_state(state: Path) -> list[str]:
    """Make a state readable again whose writer was killed.

    The state itself is replaced in one step. The file beside it that describes its content type is not: when it was
    cut off, Pulumi says "failed to load checkpoint: EOF". It is not needed, so a broken one is removed, and so are
    copies that never took the state's place.
    """
    notes = []
    for beside in (state.with_name(state.name + ".attrs"), state.with_name(state.name + ".bak.attrs")):
        if beside.exists() and not readable(beside):
            beside.unlink()
            notes.append(f"{beside.name}, which a killed run had not finished writing, was removed.")
    for rest in state.parent.glob(f"{state.name}.*.tmp"):
        rest.unlink()
    return notes


def readable(path: Path) -> bool:
    """Whether the file holds JSON."""
    try:
        json.loads(path.read_text())
    except ValueError:
        return False
    return True


def is_engine(pid: int) -> bool:
    """Whether this process id is a living `pulumi` (ids are used again, so the name is looked at too)."""
    try:
        # "pid (name) state …": a zombie, which a container without an init may keep for ever, is dead.
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
        return "pulumi" in name and not rest.strip().startswith(("Z", "X"))
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return False
    try:  # no /proc: macOS
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
