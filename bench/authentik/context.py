"""The tables and the state together, and how objects hang together: references, groups, members."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.authentik.catalog import Kind, Line, Ref
from bench.authentik.store import Data, Store

APPLICATIONS = "/core/applications/"
ENTITLEMENTS = "/core/application_entitlements/"
BINDINGS = "/policies/bindings/"
FLOWS = "/flows/instances/"
FLOW_BINDINGS = "/flows/bindings/"
USERS = "/core/users/"
GROUPS = "/core/groups/"
OUTPOSTS = "/outposts/instances/"
OAUTH2, PROXY = "/providers/oauth2/", "/providers/proxy/"
Item = tuple[Kind, Data]


@dataclass
class Context:
    """What most of the emulator needs: tables, state, the address that the client used, and what it wants shown.

    `flags` says for nested fields whether they are shown ("users_obj": False for include_users=false).
    """

    line: Line
    store: Store
    base_url: str = "http://localhost:9000"
    flags: dict[str, bool] = field(default_factory=dict)

    def locate(self, ref: Ref, value: object) -> Item | None:
        """The object that a reference names."""
        for path in ref.kinds:
            kind = self.line.kinds.get(path)
            if kind is None:
                continue
            by = kind.pk_field if ref.by == "pk" else ref.by
            by_pk = by == kind.pk_field
            data = self.store.get(path, value) if by_pk else self.store.find(path, **{by: value})
            if data is not None:
                return kind, data
        return None

    def group(self, name: str, pk: object) -> Item | None:
        """An object of any kind of a group ("any_provider") by its pk."""
        for path in self.line.groups[name]:
            if (data := self.store.get(path, pk)) is not None:
                return self.line.kinds[path], data
        return None

    def items(self, path: str) -> list[Item]:
        """All objects of a kind with the kind, as lists and nested fields want them."""
        kind = self.line.kinds.get(path)
        return [(kind, data) for data in self.store.all(path)] if kind else []


def members(store: Store, group: Data) -> list[Data]:
    """The users of a group (the relation is kept on the user's side)."""
    return [user for user in store.all(USERS) if group["pk"] in user.get("groups", [])]


def parents_of(group: Data) -> list[str]:
    """The groups that a group inherits from: `parents`, or `parent` up to 2025.10."""
    return list(group.get("parents") or []) + [pk for pk in [group.get("parent")] if pk]


def client_of(store: Store, client_id: str) -> Data | None:
    """The provider of an OAuth client; behind the proxy, the outpost is one."""
    return store.find(OAUTH2, client_id=client_id) or store.find(PROXY, client_id=client_id)


def groups_of(store: Store, user: Data) -> list[Data]:
    """A person's groups with everything above them: membership in a child counts for its parents."""
    found: dict[str, Data] = {}
    waiting = list(user.get("groups", []))
    while waiting:
        group = store.get(GROUPS, waiting.pop())
        if group is not None and group["pk"] not in found:
            found[group["pk"]] = group
            waiting += parents_of(group)
    return sorted(found.values(), key=lambda group: store.seq(GROUPS, group["pk"]))


def is_superuser(store: Store, user: Data) -> bool:
    """Whether one of a user's groups, or of the groups above them, makes superusers."""
    return any(group.get("is_superuser") for group in groups_of(store, user))
