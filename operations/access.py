"""Who may use which app at a client's authentik, and why.

Groups (with those above them), single people, `negate`, `enabled` and the mode are worked out here, as authentik does.
What a policy decides is authentik's own answer: one question a person, asked only where it depends on one. Whether an
account is active plays no part in what is bound to an app; who is not active is stopped at the login.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components.identity.dialect import Authentik
from operations.evaluation import APPLICATION, BINDING, GROUP, USER

Item = Mapping[str, Any]
FACTORS = ("webauthn", "totp", "static", "sms", "email", "duo")
"""Kinds of second factors, as they are listed; static ones are recovery codes."""
SERVICE = "service_account"


@dataclass(frozen=True)
class Access:
    """One person and one app."""

    app: str
    person: str
    passing: bool
    """Whether what is bound to the app lets them through."""
    active: bool
    why: str

    @property
    def may(self) -> bool:
        """Whether they can use it."""
        return self.passing and self.active


@dataclass(frozen=True)
class PersonRow:
    """Somebody, as the report shows them."""

    username: str
    name: str
    email: str
    active: bool
    factors: tuple[str, ...] | None
    """Their second factors; None where nobody asked."""


@dataclass(frozen=True)
class Report:
    """All people and apps, and one `Access` for each pair of them."""

    people: list[PersonRow]
    apps: list[str]
    access: list[Access]


@dataclass(frozen=True)
class Bound:
    """What one binding says of a person; `passing` is None where a policy decides."""

    passing: bool | None
    why: str


class Directory:
    """People, groups, apps and what is bound to them, read once."""

    def __init__(self, server: Authentik) -> None:
        self._server = server

        def listed(kind: str) -> list[Item]:
            return list(server.list_objects(server.kind(kind)))

        self.users = [each for each in listed(USER) if not str(each.get("type", "")).endswith(SERVICE)]
        self._groups = {str(each["pk"]): each for each in listed(GROUP)}
        self.apps = sorted(listed(APPLICATION), key=lambda app: str(app["slug"]))
        self._bindings: dict[str, list[Item]] = {}
        for binding in sorted(listed(BINDING), key=lambda each: int(each["order"])):
            if binding.get("enabled", True):
                self._bindings.setdefault(str(binding["target"]), []).append(binding)

    def report(self, *, factors: bool = False) -> Report:
        """Everybody and every app."""
        owned = self._factors() if factors else None
        users = sorted(self.users, key=lambda user: str(user["username"]))
        people = [
            PersonRow(
                str(user["username"]), str(user["name"]), str(user.get("email") or ""), bool(user["is_active"]),
                None if owned is None else tuple(owned.get(user["pk"], ())),
            )
            for user in users
        ]  # fmt: skip
        access = [each for user in users for each in self.of(user)]
        return Report(people, [str(app["slug"]) for app in self.apps], access)

    def of(self, user: Item) -> Iterator[Access]:
        """What one person may use."""
        above = self._above(user)
        answers: set[str] | None = None
        for app in self.apps:
            bounds = [self._bound(each, user, above) for each in self._bindings.get(str(app["pk"]), [])]
            every = app.get("policy_engine_mode", "any") == "all"
            passing, why = _decided(bounds, every=every)
            if passing is None:
                if answers is None:
                    answers = self._asked(user)
                passing = app["slug"] in answers
                names = ", ".join(each.why for each in bounds if each.passing is None)
                why = f"{names} {'lets them in' if passing else 'does not let them in'}, authentik says"
            active = bool(user["is_active"])
            yield Access(
                str(app["slug"]), str(user["username"]), passing, active,
                why if active else f"the account is closed; else: {why}",
            )  # fmt: skip

    def _bound(self, binding: Item, user: Item, above: Mapping[str, str]) -> Bound:
        turned = bool(binding.get("negate"))
        if binding.get("policy"):
            named = binding.get("policy_obj") or {}
            return Bound(None, f"policy {named.get('name', binding['policy'])}")
        if binding.get("group"):
            pk = str(binding["group"])
            name = self._groups[pk]["name"] if pk in self._groups else pk
            inside = pk in above
            through = f", by {above[pk]}" if above.get(pk, name) != name else ""
            return Bound(inside != turned, f"{'' if inside else 'not '}in group {name}{through}")
        inside = binding.get("user") == user["pk"]
        return Bound(inside != turned, "named" if inside else "not named")

    def _above(self, user: Item) -> dict[str, str]:
        """All groups that count for somebody, each with the own group by which it does."""
        waiting = [str(pk) for pk in user.get("groups") or ()]
        found = {pk: str(self._groups.get(pk, {}).get("name", pk)) for pk in waiting}
        while waiting:
            pk = waiting.pop()
            group = self._groups.get(pk, {})
            for parent in map(str, [*(group.get("parents") or ()), *filter(None, [group.get("parent")])]):
                if parent not in found:
                    found[parent] = found[pk]
                    waiting.append(parent)
        return found

    def _asked(self, user: Item) -> set[str]:
        """The apps that authentik lists for somebody. A page is cut before it is looked who may."""
        apps = self._server.rows("/core/applications/", for_user=str(user["pk"]))
        return {str(app["slug"]) for app in apps}

    def _factors(self) -> dict[Any, list[str]]:
        found: dict[Any, list[str]] = {}
        for factor in FACTORS:
            for row in self._server.rows(f"/authenticators/admin/{factor}/"):
                owner = row.get("user")
                kinds = found.setdefault(owner["pk"] if isinstance(owner, dict) else owner, [])
                if factor not in kinds:
                    kinds.append(factor)
        return found


def _decided(bounds: list[Bound], *, every: bool) -> tuple[bool | None, str]:
    """What bindings come to together, and why; None where it depends on a policy."""
    if not bounds:
        return True, "everybody: nothing is bound to it"
    decisive = not every  # one binding that says so is enough to let in, or with `all` to keep out
    for each in bounds:
        if each.passing is decisive:
            return decisive, each.why
    if any(each.passing is None for each in bounds):
        return None, ""
    return not decisive, " and ".join(each.why for each in bounds)
