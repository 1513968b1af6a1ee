"""What authentik's API can hold, by release line: facts extracted from its OpenAPI schemas."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from components.lines import number

FOLDER = Path(__file__).parent


def lines() -> tuple[str, ...]:
    """The release lines that there is a catalog for, oldest first."""
    return tuple(sorted((path.stem for path in FOLDER.glob("20*.json")), key=number))


def newest() -> str:
    """The newest line that this gatehouse knows."""
    return lines()[-1]


@cache
def load(line: str) -> dict[str, dict[str, Any]]:
    """Path -> {url, fields, read} of every kind of the line. Raises KeyError for a line that is not known."""
    path = FOLDER / f"{line}.json"
    if line not in lines():
        raise KeyError(line)
    kinds: dict[str, dict[str, Any]] = json.loads(path.read_text())["kinds"]
    return kinds
