"""An emulator for tests, in memory, in a thread of this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import uvicorn

from bench.authentik.app import Server, build
from bench.authentik.control import Control
from bench.authentik.defaults import Bootstrap
from bench.authentik.settings import VERSION, Settings
from bench.authentik.store import Store
from bench.authentik.worker import Worker

TOKEN = "bench-bootstrap-token"  # noqa: S105 (of an emulator that lives as long as the test)
PASSWORD = "bench-bootstrap-password"  # noqa: S105
SECRET_KEY = "bench-secret-key"  # noqa: S105


@dataclass
class Running:
    """A running emulator: its address, a superuser's token, the administrator's password, its state, its faults."""

    url: str
    token: str
    password: str
    store: Store
    server: Server
    control: Control


@contextmanager
def serve(
    version: str = VERSION,
    memory: bool = True,
    port: int = 0,
    token: str = TOKEN,
    secret_key: str = SECRET_KEY,
    **settings: object,
) -> Iterator[Running]:
    """Run an emulator on loopback; it is ready, with all default objects, when the context is entered.

    `settings` are those of `Settings`; with times in them, the emulator starts as slowly as they say. Only
    memory is offered here: with PostgreSQL, run the command.
    """
    if not memory:
        raise ValueError(
            "serve() keeps its state in memory; run `python -m bench.authentik all` for PostgreSQL"
        )
    first = Bootstrap(PASSWORD, token, "akadmin@example.test")
    chosen = Settings(version=version, secret_key=secret_key, bootstrap=first, **settings)  # type: ignore[arg-type]
    store = Store()
    server = Server(store, chosen)
    worker, stop = Worker(store, chosen), threading.Event()
    if chosen.ready_after or chosen.token_after or chosen.objects_after:
        threading.Thread(target=worker.run, args=[stop], daemon=True).start()
    else:
        worker.run_once(everything=True)
    control = Control(build(server), store, enabled=True)
    web = uvicorn.Server(
        uvicorn.Config(control, "127.0.0.1", port, log_level="warning", lifespan="off", proxy_headers=False)
    )
    thread = threading.Thread(target=web.run, daemon=True)
    thread.start()
    try:
        while not web.started:
            if not thread.is_alive():
                raise RuntimeError("the emulator's web server did not start")
            thread.join(0.01)
        address = web.servers[0].sockets[0].getsockname()
        yield Running(f"http://127.0.0.1:{address[1]}", token, PASSWORD, store, server, control)
    finally:
        stop.set()
        web.should_exit = True
        thread.join(5)
