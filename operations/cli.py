"""The commands and their arguments; `operations.__main__` runs them."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from components.problems import Problem, Weight
from operations import catalog as lines
from operations import doctor as doctor_checks
from operations import guards, run
from operations.browser import Where
from operations.errors import ExitCode, OperatorError, PendingError, UsageError
from operations.finding import errors
from operations.login_check import Checked
from operations.login_check import login_check as check_logins
from operations.new import NewClient
from operations.new import new as new_client
from operations.options import Json, Name, Pulumi, Quiet, manner, show_version
from operations.output import Output, output
from operations.outputs import show as show_outputs
from operations.recover import Row, Verdict
from operations.recover import recover as recover_client
from operations.stack import Stack

app = typer.Typer(
    help="One front door per client: authentik behind Nginx Proxy Manager, as one Pulumi program.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
console = Console()


VERDICTS = {
    Weight.ERROR: "[red]missing[/]",
    Weight.WARNING: "[yellow]note[/]",
    Weight.HINT: "[cyan]hint[/]",
}
"""How doctor's table speaks of a problem."""


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


def confirmed(name: str, given: str | None, what: str) -> None:
    """Have the client's name typed, unless it was given already.

    Raises:
        UsageError: it is another one.
    """
    typed = given or typer.prompt(f"{what} Type the client's name to go on")
    if typed != name:
        raise UsageError(
            f"{typed!r} is not {name!r}; nothing was touched.", "Type the client's name exactly."
        )


@app.command()
def new(
    name: Name,
    domain: Annotated[str, typer.Option(prompt=True, help="The client's zone at Cloudflare")],
    operator: Annotated[str, typer.Option(prompt="Your user name", help="The first operator's user name")],
    email: Annotated[
        str, typer.Option(prompt="Your e-mail address", help="The first operator's e-mail address")
    ],
    ssh_key: Annotated[
        str | None,
        typer.Option(
            help="The operator's public SSH key, or the file that has it", show_default="yours in ~/.ssh"
        ),
    ] = None,
    server_type: Annotated[str, typer.Option(help="Hetzner's server type")] = "cx23",
    location: Annotated[str, typer.Option(help="Hetzner's location")] = "nbg1",
    version: Annotated[str, typer.Option(help="authentik's version")] = "2026.8.3",
    box_host: Annotated[str | None, typer.Option(help="Use this server, reached over SSH, instead")] = None,
    box_host_key: Annotated[str | None, typer.Option(help="That server's SSH host key")] = None,
    authentik_url: Annotated[
        str | None, typer.Option(help="No server: authentik runs already, at this URL")
    ] = None,
) -> None:
    """Write a stack file for a new client, with a fresh root secret."""
    wanted = NewClient(
        client=name,
        domain=domain,
        operator=operator,
        email=email,
        ssh_key=ssh_key,
        server_type=server_type,
        location=location,
        version=version,
        box_host=box_host,
        box_host_key=box_host_key,
        authentik_url=authentik_url,
    )
    stack = new_client(wanted)
    console.print(f"Wrote stacks/{stack.file.name}. Look it over, then: ./gatehouse doctor {name}")


@app.command()
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
    for finding in findings:
        verdict = VERDICTS[finding.weight] if isinstance(finding, Problem) else "[green]ok[/]"
        table.add_row(verdict, escape(finding.where), escape(finding.what))
        if isinstance(finding, Problem):
            table.add_row("", "", f"[bold]{escape(finding.remedy)}[/]")
    console.print(table)
    if errors(findings):
        raise typer.Exit(ExitCode.FAILED)


@app.command()
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


@app.command()
def up(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask after the preview")] = False,
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


@app.command()
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


@app.command()
def recover(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask after the table")] = False,
) -> None:
    """Take a client in whose state is lost: find what is its, show it, and make the state from it."""

    def agree(rows: list[Row]) -> bool:
        console.print(recovered(rows))
        if all(row.verdict != Verdict.FOUND for row in rows):
            return True
        return yes or typer.confirm(f"Keep this as the state of {name}?")

    out = Output()
    rows = recover_client(Stack(name), out, agree)
    out.show_warnings()
    missing = sum(row.verdict != Verdict.FOUND for row in rows)
    console.print(
        f"[green]Done:[/] {len(rows) - missing} found. Now see what is left: ./gatehouse preview {name} --refresh"
    )


def recovered(rows: list[Row]) -> Table:
    """What was looked for, as a table."""
    colours = {Verdict.FOUND: "green", Verdict.MISSING: "yellow", Verdict.DOUBTFUL: "red"}
    table = Table("what", "where", "", "id", "", box=None, pad_edge=False)
    for row in rows:
        verdict = f"[{colours[row.verdict]}]{row.verdict}[/]"
        table.add_row(escape(row.what), row.where, verdict, escape(row.id[:20]), escape(row.note))
    return table


@app.command()
def outputs(
    name: Name,
    show_secrets: Annotated[
        bool, typer.Option(help="Print client secrets and first passwords in clear")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """Print issuer, client id and discovery URL of each app, and the box's address."""
    show_outputs(Stack(name).require(), show_secrets=show_secrets, as_json=as_json)


@app.command("login-check")
def login_check(
    name: Name, app_name: Annotated[str | None, typer.Option("--app", help="Only this app")] = None
) -> None:
    """Log in to each app as people who may and who may not, by what authentik says, with their first passwords."""

    def said(checked: Checked) -> None:
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


@app.command()
def catalog(
    source: Annotated[
        str, typer.Option("--from", help="authentik's address, or a file with its OpenAPI schema")
    ],
    line: Annotated[str, typer.Option(help="The release line, such as 2026.11")],
) -> None:
    """Learn a release line from a running authentik. Its token, if it asks for one: AUTHENTIK_TOKEN."""
    path, count, unknown = lines.learn(source, line)
    console.print(f"Wrote {path.name}: {count} kinds of authentik {line}.", soft_wrap=True)
    for each in unknown:
        console.print(f"Not declarable until tools/facts describes it: {each}")
    console.print("Then: python -m tools, and make check", soft_wrap=True)
