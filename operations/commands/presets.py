"""`gatehouse presets`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from operations import presets as catalog


def presets(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            help="The name of one, to see all of it; or words to look for",
            metavar="[NAME | WORDS]",
            autocompletion=catalog.completed,
        ),
    ] = None,
) -> None:
    """List the apps that gatehouse knows, or show what it knows of one."""
    # As wide as it is: a path that is broken into lines by us cannot be copied.
    catalog.show(words or [], Console(highlight=False))
