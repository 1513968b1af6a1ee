"""What every emulator of the bench has beside the API it stands for: a journal, and faults on request.

One small ASGI middleware for all of them. It answers nothing below `/_bench/` unless it is enabled, by
default when the environment variable GATEHOUSE_BENCH_CONTROL is set: the containers on a box carry no
back door.

    app = Control(Starlette(...))                  # or Control(app, enabled=True) in tests

    GET    /_bench/journal     what was asked: [{"method", "path", "query", "status", "seconds", "body"}]
    DELETE /_bench/journal     the same, and forget it
    GET    /_bench/faults      those that are still to come
    POST   /_bench/faults      one fault (the fields of `Fault`), or a list of them
    DELETE /_bench/faults      call the remaining ones off
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import asdict, dataclass, field
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

JOURNAL_LENGTH = 20_000
"""Requests remembered; older ones are dropped."""


@dataclass
class Fault:
    """One thing that goes wrong `times` times, at requests that match `method` and `path` (both are regexes).

    `delay` seconds pass first. Then the request is answered with `status`, `headers` and `body`; or with
    `cut="before"` the connection is closed without an answer and nothing happens. With `cut="after"` the
    request is carried out at once, and when the delay has passed the connection is closed instead of the answer.
    With only a `delay` it is carried out, late. `hidden` carries the request out and then answers with `status` all
    the same. A fault that `lasts` ends so many seconds after the first request that met it, however many there were.
    """

    path: str = ".*"
    method: str = ".*"
    times: int = 1
    delay: float = 0.0
    status: int | None = None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: str | None = None
    hidden: bool = False
    lasts: float | None = None
    met: float | None = None

    def matches(self, scope: Scope) -> bool:
        """Whether it is this fault's turn at the request."""
        if self.lasts is not None and self.met is not None and time.monotonic() > self.met + self.lasts:
            self.times = 0
        return bool(
            self.times > 0
            and re.fullmatch(self.method, scope["method"])
            and re.search(self.path, scope["path"])
        )


class Control:
    """The middleware. `journal` and `faults` can also be used directly by a test in the same process."""

    def __init__(self, app: App, *, enabled: bool | None = None) -> None:
        self.app = app
        self.enabled = bool(os.environ.get("GATEHOUSE_BENCH_CONTROL")) if enabled is None else enabled
        self.journal: deque[dict[str, Any]] = deque(maxlen=JOURNAL_LENGTH)
        self.faults: list[Fault] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer `/_bench/…`, else journal the request and let it meet its fault or the emulator."""
        if scope["type"] != "http" or not self.enabled:
            await self.app(scope, receive, send)
            return
        if scope["path"].startswith("/_bench/"):
            await self._answer(scope, receive, send)
            return
        body = await _read(receive)
        entry = {
            "method": scope["method"],
            "path": scope["path"],
            "query": scope.get("query_string", b"").decode("latin-1"),
            "status": None,
            "seconds": 0.0,
            "body": _parsed(body),
        }
        self.journal.append(entry)
        began = time.monotonic()

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry["status"] = message["status"]
            await send(message)

        try:
            await self._serve(scope, _replay(body, receive), noting)
        finally:
            entry["seconds"] = round(time.monotonic() - began, 4)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = next((fault for fault in self.faults if fault.matches(scope)), None)
        if fault is None:
            await self.app(scope, receive, send)
            return
        fault.times -= 1
        fault.met = fault.met or time.monotonic()
        if fault.cut == "after":
            await self.app(scope, receive, _swallow)
        await asyncio.sleep(fault.delay)
        if fault.cut:
            # An answer that breaks off makes the server close the connection.
            await send(_start(200, {"content-length": "1"}))
        elif fault.status is not None:
            if fault.hidden:
                await self.app(scope, receive, _swallow)
            await _reply(send, fault.status, fault.body, fault.headers)
        else:
            await self.app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        what, method = scope["path"], scope["method"]
        if what == "/_bench/journal" and method in ("GET", "DELETE"):
            told = list(self.journal)
            if method == "DELETE":
                self.journal.clear()
            await _reply(send, 200, told)
        elif what == "/_bench/faults" and method in ("GET", "POST", "DELETE"):
            if method == "POST":
                asked = json.loads(await _read(receive))
                self.faults += [Fault(**one) for one in (asked if isinstance(asked, list) else [asked])]
            elif method == "DELETE":
                self.faults.clear()
            await _reply(send, 200, [asdict(fault) for fault in self.faults if fault.times > 0])
        else:
            await _reply(send, 404, {"detail": f"the bench has no {method} {what}"})


async def _read(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    told = False

    async def again() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body) if body else None
    except ValueError:
        return f"{len(body)} bytes"


async def _swallow(message: Message) -> None:
    del message


def _start(status: int, headers: dict[str, str]) -> Message:
    return {
        "type": "http.response.start",
        "status": status,
        "headers": [(key.lower().encode(), value.encode()) for key, value in headers.items()],
    }


async def _reply(send: Send, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    kind = {} if isinstance(body, str) else {"content-type": "application/json"}
    await send(_start(status, {**kind, "content-length": str(len(data)), **(headers or {})}))
    await send({"type": "http.response.body", "body": data})
