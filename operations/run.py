"""Preview, up, refresh and destroy of one client, over Pulumi's Automation API."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx

from components.objects.looking import ENVIRONMENT
from operations import backend, doctor
from operations.clouds import checked, hetzner
from operations.errors import OperatorError
from operations.heal import Healed, forget, heal
from operations.stack import Stack, explained

Say = Callable[[str], None]


def preview(stack: Stack, say: Say, *, refresh: bool, diff: bool) -> int:
    """Show what `up` would do; how many resources it would change.

    With `refresh`, drift is looked for on the box and in authentik too, and so are names that nobody declares and
    objects that are to be taken over; without, nothing outside is asked.
    """
    with explained(), _looking(stack.require(), refresh):
        result = stack.require().automation.preview(
            refresh=refresh, run_program=refresh or None, diff=diff, color="auto", on_output=say, on_error=say
        )
    return changes(result.change_summary)


@contextmanager
def _looking(stack: Stack, really: bool) -> Iterator[None]:
    """Let the provider of authentik's objects ask the server during a preview."""
    workspace = stack.automation.workspace
    before = workspace.env_vars
    workspace.env_vars = {**before, **({ENVIRONMENT: "1"} if really else {})}
    try:
        yield
    finally:
        workspace.env_vars = before


def up(stack: Stack, say: Say, *, refresh: bool, confirm: Callable[[str], bool] | None) -> int:
    """Bring the client up; how many resources changed.

    The state is made readable and the stack file checked first, then what a killed run left is settled; state is
    refreshed, so that drift is repaired. `confirm` is asked after the preview; without it nothing is asked.

    Raises:
        OperatorError: something has to be put right first.
        pulumi.automation.CommandError: the engine failed; its own words have been printed.
    """
    for note in backend.settle(stack.require()):
        say(note)
    missing = [finding for finding in doctor.client(stack) if not finding.ok]
    if missing:
        raise OperatorError(
            "Nothing was touched:\n" + "\n".join(f"  {f.subject}: {f.what}\n    {f.remedy}" for f in missing),
            "",
        )
    healed = heal(stack)
    for note in healed.notes:
        say(note)
    tell(stack, healed)
    if confirm is not None:
        if not preview(stack, say, refresh=refresh, diff=False):
            say("No change.")
            return 0
        if not confirm(f"Do this to {stack.name}?"):
            raise OperatorError("Nothing was touched.", "")
    with explained():
        result = stack.automation.up(
            refresh=refresh or bool(healed.environment),
            run_program=True,
            color="auto",
            on_output=say,
            on_error=say,
            show_secrets=False,
        )
    forget(stack)
    return changes(result.summary.resource_changes)


def destroy(stack: Stack, say: Say) -> None:
    """Take everything of this client down. The caller has asked for the client's name.

    State is refreshed first, since some plugins cannot delete what was deleted by hand.
    """
    for note in backend.settle(stack.require()):
        say(note)
    healed = heal(stack)
    for note in healed.notes:
        say(note)
    lift_protection(stack)
    # The Automation API has no word for --ignore-protect, and the program protects again what a state edit lifts.
    switches = (
        "--yes",
        "--skip-preview",
        "--refresh",
        "--run-program",
        "--ignore-protect",
        "--color",
        "auto",
    )
    stack.pulumi("destroy", *switches, env=healed.environment, on_output=say)
    forget(stack)


PROTECTED = {
    "hcloud:index/server:Server": ("servers", {"delete": False, "rebuild": False}),
    "hcloud:index/volume:Volume": ("volumes", {"delete": False}),
    "hcloud:index/primaryIp:PrimaryIp": ("primary_ips", {"delete": False}),
}


def lift_protection(stack: Stack) -> None:
    """Lift Hetzner's own protection, which its plugin does not lift before it deletes."""
    ours = [r for r in stack.deployment().get("resources", []) if r["type"] in PROTECTED]
    if not ours:
        return
    with hetzner(stack.settings()) as api:
        for resource in ours:
            path, body = PROTECTED[resource["type"]]
            answer = api.post(f"{path}/{resource['id']}/actions/change_protection", json=body)
            if answer.status_code != httpx.codes.NOT_FOUND:  # deleted by hand: the refresh will notice
                checked(answer)


def tell(stack: Stack, healed: Healed) -> None:
    """Hand what was healed to the run that follows."""
    workspace = stack.automation.workspace
    workspace.env_vars = {**workspace.env_vars, **healed.environment}


def changes(summary: Mapping[Any, int] | None) -> int:
    """How many resources a change summary says are not the same."""
    return sum(
        count for kind, count in (summary or {}).items() if str(getattr(kind, "value", kind)) not in SAME
    )


SAME = {"same", "refresh", "read", "discard"}
