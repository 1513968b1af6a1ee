"""Who may use what: the policy bindings of an application or a flow, evaluated for a person."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bench.authentik.store import Data, Store

BINDINGS = "/policies/bindings/"
GROUPS = "/core/groups/"


class NotEmulatedError(Exception):
    """Something that the emulator would have to guess; it refuses instead."""


def groups_of(store: Store, user: Data) -> list[Data]:
    """A person's groups with everything above them: membership in a child counts for its parents."""
    found: dict[str, Data] = {}
    waiting = [group for pk in user.get("groups", []) if (group := store.get(GROUPS, pk))]
    while waiting:
        group = waiting.pop()
        if group["pk"] in found:
            continue
        found[group["pk"]] = group
        above = [*(group.get("parents") or []), *filter(None, [group.get("parent")])]
        waiting += [parent for pk in above if (parent := store.get(GROUPS, pk))]
    return sorted(found.values(), key=lambda group: store.seq(GROUPS, group["pk"]))


def may_use(store: Store, user: Data, target: Data) -> bool:
    """Whether the bindings on `target` let this person through; without any binding everybody passes."""
    results = [
        passes(store, user, binding) != bool(binding.get("negate"))
        for binding in bindings_of(store, target)
        if binding.get("enabled", True)
    ]
    if not results:
        return True
    return all(results) if target.get("policy_engine_mode", "any") == "all" else any(results)


def bindings_of(store: Store, target: Data) -> Iterable[Data]:
    """The bindings on an object, in their order."""
    own = [binding for binding in store.all(BINDINGS) if str(binding["target"]) == str(target["pk"])]
    return sorted(own, key=lambda binding: int(binding["order"]))


def passes(store: Store, user: Data, binding: Data) -> bool:
    """Whether one binding lets this person through."""
    if binding.get("group"):
        return any(group["pk"] == binding["group"] for group in groups_of(store, user))
    if binding.get("user"):
        return bool(user["pk"] == binding["user"])
    return policy_passes(store, binding.get("policy"))


def policy_passes(store: Store, pk: Any) -> bool:
    """The result of a policy that needs no evaluation of code or of the request."""
    policy = store.get("/policies/expression/", pk)
    if policy and str(policy["expression"]).strip() in ("return True", "return False"):
        return str(policy["expression"]).strip() == "return True"
    raise NotEmulatedError(
        f"the bench evaluates no policies but `return True` and `return False` (policy {pk})"
    )
