"""`gatehouse preview`, `up` and `destroy`: one run of the engine each."""

from __future__ import annotations

from typing import Annotated

import typer

from operations import run
from operations.errors import OperatorError, PendingError, UsageError
from operations.options import Json, Name, Pulumi, Quiet, Yes, confirmed, manner
from operations.output import output
from operations.stack import Stack


def preview(
    name: Name,
    refresh: Annotated[
        bool, typer.Option(help="Look for changes made by hand, at Hetzner, on the box and in authentik")
    ] = False,
    diff: Annotated[bool, typer.Option(help="Show every changed property")] = False,
    expect_no_changes: Annotated[bool, typer.Option(help="Fail if anything would change")] = False,
    pulumi: Pulumi = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Show what `up` would do. Touches nothing."""
    how = manner(pulumi=pulumi or diff, quiet=quiet, as_json=as_json)
    with output("preview", name, how) as out:
        count = run.preview(Stack(name), out, refresh=refresh, diff=diff)
        out.show_warnings()
        if not count:
            out.end(run.NOTHING)
        elif expect_no_changes:
            raise PendingError(
                f"{count} {'thing' if count == 1 else 'things'} of {name} would change.",
                "Look at the preview above.",
            )


def up(
    name: Name,
    yes: Yes = False,
    refresh: Annotated[bool, typer.Option(help="Look for drift first, and repair it")] = True,
    confirm: Annotated[
        str | None,
        typer.Option(
            help="The client's name, to have a protected server made anew, or authentik moved, without being asked"
        ),
    ] = None,
    pulumi: Pulumi = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Bring the client up to what its stack file says; settle what earlier runs left, however they ended."""

    def agree(what: str) -> None:
        if yes and confirm is None:
            raise OperatorError(
                f"Nothing was touched: --yes does not cover this. {what}",
                f"Look at ./gatehouse preview {name}, then run: ./gatehouse up {name} --yes --confirm {name}",
            )
        confirmed(name, confirm, what)

    with output("up", name, manner(pulumi=pulumi, quiet=quiet, as_json=as_json)) as out:
        if as_json and not yes:
            raise UsageError("--json asks nothing.", "Give --yes with it, after a look at the preview.")
        ask = None if yes else typer.confirm
        done = run.up(Stack(name), out, refresh=refresh, confirm=ask, agree=agree)
        out.show_warnings()
        out.end(done)


def destroy(
    name: Name,
    confirm: Annotated[
        str | None, typer.Option(help="The client's name, to confirm without being asked")
    ] = None,
    pulumi: Pulumi = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Take everything of this client down: its server, its data, its DNS records."""
    with output("destroy", name, manner(pulumi=pulumi, quiet=quiet, as_json=as_json)) as out:
        if as_json and confirm is None:
            raise UsageError("--json asks nothing.", f"Give --confirm {name} with it.")
        if confirm is not None:
            confirmed(name, confirm, "")  # before anything is looked at
        done = run.destroy(Stack(name), out, lambda what: confirmed(name, confirm, what))
        out.show_warnings()
        out.end(done)
