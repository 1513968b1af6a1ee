"""`gatehouse rehearse`."""

from __future__ import annotations

import dataclasses
import json
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from operations.backups import Backups
from operations.errors import OperatorError
from operations.options import Name
from operations.output import Manner, Output
from operations.rehearse import Rehearsal, rehearse
from operations.stack import Stack

_NAMED = 5
"""Things that are named at once."""


def rehearse_(
    name: Name,
    snapshot: Annotated[
        str | None, typer.Argument(help="Which one, as `snapshots` lists them", show_default="the newest")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """Restore a backup beside the living authentik, compare both, log in to it, and take it away again."""
    out = Output(Manner.JSON if as_json else Manner.WORDS)
    found = rehearse(Backups(Stack(name), out.say), snapshot)
    if as_json:
        print(json.dumps({**dataclasses.asdict(found), "ok": found.ok}, default=str, indent=2))
    else:
        out.console.print(compared(found))
    if not found.ok:
        raise OperatorError(
            f"The backup {found.snapshot.id} of {name}, made {found.snapshot.age} ago, is not what is on the box.",
            f"If that was changed since: ./gatehouse backup {name} && ./gatehouse rehearse {name}. What is "
            "missing then, too, the backups do not hold.",
        )
    out.end(
        f"{name} was restored and logged in to in {found.seconds:.0f} s, from a backup made {found.snapshot.age} ago."
    )


def compared(found: Rehearsal) -> Table:
    """What was compared and who logged in, as a table."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for each in found.compared:
        words = [f"{each.count} on the box"]
        words += [f"not in the backup: {_some(each.lost)}"] if each.lost else []
        words += [f"otherwise in the backup: {_some(each.changed)}"] if each.changed else []
        table.add_row("[green]ok[/]" if each.ok else "[red]differs[/]", each.what, escape("; ".join(words)))
    for login in found.logins:
        verdict = "[green]ok[/]" if login.accepted else "[red]refused[/]"
        words_of = f"{login.who} logs in" if login.accepted else login.why
        table.add_row(verdict, f"login to {login.where}", escape(words_of))
    return table


def _some(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
