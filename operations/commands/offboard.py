"""`gatehouse offboard`."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from components.identity.dialect import Authentik
from operations.asking import answered, opened
from operations.errors import OperatorError, UsageError
from operations.leaver import NobodyError, leave_app
from operations.offboard import Departure, announce, carry_out_and_try, look_up, operated_by
from operations.options import Yes
from operations.output import Manner, Output
from operations.stack import Stack, clients

SCHEMA_VERSION = 1
"""Of the document of --json: counted up when something is renamed or taken away."""


def offboard(
    who: Annotated[
        list[str],
        typer.Argument(
            help="The client, and the person there by user name or address; with --all-clients, the address alone",
            metavar="[NAME] PERSON",
        ),
    ],
    all_clients: Annotated[
        bool, typer.Option("--all-clients", help="At every client that knows the address")
    ] = False,
    app: Annotated[
        str | None,
        typer.Option(help="End only what this app was granted, once the person may not use it any more"),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            help="Who takes over groups and apps that nobody else has, with the next up; a user name"
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done; touch nothing")
    ] = False,
    yes: Yes = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else")] = False,
) -> None:
    """Lock somebody out of everything, end all that they have at authentik, and try whether they still get in."""
    *named, person = who
    if len(named) != (0 if all_clients else 1):
        raise UsageError(
            "Say who leaves which client.",
            "./gatehouse offboard NAME PERSON, or ./gatehouse offboard --all-clients ADDRESS",
        )
    if (all_clients and ("@" not in person or app or to)) or (app and to):
        raise UsageError(
            "--all-clients goes by the address of a person who leaves altogether; --to is for one client.",
            "Give the whole address with it, and neither --app nor --to.",
        )
    if as_json and not (yes or dry_run):
        raise UsageError("--json asks nothing.", "Give --yes with it, after a look with --dry-run.")
    out = Output(Manner.JSON if as_json else Manner.WORDS)
    if app:
        _from_app(Stack(named[0]), person, app, out, dry_run=dry_run, yes=yes, as_json=as_json)
        return
    departures = [look_up(name, person, to) for name in (clients() if all_clients else named)]
    found = [each for each in departures if each.person is not None]
    for each in found:
        announce(each, out)
    operated = operated_by(person, found)
    if operated:
        out.warn(
            f"{person} also operates {', '.join(operated)}: their account and key on the box go with their entry in "
            "gatehouse:operators and a run of ./gatehouse up, and the passphrases that they know have to be changed."
        )
    waiting = [each for each in found if each.person and not each.person.is_out and not each.error]
    if waiting and not (dry_run or yes):
        out.show_warnings()
        if not typer.confirm("Do this?"):
            raise OperatorError("Nothing was touched.", "")
    if not dry_run:
        for each in found:
            carry_out_and_try(each, out)
    out.show_warnings()
    if as_json:
        document = {
            "schema_version": SCHEMA_VERSION, "command": "offboard", "person": person, "dry_run": dry_run,
            "clients": [each.shown() for each in departures if each.person or each.error], "operator_of": operated,
        }  # fmt: skip
        print(json.dumps(document, indent=2, ensure_ascii=False))
    _end(person, departures, found, out, dry_run=dry_run)


def _end(
    who: str, departures: list[Departure], found: list[Departure], out: Output, *, dry_run: bool
) -> None:
    failed = [each for each in departures if each.error]
    for each in failed:
        out.print(f"{each.client}: {each.error}", "red")
    if failed or not all(each.is_done for each in found):
        names = ", ".join(each.client for each in departures if each.error or not each.is_done)
        raise OperatorError(
            f"{who} is not out everywhere: see above what of {names}.",
            "Put right what is named there, then run the same command again: it does what is left.",
        )
    if not found:
        (alone,) = departures if len(departures) == 1 else (None,)
        raise (alone and alone.unknown) or NobodyError(f"No client knows {who}.", "Check the address.")
    if dry_run:
        out.end("Nothing was touched.")
        return
    out.print(
        "Apps keep sessions of their own until these end, and tokens that they check by themselves until then: "
        "where that is too long, end them in the app."
    )
    names = ", ".join(each.client for each in found)
    out.end(f"Done: {who} is out of {names}. Their account stays there, closed.")


def _from_app(
    stack: Stack, who: str, app: str, out: Output, *, dry_run: bool, yes: bool, as_json: bool
) -> None:
    _, server = opened(stack)
    with answered(server):
        granted = leave_app(stack.name, server, who, app, do=False)
        out.head(f"{who} may not use {app} any more; what it still was granted at {stack.name}:")
        for each in granted:
            out.print(f"  {each.what} {each.name}")
        if not granted:
            out.print("  nothing")
        if granted and not (dry_run or yes) and not typer.confirm("End it?"):
            raise OperatorError("Nothing was touched.", "")
        left = [] if dry_run or not granted else _ended(stack, server, who, app)
    if as_json:
        document = {"schema_version": SCHEMA_VERSION, "command": "offboard", "person": who, "client": stack.name,
                    "app": app, "dry_run": dry_run, "ended": [f"{each.what} {each.name}" for each in granted],
                    "still_open": left}  # fmt: skip
        print(json.dumps(document, indent=2, ensure_ascii=False))
    if left:
        raise OperatorError(f"{app} was granted something again meanwhile.", "Run the same command again.")
    out.end(
        "Nothing was touched."
        if dry_run
        else f"Done: {app} can renew nothing for {who}. Its own session lasts until it ends."
    )


def _ended(stack: Stack, server: Authentik, who: str, app: str) -> list[str]:
    leave_app(stack.name, server, who, app, do=True)
    return [f"{each.what} {each.name}" for each in leave_app(stack.name, server, who, app, do=False)]
