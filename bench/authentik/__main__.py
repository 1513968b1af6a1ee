"""Run the emulator: `python -m bench.authentik server|worker|all [options]`.

`server` answers HTTP, `worker` makes the default objects and applies blueprints, `all` does both in one process. State
is in PostgreSQL (AUTHENTIK_POSTGRESQL__HOST, …) unless --memory is given, which only `all` can do.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading

import uvicorn

from bench.authentik import break_glass
from bench.authentik.app import Server, build
from bench.authentik.control import Control
from bench.authentik.postgres import Postgres, conninfo
from bench.authentik.settings import Settings
from bench.authentik.store import Store
from bench.authentik.worker import Worker


def options(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.authentik", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("role", choices=["server", "worker", "all"])
    parser.add_argument(
        "--listen",
        default=os.environ.get("AUTHENTIK_LISTEN__HTTP", "0.0.0.0:9000"),
        help="address and port of the HTTP server",
    )
    parser.add_argument("--memory", action="store_true", help="keep the state in memory (only with `all`)")
    parser.add_argument(
        "--version", help="the version to be, e.g. 2026.8.3 (else GATEHOUSE_BENCH_AUTHENTIK_VERSION)"
    )
    parser.add_argument("--latency", action="store_true", help="take as long as the real server does")
    found = parser.parse_args(arguments)
    if found.memory and found.role != "all":
        parser.error("--memory needs `all`: two processes can't share a memory")
    return found


def main(arguments: list[str]) -> None:
    """Run the roles that were asked for until SIGTERM or SIGINT, or make a recovery key."""
    if arguments[:1] == ["create_recovery_key"]:
        minutes, username = arguments[1:]
        path = break_glass.make(Store(Postgres(conninfo())), int(minutes), username)
        # As the real one: a name that it does not know is no failure to it.
        print(path or f"User {username!r} not found.", file=sys.stdout if path else sys.stderr)
        return
    chosen = options(arguments)
    more: dict[str, object] = {"latency": chosen.latency}
    if chosen.version:
        more["version"] = chosen.version
    settings = Settings.of(os.environ, more)
    stop = threading.Event()
    store = Store() if chosen.memory else Store(Postgres(conninfo()))
    worker = None
    if chosen.role in ("worker", "all"):
        worker_store = store if chosen.memory else Store(Postgres(conninfo()))
        worker = threading.Thread(target=Worker(worker_store, settings).run, args=[stop], daemon=True)
        worker.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    if chosen.role == "worker":
        stop.wait()
    else:
        host, _, port = chosen.listen.rpartition(":")
        app = build(Server(store, settings))
        uvicorn.run(
            Control(app, store),
            host=host.strip("[]"),
            port=int(port),
            log_level="warning",
            lifespan="off",
            server_header=False,
            proxy_headers=False,
        )
        stop.set()
    if worker:
        worker.join(5)


if __name__ == "__main__":
    main(sys.argv[1:])
