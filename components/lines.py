"""authentik's release lines, such as 2026.8: which are known, in which order they came, and what they need.

It imports nothing, since the process behind the dynamic providers needs it as well as the settings.
"""

from __future__ import annotations

LINES = ("2025.8", "2026.2", "2026.8")
"""The lines that this gatehouse knows: those whose catalog it has, oldest first."""

_LAST_WITH_REDIS = "2025.8"


def newest() -> str:
    """The newest line that is known."""
    return LINES[-1]


def number(line: str) -> tuple[int, ...]:
    """A line as something that can be compared: 2025.10 came after 2025.8."""
    return tuple(int(part) for part in line.split("."))


def uses_redis(line: str) -> bool:
    """Whether authentik of this line uses Redis at all; from 2025.10 on its settings are ignored."""
    return number(line) <= number(_LAST_WITH_REDIS)
