"""What one person alone has at a client goes to somebody else: groups that nobody else is in, apps that are theirs."""

from __future__ import annotations

from collections.abc import Iterator

from components.problems import nearest
from components.settings import Person, Settings
from operations.errors import UsageError
from operations.stack_file import StackFile


def hand_over(file: StackFile, settings: Settings, leaver: Person, to: str) -> Iterator[str]:
    """Write it into the stack file; what goes over, in words. The next `up` brings it to authentik.

    Raises:
        UsageError: the stack file has nobody of that name who could take it.
    """
    others = {person.username: person for person in settings.people if person.active and person != leaver}
    if to not in others:
        raise UsageError(
            f"{settings.client} has nobody called {to} in its stack file who could take over.",
            nearest(to, others) or "Give the user name of somebody in gatehouse:people who is active.",
        )
    successor = others[to]
    shared = {group for person in others.values() for group in person.groups}
    alone = [group for group in leaver.groups if group not in shared]
    if alone:
        file.set(("people", settings.people.index(successor), "groups"), [*successor.groups, *alone])
        yield from (f"the group {group}" for group in alone)
    for app in settings.apps:
        if app.users == (leaver.username,) and not app.groups:
            file.set(("apps", app.key, "users"), [to])
            yield f"the app {app.key}"
