"""What is entered in one app: paste-ready, with the client's values."""

from __future__ import annotations

import base64
import os
import sys

from jinja2 import TemplateError
from rich.console import Console

from components.apps.sheet import Sheet, sheet
from components.problems import nearest
from components.settings import App, AppContext
from operations.errors import OperatorError, UsageError
from operations.stack import Stack

_LONGEST = 74_994
"""Bytes of base64 that every terminal takes which has a clipboard; xterm's limit is the lowest."""


def show(stack: Stack, key: str, *, show_secrets: bool, copy: bool, wanted: str | None) -> None:
    """Print the settings: what is pasted goes to standard output, all that is said about it to standard error.

    Raises:
        UsageError: there is no such app or format, or no clipboard.
        OperatorError: a template of a preset of one's own cannot be filled in.
    """
    settings = stack.settings()
    found = next((each for each in settings.apps if each.key == key), None)
    if found is None:
        keys = [each.key for each in settings.apps]
        raise UsageError(
            f"{stack.name} has no app {key!r}.",
            f"{nearest(key, keys) or 'Take one of ' + (', '.join(keys) or 'those that you declare first')}.",
        )
    if copy:
        _terminal()
    said = Console(stderr=True, highlight=False)
    made = _sheet(found, AppContext(settings, settings.derived()), show_secrets=show_secrets, wanted=wanted)
    for number, entry in enumerate(made.entries):
        said.print(f"{chr(10) * bool(number)}{entry.where}:", style="bold", markup=False)
        print(entry.text, flush=True)
    for note in _notes(stack, found, made):
        said.print(f"\n{note}", markup=False)
    if copy:
        _copy("\n".join(entry.text for entry in made.entries))
        said.print("\nSent to the terminal's clipboard. If nothing is there, the terminal does not allow it.")


def _sheet(app: App, context: AppContext, *, show_secrets: bool, wanted: str | None) -> Sheet:
    try:
        return sheet(app, context, show_secrets=show_secrets, wanted=wanted)
    except LookupError:
        formats = (
            dict.fromkeys(each.format for each in app.well_known.protocols[app.speaks].settings)
            if app.well_known
            else ()
        )
        raise UsageError(
            f"There are no settings of {app.key} in the format {wanted!r}.",
            f"Take one of {', '.join(formats)}." if formats else "Leave --format out.",
        ) from None
    except TemplateError as error:
        raise OperatorError(
            f"presets/{app.preset}.yaml: a template of its settings cannot be filled in: {error.message}.",
            "Correct it; docs/presets.md says what there is to be filled in.",
        ) from None


def _notes(stack: Stack, app: App, made: Sheet) -> list[str]:
    notes = []
    if not made.entries:
        notes.append("Nothing is entered in it: authentik stands in front of it.")
    if made.hidden:
        notes.append("Secrets are left out: add --show-secrets.")
    if made.others:
        notes.append(f"Some of it in another format: --format {' or '.join(dict.fromkeys(made.others))}.")
    if preset := app.well_known:
        notes.append(f"Accounts that are there already: {preset.existing}")
        if preset.roles and not app.roles:
            notes.append(
                f"It has roles ({', '.join(preset.roles)}), which gatehouse:apps.{app.key}.roles gives to groups."
            )
        notes.append(f"What to mind, and where it is from: ./gatehouse presets {app.preset}")
    else:
        notes.append(
            f"What else the app asks for, its documentation says; ./gatehouse outputs {stack.name} has the same values."
        )
    return notes


def _terminal() -> None:
    """Raises UsageError where no clipboard can be reached."""
    if not sys.stdout.isatty():
        raise UsageError("--copy needs a terminal, and the output goes elsewhere.", "Leave --copy out.")
    if os.environ.get("TERM", "dumb") in ("dumb", "linux"):
        raise UsageError("This terminal has no clipboard.", "Leave --copy out.")


def _copy(text: str) -> None:
    """Hand a text to the terminal, which puts it into the clipboard of the machine that it runs on (OSC 52)."""
    packed = base64.b64encode(text.encode()).decode()
    if len(packed) > _LONGEST:
        raise UsageError("The settings are too long for the terminal's clipboard.", "Leave --copy out.")
    sys.stdout.write(f"\033]52;c;{packed}\a")
    sys.stdout.flush()
