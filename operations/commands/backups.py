"""`gatehouse backup`, `snapshots` and `restore`."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from operations.backups import Backups
from operations.errors import UsageError
from operations.options import Name, confirmed
from operations.output import Output
from operations.stack import Stack

LOST = (
    "What changed in authentik since then is lost: people who came by themselves or were added by hand, passwords and "
    "second factors that were set, sessions. What the stack file says comes back with the next `up`."
)


def backup(
    name: Name,
    new_repository: Annotated[
        bool, typer.Option(help="Begin a new repository where the one that was there is gone for good")
    ] = False,
) -> None:
    """Back the client's box up now, as it does by itself each night."""
    out = Output()
    Backups(Stack(name), out.say).now(new_repository=new_repository)
    out.end(f"{name} is backed up.")


def snapshots(
    name: Name, as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False
) -> None:
    """List the client's backups."""
    found = Backups(Stack(name), Output().say).snapshots()
    if as_json:
        print(json.dumps([{"id": each.id, "time": each.time.isoformat()} for each in found], indent=2))
        return
    if not found:
        print(f"There is no backup of {name} yet. Make one: ./gatehouse backup {name}")
        return
    table = Table("snapshot", "made (UTC)", "", box=None, pad_edge=False)
    for each in found:
        table.add_row(each.id, f"{each.time:%Y-%m-%d %H:%M:%S}", f"{each.age} ago")
    Console().print(table)


def restore(
    name: Name,
    snapshot: Annotated[
        str | None, typer.Argument(help="Which one, as `snapshots` lists them", show_default="the newest")
    ] = None,
    confirm: Annotated[
        str | None, typer.Option(help="The client's name, to confirm without being asked")
    ] = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Put back what was there before a restore that was cut off")
    ] = False,
) -> None:
    """Put a backup in the place of what is on the client's box."""
    out = Output()
    backups = Backups(Stack(name), out.say)
    if undo:
        if snapshot:
            raise UsageError("--undo puts back what was there before, and no snapshot.", "Give one of them.")
        backups.undo()
        out.end(f"{name} is as it was before the restore.")
        return
    found = backups.one(snapshot)
    out.say(f"Snapshot {found.id} was made {found.age} ago, at {found.time:%Y-%m-%d %H:%M:%S} UTC. {LOST}")
    confirmed(
        name,
        confirm,
        f"This stops {name}'s authentik and Nginx Proxy Manager and puts that snapshot in their place.",
    )
    backups.restore(found)
    out.end(
        f"{name} is as it was {found.age} ago. Now bring it up to its stack file again: ./gatehouse up {name}"
    )
