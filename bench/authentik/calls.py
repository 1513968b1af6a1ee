"""A request taken apart and an answer, between the web server and the endpoints."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.authentik import fields
from bench.authentik.catalog import Schema
from bench.authentik.context import Context
from bench.authentik.store import Data

JSON, HTML = "application/json", "text/html; charset=utf-8"


@dataclass
class Answer:
    """A response: JSON unless `body` is text already."""

    status: int
    body: Any = None
    type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)

    def payload(self) -> bytes:
        """The body's bytes."""
        if self.body is None:
            return b""
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()


CRASHED = Answer(405, "", HTML)


@dataclass
class Call:
    """One request, taken apart."""

    method: str
    path: str
    template: str
    arguments: dict[str, str]
    query: list[tuple[str, str]]
    headers: Mapping[str, str]
    body: Any
    context: Context
    operation: Schema
    user: Data | None = None

    def first(self, name: str) -> str | None:
        """The last value of a query parameter."""
        return next((value for key, value in reversed(self.query) if key == name), None)


class NotFoundError(Exception):
    """There is no such object; the text is the answer's detail."""


def checked(call: Call) -> dict[str, Any]:
    """The body, checked against the endpoint's own schema."""
    line = call.context.line
    return fields.body(line, line.schemas[call.operation["body"]], call.body)
