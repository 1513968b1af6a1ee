"""What is left of a stack file when the wrong values are taken out, so that the rest can be looked at together."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

from pydantic import ValidationError

from components.secrets import new_root_secret
from components.settings.model import Settings

Loc = tuple[str | int, ...]
_ROUNDS = 10  # a value that still does not fit after so many rounds has mistakes that hide each other
_HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43


def locate(loc: Loc) -> Loc:
    """Where a mistake is in the file's own words: pydantic adds the members of unions and `[key]`."""
    return tuple(step for step in loc if not (isinstance(step, str) and (step.startswith("["))))


def salvage(raw: Mapping[str, object], error: ValidationError, context: dict[str, bool]) -> Settings | None:
    """The settings with something harmless in place of every wrong value; None where that leads nowhere."""
    rest, numbers = copy.deepcopy(dict(raw)), count(1)
    for _ in range(_ROUNDS):
        for detail in error.errors():
            _replace(rest, locate(detail["loc"]), detail["type"] == "extra_forbidden", numbers, context)
        try:
            return Settings.model_validate(rest, context=context)
        except ValidationError as again:
            error = again
    return None


def _replace(
    rest: dict[str, object], loc: Loc, unknown: bool, numbers: Iterator[int], context: dict[str, bool]
) -> None:
    holder: Any = rest
    for depth, step in enumerate(loc[:-1]):
        inner = holder.get(step) if isinstance(holder, dict) else _item(holder, step)
        if not isinstance(inner, dict | list):  # the mistake is that there is nothing to hold the value
            loc = loc[: depth + 1]
            break
        holder = inner
    last = loc[-1]
    if isinstance(holder, list):
        if isinstance(last, int) and last < len(holder):
            holder[last] = _item_placeholder(loc, next(numbers))
    elif not unknown and (value := _placeholder(str(last), next(numbers), context)) is not None:
        holder[last] = value
    else:
        holder.pop(last, None)


def _item(holder: Any, step: str | int) -> Any:
    return holder[step] if isinstance(holder, list) and isinstance(step, int) and step < len(holder) else None


def _placeholder(name: str, number: int, context: dict[str, bool]) -> object | None:
    host = f"stand-in-{number}.invalid"
    match name:
        case "rootSecret":
            return {"secure": "stand-in"} if context["sealed"] else new_root_secret()
        case "authentik":
            return {"version": "2026.8.3"}
        case "version":
            return "2026.8.3"
        case "client" | "username" | "name" | "id" | "group":
            return f"stand-in-{number}"
        case "domain" | "host":
            return host
        case "url":
            return f"https://{host}"
        case "email" | "from":
            return f"stand-in@{host}"
        case "expires":
            return "2099-01-01T00:00:00Z"
        case "kind":
            return f"stand_in.number{number}"
        case "sshKey" | "hostKey":
            return _HOST_KEY
        case "type":
            return "stand-in"
        case "location":
            return "nbg1"
    return None


def _item_placeholder(loc: Loc, number: int) -> object:
    host = f"stand-in-{number}.invalid"
    match loc[-2]:
        case "people":
            return {"username": f"stand-in-{number}", "name": "stand-in", "email": f"stand-in@{host}"}
        case "operators":
            return {"name": f"stand-in-{number}", "email": f"stand-in@{host}", "sshKey": _HOST_KEY}
        case "objects":
            return {"kind": f"stand_in.number{number}", "name": "stand-in"}
        case "redirectUris":
            return f"https://{host}"
        case "scopes":
            return "openid"
        case "sshFrom":
            return "0.0.0.0/0"
    return f"stand-in-{number}"  # the name of a group
