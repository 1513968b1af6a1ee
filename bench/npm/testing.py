"""An emulator for the length of a test."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from bench.npm.assemble import Emulator, start
from bench.npm.layout import Layout
from bench.npm.nginx import Nginx

ADMIN_EMAIL = "admin@example.test"
ADMIN_PASSWORD = "Initial-Passw0rd"  # noqa: S105  (of a test's emulator)


@dataclass(frozen=True)
class Served:
    """Where a test finds the API and its nginx, and the emulator itself (same process)."""

    url: str
    http: int
    https: int
    emulator: Emulator


@contextmanager
def serve(
    directory: Path,
    environment: Mapping[str, str] | None = None,
    *,
    nginx: bool = True,
    admin: bool = True,
    authority: bool = True,
) -> Iterator[Served]:
    """Serve below `directory` on free ports of loopback, with journal and faults at `/_bench/`.

    `admin`: make ADMIN_EMAIL with ADMIN_PASSWORD at the first start. `authority`: let the bench's certificate
    authority sign requests for Let's Encrypt. `nginx`: run a real nginx, if this machine has one.
    """
    from bench import ca  # noqa: PLC0415  (reads the cache's place, which tests may set first)

    known = dict(environment or {})
    if admin:
        known |= {"INITIAL_ADMIN_EMAIL": ADMIN_EMAIL, "INITIAL_ADMIN_PASSWORD": ADMIN_PASSWORD}
    if authority:
        known.setdefault("GATEHOUSE_BENCH_CA_CERT", str(ca.ensure(directory / "ca")[0]))
    http, https = _free_port(), _free_port()
    layout = Layout.below(directory, http=http, https=https)
    emulator = start(layout, Nginx.find() if nginx else None, known, control=True)
    # With its protocol named: else asyncio leaves Nagle's algorithm on and every answer takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(emulator.app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.005)
        yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", http, https, emulator)
    finally:
        server.should_exit = True
        thread.join(5)
        listener.close()
        emulator.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])
