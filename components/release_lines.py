"""authentik's release lines, such as 2026.8: which are known, in which order they came, and what they need.

It imports nothing of ours, since the process behind the dynamic providers needs it as well as the settings.
"""

from __future__ import annotations

from pathlib import Path

CATALOGS = Path(__file__).parent / "identity" / "catalog"
"""Where each known line has a file of its own."""
_LAST_WITH_REDIS = "2025.8"


def known_lines() -> tuple[str, ...]:
    """The lines that this gatehouse knows: those whose catalog it has, oldest first."""
    return tuple(sorted((path.stem for path in CATALOGS.glob("20*.json")), key=sort_key))


def newest_line() -> str:
    """The newest line that is known."""
    return known_lines()[-1]


def sort_key(line: str) -> tuple[int, ...]:
    """A line as something that can be compared: 2025.10 came after 2025.8."""
    return tuple(int(part) for part in line.split("."))


def uses_redis(line: str) -> bool:
    """Whether authentik of this line uses Redis at all; from 2025.10 on its settings are ignored."""
    return sort_key(line) <= sort_key(_LAST_WITH_REDIS)
