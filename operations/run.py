"""Preview, up, refresh and destroy of one client, over Pulumi's Automation API."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from components.host.dns import ADOPT
from components.identity.access import ENVIRONMENT as FOREIGN_ACCESS
from components.memory import CONFIRM
from components.objects.preflight import ALREADY_SHOWN, ENVIRONMENT
from operations import backend, backups, box, break_glass, copies, guards, protection
from operations.errors import OperatorError
from operations.impacts import interruptions
from operations.interrupted_creates import clear_pending, resume_creates
from operations.output import Output
from operations.protection import Rebuild
from operations.report import losses
from operations.screen import Screen, show_interruptions
from operations.stack import Stack, translate_errors
from operations.unrecorded import import_unrecorded

NOTHING = "No change."


def preview(stack: Stack, out: Output, *, refresh: bool, diff: bool) -> int:
    """Show what `up` would do; how many resources it would change.

    With `refresh`, drift is looked for on the box and in authentik too, and so are names that nobody declares and
    objects that are to be taken over; without, nothing outside is asked.
    """
    before = guards.refuse(stack.require(), guards.LOOKING if refresh else guards.PREVIEW, out)
    set_environment(stack, {ADOPT: json.dumps(before.taken_over)})
    if refresh:
        refresh, told = box.before_preview(stack, out.say)
        set_environment(stack, told)
    rebuild = protection.rebuild(stack)
    if rebuild:
        out.say(f"{rebuild}\n")
    screen = Screen(out, f"looking at {stack.name}", planning=True)
    return _preview(stack, screen, refresh=refresh, diff=diff, rebuild=rebuild)


def _preview(stack: Stack, screen: Screen, *, refresh: bool, diff: bool, rebuild: Rebuild | None) -> int:
    # The provider of authentik's objects asks the server; the engine shows a replacement rather than to refuse it.
    # What has to be confirmed is shown, and is asked about before it is done.
    more = (
        {CONFIRM: stack.name}
        | ({ENVIRONMENT: "1"} if refresh else {})
        | (protection.IGNORE if rebuild else {})
    )
    # A refresh that runs the program hides a replacement: see `protection.make_way`.
    program = (refresh and not rebuild) or None
    with translate_errors(), _environment(stack, more), screen:
        result = stack.automation.preview(
            refresh=refresh,
            run_program=program,
            diff=diff,
            color="auto",
            **screen.callbacks,
        )
    return changes(result.change_summary)


def _dry_run(stack: Stack, out: Output) -> None:
    """Go through a run that nobody is asked about, so that what it would refuse is refused before it writes.

    Raises CommandError where it would; only then is anything said.
    """
    screen = Screen(out, planning=True, silent=True)
    _preview(stack, screen, refresh=True, diff=False, rebuild=None)


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
    out: Output,
    *,
    refresh: bool,
    confirm: Callable[[str], bool] | None,
    agree: Callable[[str], None],
) -> str:
    """Bring the client up; what was changed, in words.

    The state is made readable and the stack file checked first, then what a killed run left is settled; state is
    refreshed, so that drift is repaired. `confirm` is asked after the preview; without it nothing is asked. Where
    something protected is to be replaced, or every issuer changes, `agree` is called instead, in any case, with what
    that is: it raises if the operator does not.

    Raises:
        OperatorError: something has to be put right first.
        pulumi.automation.CommandError: the engine failed; its own words have been printed.
    """
    for note in backend.clear_leftovers(stack.require()):
        out.say(note)
    before = guards.refuse(stack, guards.UP, out)
    healed = resume_creates(stack)
    for note in (*healed.notes, *import_unrecorded(stack, out)):
        out.say(note)
    seen, away = box.before_up(stack, out.say) if refresh else (True, {})
    for note in break_glass.before_up(stack, before.settings):
        out.say(note)
    set_environment(stack, {**healed.environment, **away, ADOPT: json.dumps(before.taken_over)})
    if not seen:
        protection.refresh_clouds(stack)
    rebuild = protection.rebuild(stack)
    if rebuild:
        out.say(f"{rebuild}\n")
    look = seen and not rebuild
    refresh = look and refresh
    asking = []
    if rebuild and rebuild.protected:
        asking.append(f"This deletes {stack.name}'s server and makes it anew.")
    if before.memory.changes_issuer(before.settings):
        moved = str(before.memory.issuer_warning(before.settings))
        out.say(f"{moved}\n")
        out.heard.add(moved)
        asking.append(f"This moves {stack.name}'s authentik to {before.settings.issuer_base}.")
    if confirm is None and before.adopts_more:
        _dry_run(stack, out)
    if confirm is not None:
        plan = Screen(out, f"looking at {stack.name}", planning=True)
        some = _preview(stack, plan, refresh=refresh, diff=False, rebuild=rebuild)
        if not some and before.memory.root:
            return NOTHING
        out.show_warnings()
        foreign = "; ".join(plan.report.foreign)
        if foreign and confirm(f"Remove what the stack file does not have ({foreign})?"):
            set_environment(stack, {FOREIGN_ACCESS: "remove"})
        if some and not asking and not confirm(f"Do this to {stack.name}?"):
            raise OperatorError("Nothing was touched.", "")
    if asking:
        agree(" ".join(asking))
    set_environment(stack, {CONFIRM: stack.name})
    if rebuild:
        protection.prepare_replacement(stack, rebuild)
    screen = Screen(out, f"bringing {stack.name} up")
    changed = _bring_up(stack, screen, refresh=refresh or (look and bool(healed.environment)))
    if before.taken_over:  # the engine imports what is there as it is; only the next run may change it
        set_environment(stack, {ADOPT: ""})
        changed += _bring_up(stack, Screen(out, f"bringing {stack.name} up"), refresh=False)
    if confirm is None:  # no preview has said it
        show_interruptions(out, screen.report.interruptions(), "What this interrupted:")
    _ended(stack, out)
    if changed and before.settings.backup:
        backups.deliver(stack, out)
    return _done(screen) if changed else NOTHING


def _bring_up(stack: Stack, screen: Screen, *, refresh: bool) -> int:
    with translate_errors(), _environment(stack, {ENVIRONMENT: ALREADY_SHOWN}), screen:
        result = stack.automation.up(
            refresh=refresh,
            run_program=True,
            color="auto",
            show_secrets=False,
            **screen.callbacks,
        )
    return changes(result.summary.resource_changes)


def destroy(stack: Stack, out: Output, agree: Callable[[str], None]) -> str:
    """Take everything of this client down; what was done, in words.

    `agree` is called with what that is, once what it interrupts was said; it raises if the operator does not. State is
    refreshed first, since some plugins cannot delete what was deleted by hand.
    """
    for note in backend.clear_leftovers(stack.require()):
        out.say(note)
    guards.refuse(stack, guards.DESTROY, out)
    there = sorted(losses(stack.deployment().get("resources", [])))
    show_interruptions(out, interruptions(each.changed for each in there if not each.given_back))
    given_back = sum(each.given_back for each in there)
    kept = f", and gives back {given_back} that were there before" if given_back else ""
    agree(f"This deletes {len(there) - given_back} things of {stack.name}{kept}.")
    healed = resume_creates(stack)
    for note in healed.notes:
        out.say(note)
    set_environment(stack, {**healed.environment, **box.before_destroy(stack, out.say), CONFIRM: stack.name})
    protection.lift_at_hetzner(stack, stack.deployment().get("resources", []))
    # The program protects again what a state edit lifts.
    screen = Screen(out, f"taking {stack.name} down")
    with translate_errors(), _environment(stack, protection.IGNORE), screen:
        stack.automation.destroy(
            refresh=True,
            run_program=True,
            color="auto",
            show_secrets=False,
            **screen.callbacks,
        )
    _ended(stack, out)
    return _done(screen)


def _ended(stack: Stack, out: Output) -> None:
    for note in clear_pending(stack):
        out.say(note)
    copies.copy_state(stack)


def _done(screen: Screen) -> str:
    counts = ", ".join(f"{number} {words}" for words, number in screen.report.counts().items())
    return f"Done: {counts or 'nothing that the stack file speaks of'}."


def set_environment(stack: Stack, more: Mapping[str, str]) -> None:
    """Hand what was settled to the run that follows."""
    workspace = stack.automation.workspace
    workspace.env_vars = {**workspace.env_vars, **more}


def changes(summary: Mapping[Any, int] | None) -> int:
    """How many resources a change summary says are not the same."""
    return sum(
        count for kind, count in (summary or {}).items() if str(getattr(kind, "value", kind)) not in SAME
    )


SAME = {"same", "refresh", "read", "discard"}
