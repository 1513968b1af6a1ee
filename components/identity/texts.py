"""What texts must look like: patterns and formats of the schema, and authentik's own notation of durations.

Facts: authentik trims a text before it looks at it, takes an empty one wherever it may be left out, and checks with
Django's validators, which are more lenient than the formats that its schema names after them; recorded answers and the
validators' sources (`authentik/lib/utils/time.py`, `authentik/lib/models.py`) say how much. What authentik takes passes
here, with one exception: a date and time that says no zone, or is not written as ISO 8601 has it, cannot be compared
with what is read back, and would be a change for ever.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Any
from uuid import UUID

DURATION = "timedelta"
"""The format of durations, as `kinds.Line.fields` says it of fields that the schema calls plain texts."""
_UNITS = ("weeks", "days", "hours", "minutes", "seconds", "milliseconds", "microseconds")
_PATTERNS = {"^[-a-zA-Z0-9_]+$": "letters from a to z, digits, - and _"}
"""Patterns that are one set of characters, in words."""


@dataclass(frozen=True)
class Format:
    """A format by name: `read` raises ValueError or OverflowError for what is none; `more` follows the example."""

    name: str
    example: str
    read: Callable[[str], Any]
    more: str = ""


def text_problem(facts: Mapping[str, Any], value: str) -> tuple[str, str] | None:
    """What is wrong with a field's text, and what would be right; None if nothing is known to be."""
    text = value.strip()
    if not text:
        return None
    pattern = facts.get("pattern")
    if pattern is not None and not _matches(pattern, text):
        return _unlike(pattern, text)
    format_ = FORMATS.get(facts.get("format", ""))
    if format_ is None:
        return None
    try:
        read = format_.read(text)
    except (ValueError, OverflowError):
        return f"is no {format_.name}", f"Write it like {format_.example}{format_.more}"
    if isinstance(read, datetime) and read.tzinfo is None:
        return "says no time zone", f"Write {read.isoformat()}+00:00, or with Z, if that is UTC"
    return None


def unknown_units(facts: Mapping[str, Any], value: Any) -> list[str]:
    """Units in a duration that authentik does not know, and skips without a word."""
    if facts.get("format") != DURATION or not isinstance(value, str):
        return []
    units = [part.partition("=")[0] for part in value.strip().split(";")]
    return [unit for unit in units if unit.lower() not in _UNITS]


def describe(facts: Mapping[str, Any]) -> str:
    """What a field's text must look like; empty if nothing is known of it."""
    if pattern := facts.get("pattern"):
        words = _PATTERNS.get(pattern)
        return f"text of {words}" if words else f"text that matches `{pattern}`"
    match FORMATS.get(facts.get("format", "")):
        case None:
            return ""
        case Format(name="date and time" as name):
            return f"{name} with its zone"
        case Format(name="duration" as name, example=example):
            return f"{name} (`{example}`)"
        case format_:
            return format_.name


def _matches(pattern: str, text: str) -> bool:
    try:
        return re.search(pattern, text) is not None
    except re.error:
        return True  # a pattern of another dialect than Python's says nothing here


def _unlike(pattern: str, text: str) -> tuple[str, str]:
    words = _PATTERNS.get(pattern)
    if words is None:
        return "does not look as authentik wants it", f"It must match {pattern}"
    strange = dict.fromkeys(each for each in text if not _matches(pattern, each))
    return f"has {', '.join(map(repr, strange))} in it", f"Use {words} only"


def _email(text: str) -> None:
    """Both sides of the last @, and a domain with a dot; what may stand in them is left to authentik."""
    name, _, domain = text.rpartition("@")
    whole = "." in domain or domain.startswith("[") or domain.lower() == "localhost"
    if not name or not whole or re.search(r"\s", domain):
        raise ValueError(text)


def _url(text: str) -> None:
    """A scheme and no blanks: hosts need no dot, may be a list after commas or hold placeholders, by field."""
    if not re.fullmatch(r"[a-z][a-z0-9.+-]*://\S+", text, re.IGNORECASE):
        raise ValueError(text)


def _duration(text: str) -> timedelta:
    """`unit=number`, several with semicolons. authentik skips units that it does not know, if it knows one of them."""
    pairs = [part.split("=") for part in text.split(";")]
    if any(len(pair) != 2 for pair in pairs):
        raise ValueError(text)
    known = {unit.lower(): float(amount) for unit, amount in pairs if unit.lower() in _UNITS}
    if not known:
        raise ValueError(text)
    return timedelta(**known)


FORMATS: Mapping[str, Format] = {
    "uuid": Format("UUID", "01234567-89ab-cdef-0123-456789abcdef", UUID),
    "email": Format("e-mail address", "jane@acme.example", _email),
    "uri": Format("URL", "https://grafana.acme.example", _url),
    "ipv4": Format("IPv4 address", "203.0.113.7", IPv4Address),
    "ipv6": Format("IPv6 address", "2001:db8::7", IPv6Address),
    "date-time": Format("date and time", "2031-01-31T12:00:00Z", datetime.fromisoformat),
    DURATION: Format(
        "duration", "hours=1;minutes=30", _duration, f", in {', '.join(_UNITS[:-1])} or {_UNITS[-1]}"
    ),
}
"""The formats that are looked at; of any other, nothing is said."""
