"""Which fields of raw objects have a secret in them.

The engine hands `gatehouse:objects` out decrypted, and says only that there is a secret somewhere in it. Where it is
shows in the stack file alone; without that file, all fields count as secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Secret


def is_sealed(written: Any) -> bool:
    """Whether this is how a stack file writes a secret. Source: Pulumi's documentation, "Structured configuration"."""
    return isinstance(written, Mapping) and set(written) == {"secure"}


def seal(objects: Any, written: Any) -> Any:
    """The objects with each field that has a secret in it as a `Secret`. `written`: the same as the file has them."""
    if not isinstance(objects, list):
        return objects
    alike = isinstance(written, list) and len(written) == len(objects)
    return [_object(each, written[index] if alike else None) for index, each in enumerate(objects)]


def _object(given: Any, written: Any) -> Any:
    fields = given.get("fields") if isinstance(given, dict) else None
    if not isinstance(fields, dict):
        return given
    said = written.get("fields") if isinstance(written, dict) else None
    known = said if isinstance(said, dict) and set(said) == set(fields) else None
    return given | {
        "fields": {
            name: Secret(value) if known is None or has_secret(known[name]) else value
            for name, value in fields.items()
        }
    }


def has_secret(written: Any) -> bool:
    """Whether there is a secret in a value as a stack file has it."""
    if is_sealed(written):
        return True
    if isinstance(written, Mapping):
        return any(has_secret(inner) for inner in written.values())
    return isinstance(written, list) and any(has_secret(inner) for inner in written)
