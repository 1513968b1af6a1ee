"""Who administrates an authentik, and who still would after a change.

Nothing that gatehouse writes takes away the rights of the account that it works with, or the last person who
administrates: nobody could give them back. It is looked at twice: before a run, for all that the run would do
(`operations.lockout`), and right before each write that could take rights away (`identity.dialect`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Protocol

from components.objects.dialect import Kind

GROUP, USER, ROLE, TOKEN = (
    "authentik_core.group",
    "authentik_core.user",
    "authentik_rbac.role",
    "authentik_core.token",
)
Item = Mapping[str, Any]
Table = dict[str, dict[str, Any]]
BINDING = ("key", "user", "intent", "expiring", "expires")
"""Fields of a token that say who it lets in, and how long."""
LISTS = ("groups", "roles", "parents")
"""Fields by which people and groups have what they have; each that goes may take rights along."""
_REMEDY = (
    "Leave that out of the stack file; or give these rights in another way first, in a run of its own: a group with "
    "`superuser: true`, and a person in it. An account that is not in the stack file joins it in authentik itself"
)


class Server(Protocol):
    """What is asked."""

    def kind(self, name: str) -> Kind:
        """Facts of a kind."""
        ...

    def me(self) -> str:
        """The pk of the account that asks."""
        ...

    def list_objects(self, kind: Kind, /) -> Iterable[Item]:
        """Every object of a kind."""
        ...


@dataclass
class Rights:
    """People and groups, by their pks: as they were when they were read, and as changes would leave them."""

    me: str
    """The pk of the account that the token belongs to."""
    users: Table
    groups: Table
    changes: list[str] = field(default_factory=list)
    """What takes something away from somebody, in words."""

    @staticmethod
    def read(server: Server) -> Rights:
        """As they are now."""
        users, groups = (
            {str(item["pk"]): dict(item) for item in server.list_objects(server.kind(name))}
            for name in (USER, GROUP)
        )
        return Rights(server.me(), users, groups)

    def copy(self) -> Rights:
        """A copy, to be changed."""
        return Rights(self.me, deepcopy(self.users), deepcopy(self.groups))

    def apply(self, kind: str, pk: str, fields: Item | None) -> None:
        """Give an object, or a new one, these fields as the server has them; None deletes it."""
        if kind == ROLE and fields is None:
            for item in (*self.users.values(), *self.groups.values()):
                item["roles"] = [each for each in item.get("roles") or [] if str(each) != pk]
            self.changes.append("a role is deleted")
        if kind not in (USER, GROUP):
            return
        table, title, name = (
            (self.users, "user", "username") if kind == USER else (self.groups, "group", "name")
        )
        item = table.get(pk, {})
        called = f"{title} {item.get(name) or (fields or {}).get(name)!r}"
        if fields is None:
            table.pop(pk, None)
            self.changes.append(f"{called} is deleted")
            return
        self.changes += _losses(called, item, fields, self.groups)
        table[pk] = {**item, **fields}

    def administrators(self) -> set[str]:
        """The pks of everybody active who is in a superuser group, or in one below it."""
        return {
            pk
            for pk, user in self.users.items()
            if user.get("is_active", True)
            and any(self._is_superuser(group) for group in user.get("groups") or ())
        }

    def denial(self, after: Rights) -> tuple[str, str] | None:
        """Why the changes that led to `after` must not be made, and what to do; None where they may."""
        had, has = self.administrators(), after.administrators()
        lost = ""
        if self.me in had - has or (self.me not in had and self._grants(self.me) - after._grants(self.me)):
            name = self.users[self.me].get("username")
            lost = f"the account that this stack works with, {name!r}, would lose its rights"
        elif any(map(self._is_person, had)) and not any(map(after._is_person, has)):
            lost = "nobody would administrate authentik any more"
        return (f"{lost}: {'; '.join(after.changes)}", _REMEDY) if lost else None

    def _is_superuser(self, group: object, above: frozenset[str] = frozenset()) -> bool:
        pk = str(group)
        item = self.groups.get(pk, {})
        parents = [*(item.get("parents") or ()), *([item["parent"]] if item.get("parent") else ())]
        return bool(item.get("is_superuser")) or any(
            self._is_superuser(parent, above | {pk}) for parent in parents if str(parent) not in above
        )

    def _is_person(self, pk: str) -> bool:
        return not str(self.users[pk].get("type", "")).endswith("service_account")

    def _grants(self, pk: str) -> set[str]:
        """Everything that may give rights to an active account: its roles and groups, and those of its groups."""
        user = self.users.get(pk, {})
        if not user.get("is_active", True):
            return set()
        given = {"active", *map(str, user.get("roles") or ())} if user else set()
        waiting = [str(each) for each in user.get("groups") or ()]
        while waiting:
            group = self.groups.get(each := waiting.pop(), {})
            if group and each not in given:
                given |= {each, *map(str, group.get("roles") or ())}
                waiting += [
                    *map(str, group.get("parents") or ()),
                    *([str(group["parent"])] if group.get("parent") else ()),
                ]
        return given


def reduces_rights(kind: str, item: Item, fields: Item | None, me: Callable[[], str]) -> bool:
    """Whether a change to an object, None for its deletion, may take rights away from us or from an administrator.

    Told from the object alone, since most changes are of people and groups that have no rights. `me`: the pk of our
    own account.
    """
    if kind == TOKEN:
        return fields is None or any(item.get(name) != fields[name] for name in BINDING if name in fields)
    if kind not in (USER, GROUP, ROLE) or not (fields is None or any(_losses("", item, fields, {}))):
        return False
    if kind == USER:
        return bool(item.get("is_superuser")) or str(item["pk"]) == me()
    return kind == ROLE or any(item.get(name) for name in ("is_superuser", "parents", "parent", "roles"))


def _losses(called: str, item: Item, fields: Item, groups: Table) -> Iterator[str]:
    if item.get("is_superuser") and fields.get("is_superuser") is False:
        yield f"{called} would no longer make its people administrators"
    if item.get("is_active") and fields.get("is_active") is False:
        yield f"{called} would be locked out"
    for name in LISTS:
        if name in fields:
            gone = {str(each) for each in item.get(name) or ()} - {str(each) for each in fields[name] or ()}
            names = sorted(str(groups.get(each, {}).get("name", each)) for each in gone)
            if names:
                yield f"{called} would lose {' and '.join(names)} ({name})"
    if "parent" in fields and item.get("parent") and item["parent"] != fields["parent"]:
        yield f"{called} would leave the group above it"
