"""Whether bindings let a user through: groups, users and expression policies bound to an application or a flow."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from bench.authentik.render import BINDINGS, GROUPS, Context, is_superuser, parents_of
from bench.authentik.store import Data


def groups_of(context: Context, user: Data) -> list[Data]:
    """A user's groups and all groups above them."""
    todo, found = list(user.get("groups", [])), {}
    while todo:
        group = context.store.get(GROUPS, todo.pop())
        if group is not None and group["pk"] not in found:
            found[group["pk"]] = group
            todo.extend(parents_of(group))
    return list(found.values())


def person(context: Context, user: Data) -> SimpleNamespace:
    """A user as an expression sees one."""
    names = [group["name"] for group in groups_of(context, user)]
    return SimpleNamespace(
        pk=user["pk"],
        username=user["username"],
        name=user["name"],
        email=user["email"],
        attributes=dict(user["attributes"]),
        is_active=user["is_active"],
        is_superuser=is_superuser(context.store, user),
        group_names=names,
    )


def expression(context: Context, text: str, user: Data, more: dict[str, Any]) -> bool:
    """The truth of an expression policy. Expressions come from the bench's own operator, so they just run."""
    names = {group["name"] for group in groups_of(context, user)}
    request = SimpleNamespace(user=person(context, user), context=more)
    scope: dict[str, Any] = {
        "request": request,
        "context": more,
        "ak_is_sso_flow": False,
        "ak_message": lambda text: None,
        "ak_is_group_member": lambda _user, **by: by.get("name") in names,
    }
    body = "\n".join("  " + line for line in text.split("\n"))
    exec(f"def handler():\n{body}\n", scope)  # noqa: S102
    return bool(scope["handler"]())


def policy_passes(context: Context, pk: str, user: Data, more: dict[str, Any]) -> bool:
    """One policy's result; kinds that the bench can't judge (location, reputation, …) pass."""
    found = context.group("any_policy", pk)
    if found is None or found[0].path != "/policies/expression/":
        return True
    return expression(context, found[1]["expression"], user, more)


def binding_passes(context: Context, binding: Data, user: Data, more: dict[str, Any]) -> bool:
    """One binding's result."""
    if binding.get("group"):
        result = any(group["pk"] == binding["group"] for group in groups_of(context, user))
    elif binding.get("user"):
        result = binding["user"] == user["pk"]
    else:
        try:
            result = policy_passes(context, binding["policy"], user, more)
        except Exception:
            return bool(binding.get("failure_result"))
    return result != bool(binding.get("negate"))


def passes(context: Context, target: Data, user: Data, more: dict[str, Any] | None = None) -> bool:
    """Whether the bindings of `target` let `user` through: all or any of them must, and none at all does, too."""
    bindings = [b for b in context.store.all(BINDINGS) if b["target"] == target["pk"] and b["enabled"]]
    results = [binding_passes(context, binding, user, more or {}) for binding in bindings]
    if not results:
        return True
    return all(results) if target.get("policy_engine_mode") == "all" else any(results)
