"""The nearest known name to one that is not."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """`Write …`, or None when nothing known is near. Upper and lower case count as one."""
    from difflib import get_close_matches  # noqa: PLC0415  (for mistakes alone)

    choices = {choice.lower(): choice for choice in known}
    found = get_close_matches(name.lower(), choices, n=1, cutoff=0.6)
    return f"Write {choices[found[0]]}" if found else None
