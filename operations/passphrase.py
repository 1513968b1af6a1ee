"""The passphrase that a client's secrets are encrypted with: whether there is one, and whether it keeps anything."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from components.problems import Problem, warning
from operations.finding import Finding, Right

TEXT, FILE = "PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"
SHORT = 12
"""Characters below which whoever has the stack file can try all of them: it holds everything that the client has."""
SUBJECT = "passphrase"
MAKE = "(umask 077; head -c 24 /dev/urandom | base64 > FILE)"


def passphrase() -> Iterator[Finding]:
    """What is wrong with the passphrase of this environment. Pulumi takes the text before the file, even if empty."""
    text, file = os.environ.get(TEXT), os.environ.get(FILE)
    if text is None and file:
        path = Path(file).expanduser()
        try:
            mode, text = (
                stat.S_IMODE(path.stat().st_mode),
                path.read_text(encoding="utf-8", errors="replace").strip(),
            )
        except OSError as error:
            yield Problem(
                SUBJECT, f"{file}, which {FILE} names, cannot be read ({error.strerror})", f"Correct {FILE}."
            )
            return
        if mode & 0o077:
            yield Problem(
                SUBJECT,
                f"{file} can be read by other users of this machine (mode {mode:04o})",
                f"chmod 600 {file}",
            )
        place, unset = (
            file,
            f"Put the passphrase of your stack files into {file}; for the very first client: {MAKE}",
        )
    else:
        place, unset = TEXT, f"Set {FILE} to a file that only you can read; for the very first client: {MAKE}"
    if text is None:
        yield Problem(SUBJECT, "not set", unset)
    elif not text:
        yield Problem(
            SUBJECT, f"{place} is empty", unset + (f", and take {TEXT} out" if place == TEXT else "")
        )
    elif len(text) < SHORT:
        yield warning(
            SUBJECT,
            f"it has {len(text)} characters: whoever gets hold of a stack file can find it by trying",
            "Take a longer one: pulumi stack change-secrets-provider passphrase --stack NAME, for each client",
        )
    else:
        yield Right(SUBJECT, "set")
