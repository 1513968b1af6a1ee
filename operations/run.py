"""Preview, up, refresh and destroy of one client, over Pulumi's Automation API."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from components.objects.looking import ENVIRONMENT
from operations import backend, doctor, protection
from operations.errors import OperatorError
from operations.heal import Healed, forget, heal
from operations.protection import Rebuild
from operations.screen import Say, Screen
from operations.stack import Stack, explained

NOTHING = "No change."


def preview(stack: Stack, say: Say, *, refresh: bool, diff: bool, pulumi: bool = False) -> int:
    """Show what `up` would do; how many resources it would change.

    With `refresh`, drift is looked for on the box and in authentik too, and so are names that nobody declares and
    objects that are to be taken over; without, nothing outside is asked.
    """
    rebuild = protection.rebuild(stack.require())
    if rebuild:
        say(f"{rebuild}\n")
    screen = Screen(say, planning=True, pulumi=pulumi or diff)
    return _preview(stack, screen, refresh=refresh, diff=diff, rebuild=rebuild)


def _preview(stack: Stack, screen: Screen, *, refresh: bool, diff: bool, rebuild: Rebuild | None) -> int:
    # The provider of authentik's objects asks the server; the engine shows a replacement rather than to refuse it.
    more = ({ENVIRONMENT: "1"} if refresh else {}) | (protection.IGNORE if rebuild else {})
    # A refresh that runs the program hides a replacement: see `protection.make_way`.
    program = (refresh and not rebuild) or None
    with explained(), _environment(stack, more), screen:
        result = stack.automation.preview(
            refresh=refresh,
            run_program=program,
            diff=diff,
            color="auto",
            on_output=screen.read,
            on_error=screen.read,
            on_event=screen.listen,
        )
    return changes(result.change_summary)


@contextmanager
def _environment(stack: Stack, more: Mapping[str, str]) -> Iterator[None]:
    """Let the engine, and what it starts, have more in its environment for a while."""
    workspace = stack.automation.workspace
    before = workspace.env_vars
    workspace.env_vars = {**before, **more}
    try:
        yield
    finally:
        workspace.env_vars = before


def up(
    stack: Stack,
    say: Say,
    *,
    refresh: bool,
    confirm: Callable[[str], bool] | None,
    agree: Callable[[], None],
    pulumi: bool = False,
) -> str:
    """Bring the client up; what was changed, in words.

    The state is made readable and the stack file checked first, then what a killed run left is settled; state is
    refreshed, so that drift is repaired. `confirm` is asked after the preview; without it nothing is asked. Where
    something protected is to be replaced, `agree` is called instead, in any case: it raises if the operator does not.

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
    rebuild = protection.rebuild(stack)
    if rebuild:
        say(f"{rebuild}\n")
        refresh = False
    asking = rebuild is not None and rebuild.protected
    told: set[str] = set()
    if confirm is not None:
        plan = Screen(say, planning=True, pulumi=pulumi, told=told)
        if not _preview(stack, plan, refresh=refresh, diff=False, rebuild=rebuild):
            return NOTHING
        if not asking and not confirm(f"Do this to {stack.name}?"):
            raise OperatorError("Nothing was touched.", "")
    if asking:
        agree()
    if rebuild:
        protection.make_way(stack, rebuild)
    with explained(), Screen(say, pulumi=pulumi, told=told) as screen:
        result = stack.automation.up(
            refresh=refresh or (bool(healed.environment) and not rebuild),
            run_program=True,
            color="auto",
            show_secrets=False,
            on_output=screen.read,
            on_error=screen.read,
            on_event=screen.listen,
        )
    forget(stack)
    return _done(screen) if changes(result.summary.resource_changes) else NOTHING


def destroy(stack: Stack, say: Say, *, pulumi: bool = False) -> str:
    """Take everything of this client down; what was done, in words. The caller has asked for the client's name.

    State is refreshed first, since some plugins cannot delete what was deleted by hand.
    """
    for note in backend.settle(stack.require()):
        say(note)
    healed = heal(stack)
    for note in healed.notes:
        say(note)
    protection.lift_at_hetzner(stack, stack.deployment().get("resources", []))
    tell(stack, healed)
    # The program protects again what a state edit lifts.
    with explained(), _environment(stack, protection.IGNORE), Screen(say, pulumi=pulumi) as screen:
        stack.automation.destroy(
            refresh=True,
            run_program=True,
            color="auto",
            show_secrets=False,
            on_output=screen.read,
            on_error=screen.read,
            on_event=screen.listen,
        )
    forget(stack)
    return _done(screen)


def _done(screen: Screen) -> str:
    return f"Done: {screen.counts() or 'nothing that the stack file speaks of'}."


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
