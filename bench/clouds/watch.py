"""What tests and benchmarks see of the traffic, and how they ask for trouble.

`Watch` wraps an emulator's app. Beside the API it serves, without a token (the listener is the bench's own):

    GET    /_bench/journal        requests, bytes and counts by status of this cloud, the last 5000 in full
    DELETE /_bench/journal        start counting anew
    POST   /_bench/faults         order trouble, see `Fault`
    GET    /_bench/faults         what is still to come; DELETE cancels it
    GET    /_bench/state          what exists in the account
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

KEPT = 5000


class Fault(BaseModel):
    """Trouble for the next `times` requests that match `method` and the regular expression `path`.

    Either `status` with an error in the cloud's own shape (`code`, `message`, `details` and `headers` refine
    it; `text` is sent as HTML in its place), or `cut`: the connection breaks before the request is seen
    ("before") or after it took effect but before the reply ("after"), or `action`: the next such action of
    Hetzner's ends in an error.
    """

    model_config = ConfigDict(extra="forbid")

    method: str = ".*"
    path: str = ".*"
    status: int | None = None
    cut: Literal["before", "after"] | None = None
    action: str | None = None
    code: str | None = None
    message: str | None = None
    details: dict[str, Any] | None = None
    text: str | None = None
    headers: dict[str, str] = {}
    times: int = 1
    skip: int = 0  # so many matching requests first go well

    @field_validator("method", "path")
    @classmethod
    def _compiles(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return value

    def model_post_init(self, context: object) -> None:
        del context
        if sum(x is not None for x in (self.status, self.cut, self.action)) != 1:
            raise ValueError("a fault has exactly one of status, cut and action")


class Faults:
    """The trouble that was ordered and has not happened yet."""

    def __init__(self) -> None:
        self.ordered: list[Fault] = []

    def take(self, method: str, path: str) -> Fault | None:
        """The fault for this request, used up by it."""
        for fault in self.ordered:
            if fault.action is None and re.fullmatch(fault.method, method) and re.search(fault.path, path):
                return self._use(fault)
        return None

    def take_action(self, command: str) -> Fault | None:
        """The fault for a new action of this name, used up by it."""
        return next((self._use(f) for f in self.ordered if f.action == command), None)

    def _use(self, fault: Fault) -> Fault | None:
        if fault.skip:
            fault.skip -= 1
            return None
        fault.times -= 1
        if fault.times < 1:
            self.ordered.remove(fault)
        return fault


class Watch:
    """The outermost layer of an emulator: journal, faults and the side endpoints."""

    def __init__(
        self,
        app: ASGIApp,
        faults: Faults,
        error: Callable[[Fault], Response],
        state: Callable[[], object],
    ) -> None:
        self.app, self.faults, self.error, self.state = app, faults, error, state
        self.entries: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._reset()

    def _reset(self) -> None:
        self.entries.clear()
        self.requests = self.request_bytes = self.reply_bytes = 0
        self.statuses: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["path"].startswith("/_bench/"):
            await (await self._side(Request(scope, receive)))(scope, receive, send)
        else:
            await self._watched(scope, receive, send)

    async def _watched(self, scope: Scope, receive: Receive, send: Send) -> None:
        entry: dict[str, Any] = {"method": scope["method"], "path": scope["path"], "status": None}
        entry |= {"query": scope["query_string"].decode(), "request_bytes": 0, "reply_bytes": 0}
        started = time.monotonic()
        fault = self.faults.take(scope["method"], scope["path"])

        async def counted_receive() -> Message:
            message = await receive()
            entry["request_bytes"] += len(message.get("body", b""))
            return message

        async def counted_send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                entry["status"] = message["status"]
            entry["reply_bytes"] += len(message.get("body", b""))
            if fault is None or fault.cut != "after":
                await send(message)

        if fault is None or fault.cut == "after":
            await self.app(scope, counted_receive, counted_send)
        elif fault.status is not None:
            await self.error(fault)(scope, counted_receive, counted_send)
        entry["seconds"] = round(time.monotonic() - started, 4)
        cut = fault is not None and fault.cut is not None
        self._count(entry | {"status": "cut"} if cut else entry)
        if cut:
            await _cut(send)

    def _count(self, entry: dict[str, Any]) -> None:
        self.entries.append(entry)
        self.requests += 1
        self.request_bytes += entry["request_bytes"]
        self.reply_bytes += entry["reply_bytes"]
        self.statuses[str(entry["status"])] += 1

    async def _side(self, request: Request) -> Response:
        what = (request.method, request.url.path.removeprefix("/_bench/"))
        if what == ("GET", "state"):
            return JSONResponse(self.state())
        if what == ("GET", "journal"):
            counts = {k: getattr(self, k) for k in ("requests", "request_bytes", "reply_bytes", "statuses")}
            return JSONResponse(counts | {"entries": list(self.entries)})
        if what == ("DELETE", "journal"):
            self._reset()
            return Response(status_code=204)
        if what == ("GET", "faults"):
            return JSONResponse([f.model_dump(exclude_none=True) for f in self.faults.ordered])
        if what == ("DELETE", "faults"):
            self.faults.ordered.clear()
            return Response(status_code=204)
        if what == ("POST", "faults"):
            try:
                self.faults.ordered.append(Fault.model_validate(json.loads(await request.body())))
            except (ValidationError, ValueError) as error:
                return JSONResponse({"error": f"this fault cannot be ordered: {error}"}, 422)
            return Response(status_code=201)
        return JSONResponse({"error": "known here: journal, faults, state"}, 404)


async def _cut(send: Callable[[MutableMapping[str, Any]], Awaitable[None]]) -> None:
    """Break the connection without a byte of a reply.

    ASGI has no word for that, so this takes the transport from uvicorn's request cycle, whose method `send`
    is; without one (an in-process transport) it raises, which such clients see as a broken connection too.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionResetError("cut by the bench")
    transport.abort()
    await asyncio.sleep(0)  # lets the cycle see the end, else it answers 500
