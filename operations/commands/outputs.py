"""`gatehouse outputs`."""

from __future__ import annotations

from typing import Annotated

import typer

from operations.options import Name
from operations.outputs import show
from operations.stack import Stack


def outputs(
    name: Name,
    show_secrets: Annotated[
        bool, typer.Option(help="Print client secrets and first passwords in clear")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """Print issuer, client id and discovery URL of each app, and the box's address."""
    show(Stack(name).require(), show_secrets=show_secrets, as_json=as_json)
