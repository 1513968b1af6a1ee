"""`gatehouse access`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from components import private_files
from operations.access import Directory, Report
from operations.access_report import Changes, as_csv, as_html, compare, document, keep
from operations.asking import answered, opened
from operations.errors import UsageError
from operations.options import Name
from operations.stack import Stack


class Form(StrEnum):
    """How the report is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    HTML = "html"


def access(
    name: Name,
    form: Annotated[Form, typer.Option("--format", help="How it is written")] = Form.TABLE,
    to: Annotated[Path | None, typer.Option(help="Write it to this file, which only you may read")] = None,
    since: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="Show what has changed since the report of that day"),
    ] = None,
    app: Annotated[str | None, typer.Option(help="Only this app, with those who may not")] = None,
    person: Annotated[str | None, typer.Option(help="Only this person, with what they may not")] = None,
    mfa: Annotated[
        bool, typer.Option("--mfa", help="Ask for second factors too: six more lists of authentik")
    ] = False,
) -> None:
    """Say who may use which app, and why, as authentik has it now."""
    stack = Stack(name)
    _, server = opened(stack)
    with answered(server):
        report = Directory(server).report(factors=mfa)
    changes = compare(stack, report, since.replace(tzinfo=UTC).date()) if since else None
    whole = document(name, report, changes)
    keep(stack, whole)
    shown = _only(report, app, person)
    match form:
        case Form.TABLE:
            text = ""
        case Form.CSV:
            text = as_csv(shown)
        case Form.JSON:
            text = json.dumps(document(name, shown, changes), indent=2, ensure_ascii=False) + "\n"
        case Form.HTML:
            text = as_html(name, shown, changes)
    if form is Form.TABLE:
        if to:
            raise UsageError("A table is for the screen.", "Give --format csv, json or html with --to.")
        _print(shown, changes, everything=bool(app or person))
    elif to:
        private_files.write(to, text)
        Console().print(f"Wrote {to}", soft_wrap=True)
    else:
        print(text, end="")


def _only(report: Report, app: str | None, person: str | None) -> Report:
    known = [each.username for each in report.people]
    for given, names, what in ((app, report.apps, "app"), (person, known, "person")):
        if given and given not in names:
            raise UsageError(f"There is no {what} called {given}.", f"Known: {', '.join(names) or 'none'}")
    return Report(
        [each for each in report.people if person in (None, each.username)],
        [each for each in report.apps if app in (None, each)],
        [each for each in report.access if app in (None, each.app) and person in (None, each.person)],
    )


def _print(report: Report, changes: Changes | None, *, everything: bool) -> None:
    """Who may, app by app; with `everything` who may not, too."""
    console = Console()
    table = Table("app", "person", "", "why", box=None, pad_edge=False)
    last = ""
    for each in sorted(report.access, key=lambda each: (each.app, not each.may, each.person)):
        if each.may or everything:
            verdict = "[green]may[/]" if each.may else "[red]may not[/]"
            table.add_row(
                each.app if each.app != last else "", escape(each.person), verdict, escape(each.why)
            )
            last = each.app
    console.print(table)
    unused = sorted(set(report.apps) - {each.app for each in report.access if each.may})
    if unused and not everything:
        console.print(f"Nobody may use: {', '.join(unused)}", soft_wrap=True)
    closed = [person.username for person in report.people if not person.active]
    if closed:
        console.print(f"Closed accounts: {', '.join(closed)}", soft_wrap=True)
    without = [person.username for person in report.people if person.active and person.factors == ()]
    if without:
        console.print(f"Without a second factor: {', '.join(without)}", soft_wrap=True)
    if changes:
        console.print(f"\n[bold]Changed since the report of {changes.since:%Y-%m-%d %H:%M} UTC:[/]")
        for change in changes.changes:
            word = "may now use" if change.gained else "may no longer use"
            console.print(
                f"  {escape(change.person)} {word} {change.app}: {escape(change.why)}", soft_wrap=True
            )
        if not changes.changes:
            console.print("  nothing")
