"""`gatehouse break-glass`."""

from __future__ import annotations

from typing import Annotated

import typer

from components.settings import Elsewhere
from components.ssh import AccessError
from operations import break_glass as way
from operations.box import Box
from operations.errors import OperatorError
from operations.options import Name, Yes
from operations.stack import Stack


def break_glass(
    name: Name,
    person: Annotated[str, typer.Argument(help="The user name of who lost their security key")],
    minutes: Annotated[int, typer.Option(min=1, max=60, help="How long the link can be opened")] = 60,
    yes: Yes = False,
) -> None:
    """Make a link that logs somebody in once, past password and security key, to set up a new key. It is logged."""
    stack = Stack(name).require()
    settings = stack.settings()
    if isinstance(settings.box, Elsewhere):
        raise OperatorError(
            f"{name}'s authentik runs elsewhere, and only a shell there opens this way.",
            f"Run there: ak create_recovery_key {minutes} {person}, and put {settings.issuer_base} before its path",
        )
    if not yes and not typer.confirm(f"Make a link that logs {person} in at {name}, past password and key?"):
        raise OperatorError("Nothing was touched.", "")
    try:
        box = Box(stack, typer.echo)
        link = way.open_way(box.run, settings.issuer_base, way.folder(name), person, minutes)
    except AccessError as error:
        raise OperatorError(str(error), "") from None
    typer.echo(link)
    typer.echo(
        f"It can be opened once, within {minutes} minutes; whoever has it is {person}. There: Settings, MFA devices: "
        f"remove the lost key, enrol a new one. The next ./gatehouse up {name} ends what is left of it."
    )
