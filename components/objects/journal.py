"""What a run is about to do and nobody else would know of, until the state has it: notes on this machine, a file each.

A run may end in between, whatever ends it. Of an adopted object, it is noted what it held before it was changed; of
one that is to be made, what is going to be sent, once the server was seen to have nothing of that name. A note goes
when the state is seen to have the object.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components import private_files
from components.objects.errors import ObjectError

FOLDER = Path(".gatehouse")
"""Below the program's directory, which the engine starts programs and providers in."""
STACK = "PULUMI_STACK"
"""Environment: whose run it is; `gatehouse` sets it."""


class Notes:
    """Notes about objects of one server, by what identifies them."""

    def __init__(self, name: str, where: str, purpose: str) -> None:
        """`purpose`: what cannot be done without a note, for the error."""
        self._folder = FOLDER / name
        self._where = where
        self._purpose = purpose

    def write(self, kind: str, name: str, content: dict[str, Any]) -> None:
        """Keep a note; it is on the disk when this returns. Raises ObjectError where nothing can be written."""
        try:
            for folder in (self._folder.parent, self._folder):
                private_files.make_folder(folder)
            private_files.write(self._file(kind, name), json.dumps(content))
        except OSError as error:
            raise ObjectError(
                f"{kind} {name}: it cannot be noted ({error.strerror}), so it is not {self._purpose}",
                str(self._folder.absolute()),
                "Make room, or give this folder to whoever runs this",
            ) from None

    def read(self, kind: str, name: str) -> dict[str, Any] | None:
        """The note about an object; None if there is none, or only the beginning of one."""
        try:
            kept = json.loads(self._file(kind, name).read_text())
        except (OSError, ValueError):
            return None
        return kept if isinstance(kept, dict) else None

    def forget(self, kind: str, name: str) -> None:
        """The state has it now."""
        self._file(kind, name).unlink(missing_ok=True)

    def _file(self, kind: str, name: str) -> Path:
        digest = hashlib.sha256("\0".join((self._where, kind, name)).encode()).hexdigest()[:32]
        return self._folder / f"{digest}.json"


class CreateJournal:
    """Creates whose requests may have been sent: what is there afterwards, and as it was sent, is ours."""

    def __init__(self, where: str) -> None:
        self._notes = Notes("creating", where, "made")
        self._where = where
        self._stack = os.environ.get(STACK, "")

    def record(self, kind: str, logical: str, called: str, body: dict[str, Any], before: str | None) -> None:
        """About to be made. `before`: the pk of an object that the state has under this name, and that is gone."""
        content = {
            "stack": self._stack,
            "where": self._where,
            "kind": kind,
            "logical": logical,
            "called": called,
        }
        time = datetime.now(UTC).isoformat(timespec="seconds")
        self._notes.write(kind, logical, {**content, "time": time, "before": before, "body": body})

    def body(self, kind: str, logical: str) -> dict[str, Any] | None:
        """What was sent, without secrets, if this stack's resource of that name was about to be made."""
        note = self._notes.read(kind, logical)
        if note is None or (self._stack and note["stack"] and note["stack"] != self._stack):
            return None
        return dict(note["body"])

    def resolve(self, kind: str, logical: str, pk: str) -> None:
        """The state has a resource of that name; it says nothing if it is the one that was to be replaced."""
        note = self._notes.read(kind, logical)
        if note is not None and note["before"] != pk:
            self._notes.forget(kind, logical)

    def bodies(self, kind: str) -> dict[str, dict[str, Any]]:
        """What was sent of a kind to this server, by logical name."""
        notes = (note for _, note in read_creates(FOLDER, self._stack))
        return {
            note["logical"]: note["body"]
            for note in notes
            if note["kind"] == kind and note["where"] == self._where
        }

    def discard(self, kind: str, logical: str) -> None:
        """It is sure that nothing was made, or that it is gone again."""
        self._notes.forget(kind, logical)


def read_creates(folder: Path, stack: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The notes of a stack's creates below a program's private folder, with their files."""
    for file in sorted((folder / "creating").glob("*.json")):
        with suppress(OSError, ValueError):
            note = json.loads(file.read_text())
            if note["stack"] in ("", stack):
                yield file, note
