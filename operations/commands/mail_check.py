"""`gatehouse mail-check`."""

from __future__ import annotations

from typing import Annotated

import typer

from operations import mail_check as checks
from operations.errors import OperatorError
from operations.options import Name
from operations.stack import Stack


def mail_check(
    name: Name,
    to: Annotated[
        str | None, typer.Option(help="Whom to send it to; the first operator if nothing is said")
    ] = None,
) -> None:
    """Send one mail as authentik would, from this machine, and say what the mail server answers."""
    settings = Stack(name).require().settings()
    if settings.email is None:
        raise OperatorError(
            f"{name} sends no mail.", "Add email: {host: …, from: …} to its stack file first."
        )
    recipient = to or next((each.email for each in settings.operators), None) or settings.email.sender
    said = checks.send(settings.email, recipient, name)
    typer.echo(f"{settings.email.host} took a mail to {recipient}: {said}")
