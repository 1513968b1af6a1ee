"""Bindings of policies, groups and users to applications: what one does, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BINDING = "authentik_policies.policybinding"
SUBJECTS = ("group", "user", "policy")


def binding_text(subject: str, name: str, binding: Mapping[str, Any]) -> str:
    """A binding as the access names it: "group staff", "policy office-hours (negated)"."""
    marks = [
        *(["negated"] if binding.get("negate") else []),
        *(["disabled"] if binding.get("enabled") is False else []),
    ]
    return f"{subject} {name}" + (f" ({', '.join(marks)})" if marks else "")


def binding_effect(subject: str, name: str, binding: Mapping[str, Any], mode: Any) -> str:
    """What a binding does, in words: "lets the group guests in"."""
    who = {
        ("group", False): f"the group {name}",
        ("group", True): f"everybody who is not in the group {name}",
        ("user", False): name,
        ("user", True): f"everybody but {name}",
        ("policy", False): f"everybody whom the policy {name} lets through",
        ("policy", True): f"everybody whom the policy {name} does not let through",
    }[subject, bool(binding.get("negate"))]
    if binding.get("enabled") is False:
        return f"is disabled, and would let {who} in"
    return f"keeps out all but {who}" if mode == "all" else f"lets {who} in"


def binding_key(binding: Mapping[str, Any]) -> list[Any]:
    """What a binding binds to what."""
    return [binding.get(name) for name in ("target", *SUBJECTS)]
