"""The names that resources have in the state (ADR 20)."""

from __future__ import annotations

import pulumi


def logical_name(client: str, name: str) -> str:
    """What a resource of a client is called in the state.

    The client that the stack is named after has bare names, as in every state. One that a program composes beside it
    has its own name before each of them, so that no two resources of a program are called the same.
    """
    return name if client == pulumi.get_stack() else f"{client}-{name}"


def bare_name(client: str, name: str) -> str | None:
    """The reverse: the bare name of a client's resource; None for one that is not that client's."""
    if client == pulumi.get_stack():
        return name
    return name.removeprefix(f"{client}-") if name.startswith(f"{client}-") else None
