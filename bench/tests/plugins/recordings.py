"""Reads what was recorded of the official plugins.

In the files, "@name" stands for an object that an earlier `_object` line defines ($base/$set/$del: as the
difference to another one), {"$secret": x} for a secret on the wire, "$unknown" for one not known yet,
and `_cli` lines say which command made the calls before them. A call equal to an earlier one is not repeated.
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.plugins.values import UNKNOWN, Values, secret

FOLDER = Path(__file__).resolve().parent.parent / "recordings" / "plugins"


@dataclass(frozen=True)
class Recorded:
    """One call and what came of it: `response`, or `error` as "code = … desc = …"."""

    case: str
    method: str
    request: Values
    response: Values | None
    error: str | None

    @property
    def urn(self) -> str:
        return str(self.request.get("urn", ""))

    @property
    def token(self) -> str:
        """The type of the resource or provider called, or the function's token."""
        parts = self.urn.split("::")
        return parts[2].rsplit("$", 1)[-1] if len(parts) > 2 else str(self.request.get("tok", ""))

    @property
    def name(self) -> str:
        return self.urn.rsplit("::", 1)[-1]

    @property
    def error_text(self) -> str | None:
        return None if self.error is None else self.error.split(" desc = ", 1)[-1]


def lines(name: str) -> list[Values]:
    """The raw lines of a file, `_object` and `_cli` included."""
    found: list[Values] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


@functools.cache
def recorded(name: str) -> tuple[Recorded, ...]:
    """The calls in the file `name`, in order, as they went over the wire."""
    objects: dict[str, Any] = {}

    def wire(value: Any) -> Any:
        if value == "$unknown":
            return UNKNOWN
        if isinstance(value, list):
            return [wire(inner) for inner in value]
        if isinstance(value, dict):
            if set(value) == {"$secret"}:
                return secret(wire(value["$secret"]))
            return {key: wire(inner) for key, inner in value.items()}
        return value

    def look_up(value: Any) -> Any:
        if isinstance(value, str) and value.startswith("@") and value[1:] in objects:
            return objects[value[1:]]
        return wire(value)

    calls = []
    for line in lines(name):
        if line["method"] == "_object":
            value = line["value"]
            if "$base" in value:
                value = {**objects[value["$base"][1:]], **wire(value.get("$set", {}))}
                for key in line["value"].get("$del", []):
                    value.pop(key, None)
            else:
                value = wire(value)
            objects[line["name"]] = value
        elif not line["method"].startswith("_"):
            request, response = (
                {key: look_up(inner) for key, inner in part.items()} if isinstance(part, dict) else part
                for part in (line.get("request"), line.get("response"))
            )
            calls.append(Recorded(line["case"], line["method"], request or {}, response, line.get("error")))
    return tuple(calls)
