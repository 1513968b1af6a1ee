"""Who may use what: the policy bindings of an application, a flow or a stage, evaluated for a person.

As authentik's policy engine does it: bindings that are enabled, each turned round by its `negate`; without any,
everybody passes. A policy that fails counts as its binding's `failure_result`, which is not turned round (recorded).
Whether the person is active plays no part here: those who are not are stopped at the login.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from bench.authentik.context import BINDINGS, groups_of
from bench.authentik.policies import PolicyError, Verdict, evaluate
from bench.authentik.store import Data, Store

NOBODY: Data = {"pk": None}
"""Somebody who has not said who they are."""


def may_use(store: Store, user: Data, target: Data, plan: dict[str, Any] | None = None) -> bool:
    """Whether the bindings on `target` let this person through."""
    return decide(store, user, target, plan).passing


def decide(store: Store, user: Data, target: Data, plan: dict[str, Any] | None = None) -> Verdict:
    """The same with what the policies say; `plan` is the context of the flow that is under way."""
    found = [
        verdict(store, user, binding, plan)
        for binding in bindings_of(store, target)
        if binding.get("enabled", True)
    ]
    every = target.get("policy_engine_mode", "any") == "all"
    passing = (all if every else any)(one.passing for one in found) if found else True
    return Verdict(passing, [message for one in found for message in one.messages])


def bindings_of(store: Store, target: Data) -> Iterable[Data]:
    """The bindings on an object, in their order."""
    own = [binding for binding in store.all(BINDINGS) if str(binding["target"]) == str(target["pk"])]
    return sorted(own, key=lambda binding: int(binding["order"]))


def verdict(store: Store, user: Data, binding: Data, plan: dict[str, Any] | None) -> Verdict:
    """What one binding says of this person."""
    messages: list[str] = []
    if binding.get("policy"):
        try:
            said = evaluate(store, binding["policy"], user, plan)
        except PolicyError as error:
            return Verdict(bool(binding.get("failure_result")), [str(error)])
        passing, messages = said.passing, said.messages
    elif binding.get("group"):
        passing = any(group["pk"] == binding["group"] for group in groups_of(store, user))
    else:
        passing = user["pk"] is not None and user["pk"] == binding.get("user")
    return Verdict(passing != bool(binding.get("negate")), messages)
