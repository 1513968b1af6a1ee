"""`gatehouse people import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from components.settings import check_file
from operations.errors import OperatorError, UsageError
from operations.options import Name, Yes
from operations.people_import import RULE, Imported, read_people
from operations.stack import Stack
from operations.stack_file import StackFile


def import_people(
    name: Name,
    file: Annotated[
        Path, typer.Argument(help="A CSV file, or what Google Workspace or Entra exports", metavar="FILE")
    ],
    group: Annotated[list[str] | None, typer.Option(help="A group for everybody; may be given again")] = None,
    group_column: Annotated[
        str | None, typer.Option(help="The column that names their groups, such as Department")
    ] = None,
    add_groups: Annotated[
        bool, typer.Option("--add-groups", help="Declare groups that the stack file does not have")
    ] = False,
    guests: Annotated[bool, typer.Option("--guests", help="Take guests of Entra too")] = False,
    skip_wrong: Annotated[
        bool, typer.Option("--skip-wrong", help="Leave out rows that cannot be taken")
    ] = False,
    yes: Yes = False,
) -> None:
    """Add people out of a spreadsheet to the stack file, after a look. Whom it has already is left as it is."""
    stack = Stack(name)
    if not stack.file.exists():
        stack.require()
    settings = check_file(stack.file)
    found = read_people(file, settings, groups=group or (), group_column=group_column, guests=guests)
    console = Console()
    _show(console, found)
    if found.wrong and not skip_wrong:
        raise OperatorError(
            f"{len(found.wrong)} of {file.name}'s rows cannot be taken; nothing was written.",
            "Correct them there, or leave them out with --skip-wrong.",
        )
    if not found.people:
        console.print(f"[green]Nothing to add:[/] {len(found.known)} of them are in the stack file already.")
        return
    if found.groups and not add_groups:
        raise UsageError(
            f"The stack file does not have the groups {', '.join(found.groups)}; nothing was written.",
            "Declare them with --add-groups, or correct the file's names.",
        )
    if not yes and not typer.confirm(f"Add these {len(found.people)} to stacks/{stack.file.name}?"):
        raise OperatorError("Nothing was written.", "")
    text = StackFile(stack.file)
    if found.groups:
        text.append("groups", found.groups)
    text.append("people", found.people)
    text.check()
    text.save()
    console.print(f"[green]Done:[/] now see what that changes: ./gatehouse preview {name}", soft_wrap=True)


def _show(console: Console, found: Imported) -> None:
    table = Table("user name", "name", "address", "groups", box=None, pad_edge=False)
    for person in found.people:
        cells = (person["username"], person["name"], person["email"], ", ".join(person.get("groups", ())))
        table.add_row(*(escape(str(cell)) for cell in cells))
    if found.people:
        console.print(table)
        console.print(RULE, style="dim", soft_wrap=True)
    for left in found.left_out:
        console.print(f"left out  {escape(left)}", soft_wrap=True)
    for wrong in found.wrong:
        console.print(f"[red]wrong[/]  {escape(wrong)}", soft_wrap=True)
