"""Arguments and options that several commands have."""

from __future__ import annotations

from typing import Annotated

import typer

from operations.errors import UsageError
from operations.output import Manner
from operations.stack import clients
from operations.version import version


def complete_client(incomplete: str) -> list[str]:
    """The clients whose names begin so, for the shell's completion."""
    return [name for name in clients() if name.startswith(incomplete)]


Name = Annotated[
    str,
    typer.Argument(
        help="The client: its stack file is stacks/Pulumi.<name>.yaml",
        metavar="NAME",
        autocompletion=complete_client,
    ),
]
Pulumi = Annotated[
    bool, typer.Option("--pulumi", envvar="GATEHOUSE_PULUMI", help="Show the engine's own words, whole")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Show warnings, what fails, and the last line alone")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Go on without asking")]
Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON document and nothing else: docs/run.schema.json")
]


def manner(*, pulumi: bool, quiet: bool, as_json: bool) -> Manner:
    """How a command is to speak. --quiet and --json win over what the environment says of --pulumi.

    Raises:
        UsageError: two ways at once.
    """
    if quiet and as_json:
        raise UsageError("--quiet and --json exclude each other.", "Give one of them.")
    chosen = {Manner.JSON: as_json, Manner.QUIET: quiet, Manner.PULUMI: pulumi}
    return next((each for each, is_wanted in chosen.items() if is_wanted), Manner.WORDS)


def show_version(wanted: bool) -> None:
    """Print the version and end, where that is asked for."""
    if wanted:
        print(version())
        raise typer.Exit


def confirmed(name: str, given: str | None, what: str) -> None:
    """Have the client's name typed, unless it was given already.

    Raises:
        UsageError: it is another one.
    """
    typed = given or typer.prompt(f"{what} Type the client's name to go on")
    if typed != name:
        raise UsageError(
            f"{typed!r} is not {name!r}; nothing was touched.", "Type the client's name exactly."
        )
