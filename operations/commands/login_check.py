"""`gatehouse login-check`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from operations import guards
from operations.browser import Where
from operations.errors import OperatorError
from operations.login_check import LoginCheck
from operations.login_check import login_check as check_logins
from operations.options import Name
from operations.output import Output
from operations.stack import Stack

console = Console()


def login_check(
    name: Name, app_name: Annotated[str | None, typer.Option("--app", help="Only this app")] = None
) -> None:
    """Log in to each app as people who may and who may not, by what authentik says, with their first passwords."""

    def said(checked: LoginCheck) -> None:
        colour, word = ("green", "as") if checked.ok else ("red", "NOT as")
        verdict = f"[{colour}]{word} {checked.measure}[/]"
        inactive = ", being not active" * (checked.refusal is Where.IDENTITY)
        wanted = "may log in" if checked.expected else f"may not{inactive}"
        ended = "logged in" if checked.result.accepted else f"refused: {checked.result.why}"
        console.print(f"{verdict}  {checked.app}: {checked.person} {wanted}; {escape(ended)}", soft_wrap=True)

    out = Output()
    guards.refuse(Stack(name), guards.LOGIN, out)
    out.show_warnings()

    def noted(text: str) -> None:
        console.print(f"[yellow]{escape(text)}[/]", soft_wrap=True)

    if not check_logins(Stack(name), app_name, said, noted):
        raise OperatorError(
            f"A login at {name} did not end as the stack file says.",
            "See above which, and why. People who have changed their first password, or have a second factor, "
            "cannot be logged in from here.",
        )
