"""What tests may ask of an emulator: a journal of its requests, and errors on order.

Below /_bench, only if GATEHOUSE_BENCH_CONTROL is set:

    GET    /_bench/journal   {"requests": [{"method", "path", "count", "sent", "received"}, …]}   (bytes of bodies)
    DELETE /_bench/journal   forget them
    GET    /_bench/faults    the faults on order
    POST   /_bench/faults    order one: {"method": "POST" or "", "path": a regular expression, "times": 1, "skip": 0,
                             "kind": "status" (with "status", "body") | "empty405" | "cut" | "apply-then-cut" | "delay",
                             "seconds": 0}
    DELETE /_bench/faults    cancel all
    GET    /_bench/state     {kind: {pk: object}}, hidden fields included
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bench.authentik.store import Store

PREFIX = "/_bench/"


@dataclass
class Fault:
    """An error on order for the next matching requests."""

    kind: str
    method: str = ""
    path: str = ""
    times: int = 1
    skip: int = 0
    status: int = 500
    body: str = ""
    seconds: float = 0.0


@dataclass
class Entry:
    """How often a method and path were asked for, and the bytes of the bodies."""

    method: str
    path: str
    count: int = 0
    received: int = 0
    sent: int = 0


class Control:
    """ASGI middleware around an emulator."""

    def __init__(self, app: ASGIApp, store: Store) -> None:
        self.app, self.store = app, store
        self.faults: list[Fault] = []
        self.journal: dict[tuple[str, str], Entry] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve /_bench, note everything else, and spoil what is to be spoiled."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["path"].startswith(PREFIX):
            await self.command(scope, receive, send)
        else:
            await self.pass_on(scope, receive, send)

    async def pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to the emulator, with a fault if one is on order for it."""
        key = (scope["method"], scope["path"])
        entry = self.journal.setdefault(key, Entry(*key))
        entry.count += 1

        async def counted_receive() -> Message:
            message = await receive()
            entry.received += len(message.get("body", b""))
            return message

        async def counted_send(message: Message) -> None:
            entry.sent += len(message.get("body", b""))
            await send(message)

        fault = self.due(scope)
        if fault is None:
            await self.app(scope, counted_receive, counted_send)
            return
        if fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
            await self.app(scope, counted_receive, counted_send)
        elif fault.kind == "cut":
            cut(send)
        elif fault.kind == "apply-then-cut":
            await self.app(scope, counted_receive, swallow)
            cut(send)
        elif fault.kind == "empty405":
            await respond(send, 405, b"", "text/html; charset=utf-8")
        else:
            await respond(send, fault.status, fault.body.encode())

    def due(self, scope: Scope) -> Fault | None:
        """The fault that is on order for this request, counted down."""
        for fault in self.faults:
            if fault.method not in ("", scope["method"]) or not re.search(fault.path, scope["path"]):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.times -= 1
            if fault.times <= 0:
                self.faults.remove(fault)
            return fault
        return None

    async def command(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request below /_bench."""
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        name, method = scope["path"].removeprefix(PREFIX).strip("/"), scope["method"]
        answer: Any = {}
        if name == "journal" and method == "GET":
            answer = {"requests": [asdict(entry) for entry in self.journal.values()]}
        elif name == "journal" and method == "DELETE":
            self.journal.clear()
        elif name == "faults" and method == "POST":
            self.faults.append(Fault(**json.loads(body)))
        elif name == "faults" and method == "DELETE":
            self.faults.clear()
        elif name == "faults":
            answer = {"faults": [asdict(fault) for fault in self.faults]}
        elif name == "state" and method == "GET":
            answer = self.state()
        else:
            await respond(send, 404, b"{}")
            return
        await respond(send, 200, json.dumps(answer).encode())

    def state(self) -> dict[str, dict[str, Any]]:
        """All objects by kind and key."""
        found: dict[str, dict[str, Any]] = defaultdict(dict)
        with self.store.reading():
            for kind, pk, data in self.store.everything():
                found[kind][pk] = dict(data)
        return found


async def swallow(_message: Message) -> None:
    """Takes an answer that nobody shall get."""


async def respond(send: Send, status: int, body: bytes, kind: str = "application/json") -> None:
    """A whole response."""
    headers = [(b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def cut(send: Send) -> None:
    """Break the connection without an answer. ASGI has no word for it: `send` is a method of uvicorn's own cycle."""
    cycle: Any = send.__self__  # type: ignore[attr-defined]
    cycle.transport.abort()
