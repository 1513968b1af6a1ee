"""What adopted objects held before they were changed, until the state has it.

A run that is killed after it changed an object, and before the engine has written down what was there, would leave
nobody who knows. So it is noted on this machine first; the note goes once the state is seen to have it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from components.objects.errors import ObjectError

FOLDER = Path(".gatehouse") / "adopting"
"""Below the program's directory, which the engine starts programs and providers in."""


class Journal:
    """Notes of one server, a file each."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._folder = FOLDER

    def note(self, kind: str, pk: str, before: dict[str, Any]) -> None:
        """Keep what an object held. Raises ObjectError where nothing can be written."""
        from components import private_files  # noqa: PLC0415  (adopting alone needs it)

        try:
            for folder in (self._folder.parent, self._folder):
                private_files.make_folder(folder)
            private_files.write(self._file(kind, pk), json.dumps(before))
        except OSError as error:
            raise ObjectError(
                f"what {kind} {pk} held before cannot be noted ({error.strerror}), so it is not taken over",
                str(self._folder.absolute()),
                "Make room, or give this folder to whoever runs this",
            ) from None

    def noted(self, kind: str, pk: str) -> dict[str, Any] | None:
        """What was kept of an object; None if nothing was."""
        file = self._file(kind, pk)
        if not file.is_file():
            return None
        kept: dict[str, Any] = json.loads(file.read_text())
        return kept

    def forget(self, kind: str, pk: str) -> None:
        """The state has it now."""
        self._file(kind, pk).unlink(missing_ok=True)

    def _file(self, kind: str, pk: str) -> Path:
        name = hashlib.sha256("\0".join((self._where, kind, pk)).encode()).hexdigest()[:32]
        return self._folder / f"{name}.json"
