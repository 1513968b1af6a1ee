"""`gatehouse invite`."""

from __future__ import annotations

from typing import Annotated

import typer

from operations.asking import answered, opened
from operations.invite import invite as send
from operations.options import Name
from operations.stack import Stack


def invite(
    name: Name,
    person: Annotated[str, typer.Argument(help="Their user name or address", metavar="PERSON")],
    days: Annotated[int, typer.Option(min=1, max=30, help="How long the link in the mail works")] = 3,
) -> None:
    """Send somebody whose account is new a mail, with a link to choose their own password."""
    settings, server = opened(Stack(name))
    with answered(server):
        address = send(settings, server, person, days)
    typer.echo(f"authentik sends {address} a link that works for {days} {'day' if days == 1 else 'days'}.")
