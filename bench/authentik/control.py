"""What tests may ask of an emulator, only if GATEHOUSE_BENCH_CONTROL is set: `bench.control` and two more.

GET    /_bench/totals   [{"method", "path", "count", "received", "sent"}, …]: requests that reached the emulator and
                        the bytes of their bodies
DELETE /_bench/totals   the same, and forget it
GET    /_bench/state    {kind: {key: object}}, hidden fields included
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from bench import control
from bench.authentik.store import Store
from bench.control import App, Message, Receive, Scope, Send


@dataclass
class Total:
    """How often a method and path were asked for, and the bytes of the bodies."""

    method: str
    path: str
    count: int = 0
    received: int = 0
    sent: int = 0


class Control(control.Control):
    """Middleware around an emulator of authentik."""

    def __init__(self, app: App, store: Store, *, enabled: bool | None = None) -> None:
        super().__init__(self.counting, enabled=enabled)
        self.emulator, self.store = app, store
        self.totals: dict[tuple[str, str], Total] = {}

    async def counting(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on and count it."""
        key = (str(scope.get("method")), str(scope.get("path")))
        total = self.totals.setdefault(key, Total(*key))
        total.count += 1

        async def taking() -> Message:
            message = await receive()
            total.received += len(message.get("body", b""))
            return message

        async def giving(message: Message) -> None:
            total.sent += len(message.get("body", b""))
            await send(message)

        await self.emulator(scope, taking, giving)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        what, method = scope["path"], scope["method"]
        if what == "/_bench/state" and method == "GET":
            await JSONResponse(await run_in_threadpool(self.state))(scope, receive, send)
        elif what == "/_bench/totals" and method in ("GET", "DELETE"):
            told = [asdict(total) for total in self.totals.values()]
            if method == "DELETE":
                self.totals.clear()
            await JSONResponse(told)(scope, receive, send)
        else:
            await super()._answer(scope, receive, send)

    def state(self) -> dict[str, dict[str, Any]]:
        """All objects by kind and key."""
        found: dict[str, dict[str, Any]] = {}
        with self.store.reading():
            for kind, pk, data in self.store.everything():
                found.setdefault(kind, {})[pk] = dict(data)
        return found
