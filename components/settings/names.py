"""The nearest known name to one that is not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """`Write …`, or None when nothing known is near. Upper and lower case count as one."""
    choices = {choice.lower(): choice for choice in known}
    found = difflib.get_close_matches(name.lower(), choices, n=1, cutoff=0.6)
    return f"Write {choices[found[0]]}" if found else None
