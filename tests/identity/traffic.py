"""What gatehouse sends to an emulator over HTTP, and somebody who works on it by hand past all that."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from bench.authentik.calls import Answer
from bench.authentik.testing import Running
from components.identity.dialect import Authentik
from components.identity.kinds import ReleaseLine
from components.objects.http import RefusedError


@dataclass(frozen=True)
class Write:
    """One request that may change something, as it arrived, and what the schema calls its two bodies."""

    method: str
    path: str
    model: str
    """Name of the request's schema; empty where the schema has none."""
    body: Any
    status: int
    answer_model: str
    answer: Any


class Traffic:
    """Notes every write that reaches an emulator over HTTP, for as long as the emulator lives."""

    def __init__(self, server: Running) -> None:
        self.all: list[Write] = []
        self._seen = 0
        self._api = server.server.api
        self.handle = self._api.handle
        """The emulator's own entry, for those who are not to be noted."""
        self._api.handle = self._noted  # type: ignore[method-assign]

    def fresh(self) -> list[tuple[str, str]]:
        """Method and path of the writes since this was last asked."""
        since, self._seen = self.all[self._seen :], len(self.all)
        return [(each.method, each.path) for each in since]

    def _noted(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, base: str
    ) -> Answer:
        answer = self.handle(method, path, query, headers, body, base)
        if method != "GET":
            found = self._api.find(path)
            operation = self._api.line.paths[found[0]].get(method, {}) if found else {}
            sent = json.loads(body or b"null")
            model, answered = operation.get("body") or "", operation.get("answer") or ""
            self.all.append(Write(method, path, model, sent, answer.status, answered, answer.body))
        return answer


class ByHand(Authentik):
    """Somebody in the admin interface: their calls go past HTTP, and are not noted as gatehouse's."""

    def __init__(self, server: Running, line: ReleaseLine, traffic: Traffic) -> None:
        super().__init__(server.url, server.token, None, line)
        self._handle = traffic.handle
        self._headers = {"authorization": f"Bearer {server.token}", "content-type": "application/json"}

    def request(self, method: str, path: str, *, params: Any = None, body: object = None) -> Any:
        data = b"" if body is None else json.dumps(body).encode()
        answer = self._handle(method, path, urlencode(params or {}), self._headers, data, "http://localhost")
        payload = json.loads(answer.payload() or b"null")
        if answer.status >= 400:
            raise RefusedError(answer.status, payload)
        return payload
