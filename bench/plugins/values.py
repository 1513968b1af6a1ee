"""Property values as the engine's protocol sends them: JSON, with signatures for what JSON cannot say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Values = dict[str, Any]

# The signatures are Pulumi's own (sdk/go/common/resource/sig.go).
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a marker, no secret
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def secret(value: Any) -> Values:
    """The wire form of a secret `value`."""
    return {SIGNATURE: SECRET, "value": value}


def is_secret(value: Any) -> bool:
    """Whether `value` is the wire form of a secret."""
    return isinstance(value, Mapping) and value.get(SIGNATURE) == SECRET


def plain(value: Any) -> Any:
    """`value` without its secret wrappers, at any depth."""
    if is_secret(value):
        return plain(value["value"])
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    return value


def contains(value: Any, test: Callable[[Any], bool]) -> bool:
    """Whether `test` holds for `value` or anything in it."""
    if test(value):
        return True
    if isinstance(value, Mapping):
        return any(contains(inner, test) for inner in value.values())
    return isinstance(value, list) and any(contains(inner, test) for inner in value)


def has_unknown(value: Any) -> bool:
    """Whether anything in `value` is not known yet."""
    return contains(value, lambda inner: bool(inner == UNKNOWN))
