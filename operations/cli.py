"""The table of commands; `operations.__main__` runs them.

A command is a function in a module of `operations.commands`, which says its arguments and options, and a row here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from operations.commands import (
    access,
    backups,
    break_glass,
    catalog,
    doctor,
    invite,
    login_check,
    mail_check,
    new,
    offboard,
    outputs,
    people,
    presets,
    recover,
    rehearse,
    runs,
    settings,
)
from operations.options import show_version

COMMANDS: dict[str, Callable[..., None]] = {
    "new": new.new,
    "doctor": doctor.doctor,
    "preview": runs.preview,
    "up": runs.up,
    "destroy": runs.destroy,
    "recover": recover.recover,
    "backup": backups.backup,
    "snapshots": backups.snapshots,
    "restore": backups.restore,
    "rehearse": rehearse.rehearse_,
    "outputs": outputs.outputs,
    "settings": settings.settings,
    "presets": presets.presets,
    "login-check": login_check.login_check,
    "break-glass": break_glass.break_glass,
    "mail-check": mail_check.mail_check,
    "invite": invite.invite,
    "people import": people.import_people,
    "access": access.access,
    "offboard": offboard.offboard,
    "catalog": catalog.catalog,
}
"""In the order in which `--help` lists them; one of two words is a command of a group."""

app = typer.Typer(
    help="One front door per client: authentik behind Nginx Proxy Manager, as one Pulumi program.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
groups = {"": app}
for command_name, command in COMMANDS.items():
    group, _, word = command_name.rpartition(" ")
    if group not in groups:
        groups[group] = typer.Typer(no_args_is_help=True, help=f"Commands about {group}.")
        app.add_typer(groups[group], name=group)
    groups[group].command(word)(command)


@app.callback()
def options(
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show which gatehouse this is, and exit", callback=show_version, is_eager=True
        ),
    ] = False,
) -> None:
    """One front door per client: authentik behind Nginx Proxy Manager, as one Pulumi program."""
