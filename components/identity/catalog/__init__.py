"""What authentik's API can hold, by release line: facts extracted from its OpenAPI schemas."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from components.release_lines import CATALOGS as FOLDER
from components.release_lines import known_lines as lines
from components.release_lines import newest_line

__all__ = ["FOLDER", "lines", "load", "newest_line"]


@cache
def load(line: str) -> dict[str, dict[str, Any]]:
    """Path -> {url, fields, read} of every kind of the line. Raises KeyError for a line that is not known."""
    path = FOLDER / f"{line}.json"
    if line not in lines():
        raise KeyError(line)
    kinds: dict[str, dict[str, Any]] = json.loads(path.read_text())["kinds"]
    return kinds
