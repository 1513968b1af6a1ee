"""`gatehouse settings`."""

from __future__ import annotations

from typing import Annotated

import typer

from operations import app_settings
from operations.options import Name
from operations.stack import Stack


def settings(
    name: Name,
    app: Annotated[str, typer.Argument(help="The app, by its name in the stack file", metavar="APP")],
    show_secrets: Annotated[bool, typer.Option(help="Print the app's secrets in clear")] = False,
    copy: Annotated[
        bool, typer.Option(help="Put them into the terminal's clipboard (OSC 52) as well")
    ] = False,
    wanted: Annotated[
        str | None,
        typer.Option("--format", help="Where there are several: env, ini, json …", metavar="FORMAT"),
    ] = None,
) -> None:
    """Print what is entered in an app, in its own format, with the client's values in it. Contacts nobody."""
    app_settings.show(Stack(name).require(), app, show_secrets=show_secrets, copy=copy, wanted=wanted)
