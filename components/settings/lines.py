"""The release lines of authentik that this gatehouse knows: those whose catalog it has."""

from __future__ import annotations

LINES = ("2025.8", "2026.2", "2026.8")


def newest() -> str:
    """The newest line that is known."""
    return LINES[-1]
