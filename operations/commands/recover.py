"""`gatehouse recover`."""

from __future__ import annotations

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from operations.options import Name, Yes
from operations.output import Output
from operations.recover import Outcome, Row
from operations.recover import recover as recover_client
from operations.stack import Stack

console = Console()


def recover(
    name: Name,
    yes: Yes = False,
) -> None:
    """Take a client in whose state is lost: find what is its, show it, and make the state from it."""

    def agree(rows: list[Row]) -> bool:
        console.print(outcome_table(rows))
        if all(row.outcome != Outcome.FOUND for row in rows):
            return True
        return yes or typer.confirm(f"Keep this as the state of {name}?")

    out = Output()
    rows = recover_client(Stack(name), out, agree)
    out.show_warnings()
    missing = sum(row.outcome != Outcome.FOUND for row in rows)
    console.print(
        f"[green]Done:[/] {len(rows) - missing} found. Now see what is left: ./gatehouse preview {name} --refresh"
    )


def outcome_table(rows: list[Row]) -> Table:
    """What was looked for, as a table."""
    colours = {Outcome.FOUND: "green", Outcome.DOUBTFUL: "red"}
    table = Table("what", "where", "", "id", "", box=None, pad_edge=False)
    for row in rows:
        verdict = f"[{colours.get(row.outcome, 'yellow')}]{row.outcome}[/]"
        table.add_row(escape(row.what), row.where, verdict, escape(row.id[:20]), escape(row.note))
    return table
