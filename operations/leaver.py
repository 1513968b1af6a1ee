"""Somebody leaves a client: what that takes, and doing it so that a run that is cut off is finished by the next one.

The stack file comes first: `gatehouse up` repairs what differs from it, and would let the person in again. Then the
account is closed, which ends everything that is in use; then what would live again with it is deleted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.identity.dialect import Authentik
from components.identity.rights import USER, Rights
from components.problems import nearest
from components.settings import Person, Settings
from operations.errors import OperatorError, UsageError
from operations.evaluation import APPLICATION, BINDING
from operations.handover import hand_over
from operations.stack import Stack
from operations.stack_file import StackFile
from operations.traces import Found, delete, found, links

Item = Mapping[str, Any]


class NobodyError(UsageError):
    """There is nobody of that name or address."""


LOST = {
    "API token": "whatever used the API token {} stops",
    "invitation": "nobody can join by invitation {} any more",
}
"""What stops for others with one of these."""


@dataclass
class Leaver:
    """Somebody at one client, with all that is to be ended there."""

    client: str
    username: str
    name: str
    email: str
    file: StackFile
    written: Person | None
    """As the stack file has them; None where it does not."""
    user: Item | None
    """As authentik has them; None where it does not."""
    groups: list[str] = field(default_factory=list)
    roles: int = 0
    found: list[Found] = field(default_factory=list)
    handed: list[str] = field(default_factory=list)
    """What somebody else takes over, and who."""
    left_behind: list[str] = field(default_factory=list)
    """What nobody has any more, or what stops for others."""

    @property
    def is_active(self) -> bool:
        """Whether authentik lets them in."""
        return self.user is not None and bool(self.user.get("is_active", True))

    @property
    def is_out(self) -> bool:
        """Whether there is nothing to be done."""
        return not (self.file.is_changed or self.is_active or self.groups or self.roles or self.found)

    @property
    def called(self) -> str:
        """How they are spoken of."""
        return f"{self.username} ({', '.join(filter(None, (self.name, self.email)))})"

    def steps(self) -> Iterator[str]:
        """What is to be done, in words and in order."""
        if self.file.is_changed:
            yield f"stacks/{self.file.file.name}: locked out, and in no group"
        yield from (f"stacks/{self.file.file.name}: {each}" for each in self.handed)
        if self.is_active:
            yield "authentik: locked out"
        if self.groups:
            yield f"authentik: out of {_listed('group', self.groups)}"
        if self.roles:
            yield f"authentik: {self.roles} role{'s' * (self.roles > 1)} taken away"
        for what, number in Counter(each.what for each in self.found).items():
            apps = sorted({each.app for each in self.found if each.what == what and each.app})
            names = apps or [
                each.name for each in self.found if each.what == what and not each.name.isdigit()
            ]
            told = f" ({', '.join(names)})" if names and what != "session" else ""
            yield f"authentik: {number} {what}{'s' * (number > 1)}{told} ended"


def leaver(stack: Stack, settings: Settings, server: Authentik, who: str, to: str | None = None) -> Leaver:
    """Look somebody up, by user name or address, and everything that is to be ended. `to`: who takes over.

    Raises:
        OperatorError: there is nobody of that name, or more than one; it is no person, or the last administrator.
    """
    rights = Rights.read(server)
    user = _account(stack.name, rights.users.values(), who)
    written = _written(settings.people, str(user["username"]) if user else who)
    if user is None and written is None:
        known = [str(each["username"]) for each in rights.users.values()]
        raise NobodyError(
            f"{stack.name} has nobody called {who}, by user name or address.",
            nearest(who, known) or f"./gatehouse access {stack.name} lists everybody.",
        )
    if user is None:
        assert written is not None
        user = next((each for each in rights.users.values() if each["username"] == written.username), None)
    person = Leaver(
        stack.name,
        username=str(user["username"]) if user else who,
        name=str(user["name"]) if user else (written.name if written else ""),
        email=str(user.get("email") or "") if user else (written.email if written else ""),
        file=StackFile(stack.file),
        written=written,
        user=user,
    )
    if written is not None:
        if to is not None:
            person.handed = [
                f"{to} takes over {what}" for what in hand_over(person.file, settings, written, to)
            ]
        _strike(person.file, settings, written)
    if user is not None:
        _refuse_service_account(person, user)
        _refuse_last_administrator(stack.name, rights, user)
        person.groups = sorted(str(rights.groups[str(pk)]["name"]) for pk in user.get("groups") or ())
        person.roles = len(user.get("roles") or ())
        person.found = list(found(server, user))
        person.left_behind = list(_left_behind(server, settings, rights, person))
    return person


def carry_out(person: Leaver, server: Authentik) -> None:
    """Do it. Each step may be done again, and is done first that makes the others safe."""
    person.file.check()
    person.file.save()
    if person.user is None:
        return
    closed: dict[str, Any] = {"is_active": False, "groups": []}
    if person.roles:
        closed["roles"] = []
    # PATCH: it alone ends sessions too. What it ends by itself is gone when it is deleted.
    server.request("PATCH", f"/core/users/{person.user['pk']}/", body=closed)
    for each in person.found:
        delete(server, each)
    for each in found(server, person.user):  # made meanwhile
        delete(server, each)


def leave_app(client: str, server: Authentik, who: str, app: str, *, do: bool) -> list[Found]:
    """End what an app was granted for somebody who may not use it any more; with `do` false, only look.

    A group that somebody is taken out of, or a binding that goes, ends no refresh token: the app could renew what it
    has for as long as that lasts.

    Raises:
        OperatorError: there is no such person or app, or the person may still use it.
    """
    rights = Rights.read(server)
    user = _account(client, rights.users.values(), who)
    apps = {str(each["slug"]): each for each in server.list_objects(server.kind(APPLICATION))}
    if user is None:
        names = [str(each["username"]) for each in rights.users.values()]
        raise NobodyError(f"{client} has nobody called {who}.", nearest(who, names) or "Check the name.")
    if app not in apps:
        raise UsageError(
            f"{client} has no app called {app}.", nearest(app, apps) or f"Apps: {', '.join(apps)}"
        )
    asked = {"for_user": str(user["pk"])}
    if server.request("GET", f"/core/applications/{app}/check_access/", params=asked)["passing"]:
        raise OperatorError(
            f"{user['username']} may still use {app} at {client}: it would be granted the same again.",
            f"Take them out of its groups and users in the stack file, run ./gatehouse up {client}, then the same "
            f"command again. ./gatehouse access {client} --app {app} says why they may.",
        )
    if apps[app].get("provider") is None:
        return []
    granted = list(found(server, user, int(apps[app]["provider"])))
    for each in granted if do else ():
        delete(server, each)
    return granted


def _account(client: str, everybody: Collection[Item], who: str) -> Item | None:
    named = [each for each in everybody if each["username"] == who]
    addressed = [each for each in everybody if str(each.get("email") or "").lower() == who.lower()]
    if not named and len(addressed) > 1:
        names = " and ".join(sorted(str(each["username"]) for each in addressed))
        raise UsageError(
            f"At {client}, {names} have the address {who}.", "Give the user name of one of them."
        )
    return next(iter(named or addressed), None)


def _written(people: Sequence[Person], who: str) -> Person | None:
    named = [each for each in people if each.username == who]
    return next(iter(named or [each for each in people if each.email.lower() == who.lower()]), None)


def _strike(file: StackFile, settings: Settings, written: Person) -> None:
    """Lock somebody out in the stack file: their entry stays, since with it the account would go."""
    index = settings.people.index(written)
    if written.groups or (written.adopt and "groups" not in written.model_fields_set):
        file.set(("people", index, "groups"), [])
    if written.active:
        file.set(("people", index, "active"), value=False)
    for app in settings.apps:
        others = [name for name in app.users if name != written.username]
        if written.username in app.users and (others or app.groups):
            file.remove(("apps", app.key, "users", app.users.index(written.username)))


def _refuse_service_account(person: Leaver, user: Item) -> None:
    if str(user.get("type", "")).endswith("service_account"):
        raise OperatorError(
            f"{person.username} is no person but an account that a program works with.",
            "One of an outpost or of this stack goes with what it belongs to; delete any other in authentik.",
        )


def _refuse_last_administrator(client: str, rights: Rights, user: Item) -> None:
    after = rights.copy()
    after.apply(USER, str(user["pk"]), {"is_active": False, "groups": []})
    if denial := rights.denial(after):
        raise OperatorError(
            f"{user['username']} cannot leave {client} yet: {denial[0]}.",
            f"First make somebody else an administrator: a person in a group with `superuser: true` in the stack file, "
            f"then ./gatehouse up {client}. If it is the account that this stack works with, give the stack a token of "
            "another one (gatehouse:authentik.token).",
        )


def _left_behind(server: Authentik, settings: Settings, rights: Rights, person: Leaver) -> Iterator[str]:
    assert person.user is not None
    pk = person.user["pk"]
    others = [each for each in rights.users.values() if each["pk"] != pk and each.get("is_active", True)]
    for each in person.user.get("groups") or ():
        name = rights.groups[str(each)]["name"]
        taken = any(line.endswith(f" the group {name}") for line in person.handed)
        if not taken and not any(each in (other.get("groups") or ()) for other in others):
            yield f"nobody else is in the group {name}"
    bindings = [each for each in server.list_objects(server.kind(BINDING)) if each.get("enabled", True)]
    for app in server.list_objects(server.kind(APPLICATION)):
        of = [each for each in bindings if str(each["target"]) == str(app["pk"])]
        taken = any(line.endswith(f" the app {app['slug']}") for line in person.handed)
        if of and not taken and all(each.get("user") == pk for each in of):
            yield f"nobody else may use {app['slug']}: it is bound to them alone"
    for trace in person.found:
        if trace.what in LOST:
            yield LOST[trace.what].format(trace.name)
    linked = set(links(server, person.user))
    for source in server.rows("/sources/all/"):
        if str(source["pk"]) in linked:
            yield f"their account at {source['slug']} stays linked to the closed one, so that it makes no new one"
        elif source["enabled"] and source["enrollment_flow"] and source["user_matching_mode"] == "identifier":
            yield f"{source['slug']} makes an account for whoever comes: close theirs there as well"
    for name, invitation in settings.login.invitations.items():
        if not invitation.over:
            yield (
                f"whoever knows the link of the invitation {name} can make an account until "
                f"{invitation.expires:%Y-%m-%d}: if they do, give the group another one in gatehouse:login.invitations"
            )
    if person.written is not None and person.written.adopt:
        yield (
            "their entry in the stack file has to stay: they were taken over with adopt, and without it the account is "
            "given back as it was, open"
        )


def _listed(what: str, names: Sequence[str]) -> str:
    return f"the {what}{'s' * (len(names) > 1)} {', '.join(names)}"
