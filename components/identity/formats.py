"""Texts that have to be of a form: what authentik refuses, or takes and never gives back as it was."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

Fault = tuple[str, str] | None
"""What is wrong and what would be right; None if nothing is."""

UNITS = ("weeks", "days", "hours", "minutes", "seconds", "milliseconds", "microseconds")
"""Source: authentik/lib/utils/time.py, which passes over every other unit without a word."""
SLUG = "^[-a-zA-Z0-9_]+$"


def fault(facts: Mapping[str, Any], value: str) -> Fault:
    """What is wrong with the form of a text that is not empty."""
    pattern = facts.get("pattern")
    if pattern and not re.search(pattern, value):
        if pattern == SLUG:
            return f"{value!r} is not a slug", "Use letters, digits, - and _ only"
        return f"{value!r} is not of the form {pattern}", "Write it like that"
    check = _FORMS.get(facts.get("format", ""))
    return check(value) if check else None


def _duration(value: str) -> Fault:
    example = "Write it like hours=1;minutes=30"
    for part in value.split(";"):
        unit, equals, amount = part.partition("=")
        if not equals or not re.fullmatch(r"[-+]?\d+(\.\d*)?", amount.strip()):
            return f"{value!r} is not a duration", example
        if unit.lower() not in UNITS:
            return (
                f"{unit!r} is not a unit of time",
                f"Take one of {', '.join(UNITS)}, as in hours=1;minutes=30",
            )
    return None


def _instant(value: str) -> Fault:
    example = "Write it like 2030-01-31T12:00:00Z"
    try:
        when = datetime.fromisoformat(value)
    except ValueError:
        return f"{value!r} is not a date with time", example
    if when.tzinfo is None:
        return f"{value!r} does not say its time zone", f"Write {when.isoformat()}Z, if it is UTC"
    return None


def _email(value: str) -> Fault:
    good = re.fullmatch(r"[^@\s]+@[^@\s]+", value)
    return None if good else (f"{value!r} is not an address", "Write it like jane@acme.example")


def _url(value: str) -> Fault:
    good = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://\S", value)
    return None if good else (f"{value!r} is not a whole URL", "Begin with its scheme, such as https://")


_FORMS: Mapping[str, Callable[[str], Fault]] = {
    "duration": _duration,
    "date-time": _instant,
    "email": _email,
    "url": _url,
}
