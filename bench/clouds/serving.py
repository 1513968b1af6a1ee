"""Both clouds and the DNS, running together on one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from bench.clouds import names
from bench.clouds.cloudflare.account import Account
from bench.clouds.cloudflare.app import build as build_cloudflare
from bench.clouds.hetzner.app import Api as HetznerApi
from bench.clouds.hetzner.app import build as build_hetzner
from bench.clouds.hetzner.project import Project
from bench.clouds.hetzner.servers import power_returns
from bench.clouds.machines import Machines, NullMachines
from bench.clouds.names import Names
from bench.clouds.store import Store, Tokens, tokens
from bench.clouds.watch import Faults, Watch

Address = tuple[str, int]
_ANY: Address = ("127.0.0.1", 0)


@dataclass
class Clouds:
    """What is to run, and where. Port 0 takes a free one; the attributes then hold the real ones."""

    directory: Path
    hetzner: Address = _ANY
    cloudflare: Address = _ANY
    dns: list[Address] = field(default_factory=list)
    zones: dict[str, str | None] = field(default_factory=dict)
    own_names: dict[str, str] = field(default_factory=dict)
    machines: Machines = field(default_factory=NullMachines)
    action_seconds: float = 0.2
    requests_per_hour: int = 3600
    new_record_id: Callable[[], str] | None = None
    correlation_id: Callable[[], str] = lambda: secrets.token_hex(8)

    def __post_init__(self) -> None:
        self.tokens: Tokens = tokens(self.directory)
        self._stop: Callable[[], None] = lambda: None
        self._store = Store(self.directory)
        self.hetzner_faults, self.cloudflare_faults = Faults(), Faults()
        self.project = Project(self._store, self.machines, self.hetzner_faults, self.action_seconds)
        self.account = Account(self._store, self.zones, self.new_record_id)

    @property
    def hetzner_endpoint(self) -> str:
        """What HCLOUD_ENDPOINT has to be."""
        return f"http://{self.hetzner[0]}:{self.hetzner[1]}/v1"

    @property
    def cloudflare_base_url(self) -> str:
        """What CLOUDFLARE_BASE_URL has to be."""
        return f"http://{self.cloudflare[0]}:{self.cloudflare[1]}/client/v4"

    def stop(self) -> None:
        """Ask a running `serve` to end, from any thread."""
        self._stop()

    async def serve(self, ready: Callable[[], None] = lambda: None) -> None:
        """Run until `stop`; `ready` is called when all answer. Raises OSError when a port is taken."""
        project, account = self.project, self.account
        self._store.save()
        api = HetznerApi(project, self.tokens.hetzner, self.requests_per_hour, self.correlation_id)
        hetzner_app = build_hetzner(api, self.hetzner_faults)
        cloudflare_app = build_cloudflare(account, self.tokens.cloudflare, self.cloudflare_faults)
        resolver = Names(
            lambda: [z["name"] for z in account.data["zones"].values()],
            account.records,
            lambda: {ip: n for r in project.all("primary_ips").values() for ip, n in r["dns_ptr"].items()},
            self.own_names,
        )
        async with contextlib.AsyncExitStack() as stack:
            for index, (host, port) in enumerate(self.dns):
                port, stop = await names.serve(resolver, host, port)  # noqa: PLW2901  (0 becomes the real one)
                stack.callback(stop)
                self.dns[index] = (host, port)
            servers = []
            for name, app in (("hetzner", hetzner_app), ("cloudflare", cloudflare_app)):
                server = _Server(app, getattr(self, name))
                setattr(self, name, server.listen())
                stack.callback(server.close)
                servers.append(server)
            ended = asyncio.Event()
            loop = asyncio.get_running_loop()

            def stop_from_anywhere() -> None:
                loop.call_soon_threadsafe(ended.set)

            self._stop = stop_from_anywhere
            tasks = [asyncio.create_task(server.serve()) for server in servers]
            project.resume()
            power_returns(project)
            ready()
            waiting = [asyncio.create_task(ended.wait()), *tasks]
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for server in servers:
                server.stop()
            await asyncio.gather(*tasks)
            waiting[0].cancel()
            await project.settle()

    @contextlib.contextmanager
    def running(self) -> Iterator[Clouds]:
        """Run in a thread of this process, for a test."""
        ready = threading.Event()
        trouble: list[BaseException] = []

        def run() -> None:
            try:
                asyncio.run(self.serve(ready.set))
            except BaseException as error:
                trouble.append(error)
            finally:
                ready.set()

        thread = threading.Thread(target=run, name="clouds", daemon=True)
        thread.start()
        ready.wait()
        try:
            if trouble:
                raise trouble[0]
            yield self
        finally:
            self.stop()
            thread.join()


class _Server(uvicorn.Server):
    """A uvicorn server on a socket that is bound before anything runs, so that a taken port is an error."""

    def __init__(self, app: Watch, address: Address) -> None:
        super().__init__(
            uvicorn.Config(app, host=address[0], port=address[1], log_level="warning", access_log=False,
                           lifespan="off", http="h11", ws="none")
        )  # fmt: skip

    def listen(self) -> Address:
        """Bind; the address that was really taken."""
        # Not uvicorn's own socket: asyncio switches Nagle's delay (40 ms a reply) off only where the protocol is named.
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((self.config.host, self.config.port))
        self.socket.listen(self.config.backlog)  # callers may connect from here on; they wait for the loop
        host, port = self.socket.getsockname()[:2]
        return host, port

    def close(self) -> None:
        """Give the port back."""
        self.socket.close()

    def stop(self) -> None:
        """End `serve`, now."""
        self.should_exit = True
        self.ended.set()

    async def serve(self, sockets: object = None) -> None:
        """Serve on the socket, and leave the process's signal handlers alone."""
        del sockets
        self.ended = asyncio.Event()
        await self._serve([self.socket])

    async def main_loop(self) -> None:
        """Uvicorn's looks ten times a second whether it is over; this one is told."""
        while not await self.on_tick(0):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.ended.wait(), 1)

    async def shutdown(self, sockets: object = None) -> None:
        """Drop what is open: nobody waits for a reply of a bench that ends."""
        del sockets
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.transport.abort()
