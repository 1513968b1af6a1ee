"""`gatehouse doctor`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from components.problems import Problem, Weight
from operations import doctor as doctor_checks
from operations import guards
from operations.errors import ExitCode
from operations.finding import errors
from operations.stack import Stack

console = Console()


VERDICTS = {
    Weight.ERROR: "[red]missing[/]",
    Weight.WARNING: "[yellow]note[/]",
    Weight.HINT: "[cyan]hint[/]",
}
"""How doctor's table speaks of a problem."""


def doctor(
    name: Annotated[str | None, typer.Argument(help="A client to check too", metavar="[NAME]")] = None,
) -> None:
    """Say what is missing on this machine and in the client's stack file. Changes nothing."""
    findings = list(doctor_checks.machine())
    if name:
        findings += guards.findings(Stack(name), guards.DOCTOR)
    table = Table(box=None, show_header=False, pad_edge=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for finding in dict.fromkeys(findings):  # a broken preset is the machine's, and its clients'
        verdict = VERDICTS[finding.weight] if isinstance(finding, Problem) else "[green]ok[/]"
        table.add_row(verdict, escape(finding.where), escape(finding.what))
        if isinstance(finding, Problem):
            table.add_row("", "", f"[bold]{escape(finding.remedy)}[/]")
    console.print(table)
    if errors(findings):
        raise typer.Exit(ExitCode.FAILED)
