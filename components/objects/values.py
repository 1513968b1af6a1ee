"""Values as both sides agree on them.

Pulumi hands a dynamic provider every number as a float and drops every `None`; a server trims strings and sorts
lists. What is compared or sent goes through `canonical` first, so that neither shows up as a change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

Fields = dict[str, Any]


def canonical(value: Any, *, exact: bool = False) -> Any:
    """The value with whole floats as ints, strings trimmed, and `None` members dropped from objects.

    `None` inside a list stays (it holds a place); unknown values stay as they are. With `exact`, so do strings.
    """
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str):
        return value if exact else value.strip()
    if isinstance(value, Mapping):
        return {str(key): canonical(inner, exact=exact) for key, inner in value.items() if inner is not None}
    if isinstance(value, (list, tuple)):
        return [canonical(inner, exact=exact) for inner in value]
    return value


def is_plain(value: Any) -> bool:
    """Whether it can be looked at: not an output or unknown of the engine's, and not a secret that is kept closed."""
    return value is None or isinstance(value, (str, bool, int, float, list, tuple, Mapping))


def is_unknown(value: Any) -> bool:
    """Whether the value, or anything in it, is not known yet."""
    if isinstance(value, Mapping):
        return any(is_unknown(inner) for inner in value.values())
    if isinstance(value, (list, tuple)):
        return any(is_unknown(inner) for inner in value)
    return not is_plain(value)


def has_null(value: Any) -> bool:
    """Whether a member of an object in the value is none, which the engine drops."""
    if isinstance(value, Mapping):
        return any(inner is None or has_null(inner) for inner in value.values())
    return isinstance(value, (list, tuple)) and any(has_null(inner) for inner in value)


def is_empty(value: Any) -> bool:
    """Whether the value says nothing: none, an empty string, list or object. `False` and `0` say something."""
    return value is None or (isinstance(value, (str, list, dict)) and not value)


def sorted_by_text(values: list[Any]) -> list[Any]:
    """The list in an order that depends on nothing but its members."""
    return sorted(values, key=lambda value: json.dumps(value, sort_keys=True, default=str))


def same_instant(left: Any, right: Any) -> bool:
    """Whether two texts name one moment; False if either is not a date and time."""
    try:
        return datetime.fromisoformat(left) == datetime.fromisoformat(right)
    except (TypeError, ValueError):
        return False


def covers(desired: Any, found: Any) -> bool:
    """Whether `found` says everything that `wanted` says; objects may say more, since servers fill in defaults."""
    if isinstance(desired, dict) and isinstance(found, dict):
        return all(covers(inner, found.get(key)) for key, inner in desired.items())
    if isinstance(desired, list) and isinstance(found, list):
        return len(desired) == len(found) and all(
            covers(left, right) for left, right in zip(desired, found, strict=True)
        )
    return bool(desired == found) or (is_empty(desired) and is_empty(found))
