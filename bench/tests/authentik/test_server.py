"""The emulator as processes see it: a cold start, faults on order, state in PostgreSQL that outlives everything."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pgserver
import psycopg
import pytest

from bench.authentik.app import Server
from bench.authentik.context import Context
from bench.authentik.defaults import Bootstrap
from bench.authentik.postgres import Postgres
from bench.authentik.settings import Settings
from bench.authentik.store import Store, StoreUnavailableError
from bench.authentik.testing import serve
from bench.authentik.worker import Worker
from bench.control import Fault
from bench.tests.authentik.conftest import Client

GROUPS = "/core/groups/"
BINARIES = Path(pgserver.__file__).parent / "pginstall" / "bin"


def until(check: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_a_cold_start_is_ready_before_its_token_works_and_before_its_flows_are_there() -> None:
    # Seconds apart, so that a busy machine still looks into each gap.
    with serve(ready_after=1, token_after=5, objects_after=9) as running:
        client = Client(running)
        ready = httpx.get(f"{running.url}/-/health/ready/")
        assert (ready.status_code, ready.headers["retry-after"]) == (503, "5")
        until(lambda: httpx.get(f"{running.url}/-/health/ready/").status_code == 200)
        assert client("GET", "/core/users/me/", 403) == {"detail": "Token invalid/expired"}
        until(lambda: client.http.get("/core/users/me/").status_code == 200)
        assert client("GET", "/flows/instances/", 200)["results"] == []
        until(lambda: client.http.get("/flows/instances/").json()["pagination"]["count"] == 14)


def test_faults_on_order(shared: Client) -> None:
    control = shared.running.control
    control.faults.append(Fault(method="POST", path=GROUPS, cut="after"))
    with pytest.raises(httpx.RemoteProtocolError):
        shared("POST", GROUPS, name="cut-after")
    assert shared("GET", f"{GROUPS}?name=cut-after", 200)["pagination"]["count"] == 1
    control.faults.append(Fault(method="POST", path=GROUPS, status=405, body=""))
    assert shared("POST", GROUPS, 405, name="never") == ""
    assert shared("GET", f"{GROUPS}?name=never", 200)["pagination"]["count"] == 0


def test_totals_and_state(shared: Client) -> None:
    bench = shared.running.url + "/_bench"
    httpx.delete(f"{bench}/totals")
    shared("GET", GROUPS, 200)
    (total,) = httpx.get(f"{bench}/totals").json()
    assert (total["method"], total["path"], total["count"], total["received"]) == (
        "GET",
        "/api/v3" + GROUPS,
        1,
        0,
    )
    assert total["sent"] > 100
    state = httpx.get(f"{bench}/state").json()
    assert "authentik Admins" in [group["name"] for group in state[GROUPS].values()]


@pytest.fixture(scope="module")
def database() -> Iterator[pgserver.PostgresServer]:
    # The socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="gh", dir="/tmp") as directory:
        server = pgserver.get_server(Path(directory) / "pg", cleanup_mode="delete")
        try:
            yield server
        finally:
            server.cleanup()


def info(database: pgserver.PostgresServer, name: str) -> str:
    """A new, empty database."""
    with psycopg.connect(database.get_uri(), autocommit=True) as connection:
        connection.execute(f"create database {name}")
    return str(psycopg.conninfo.make_conninfo(database.get_uri(), dbname=name))


def run(program: str, *arguments: str) -> None:
    """Run one of PostgreSQL's own programs."""
    subprocess.run([str(BINARIES / program), *arguments], check=True, capture_output=True)


def test_server_and_worker_share_their_state(database: pgserver.PostgresServer) -> None:
    where = info(database, "shared")
    settings = Settings(version="2026.8.3", bootstrap=Bootstrap("p", "first", "a@b.c"))
    server = Server(Store(Postgres(where)), settings)
    assert server.available()
    worker = Worker(Store(Postgres(where)), settings)
    assert not server.store.worker_alive()
    worker.run_once(everything=True)
    assert server.store.worker_alive()
    with server.store.reading():
        assert len(server.store.all("/flows/instances/")) == 14
        assert server.store.find("/core/tokens/", _key="first")
    # A second start with another token changes nothing: bootstrap values count once.
    again = Settings(version="2026.8.3", bootstrap=Bootstrap("p", "second", "a@b.c"))
    Worker(Store(Postgres(where)), again).run_once(everything=True)
    with server.store.reading():
        assert server.store.find("/core/tokens/", _key="second") is None


def test_a_write_that_fails_leaves_nothing(database: pgserver.PostgresServer) -> None:
    where = info(database, "undone")
    store = Store(Postgres(where))
    assert store.backend is not None
    store.backend.migrate()
    with store.writing():
        store.insert("kind", "a", {"n": 1})
    with pytest.raises(ZeroDivisionError), store.writing():
        store.replace("kind", "a", {"n": 2})
        store.insert("kind", "b", {"n": 1 / 0})
    for seen in (store, Store(Postgres(where))):
        with seen.reading():
            assert [dict(one) for one in seen.all("kind")] == [{"n": 1}]


def test_a_restored_backup_is_noticed(database: pgserver.PostgresServer, tmp_path: Path) -> None:
    where = info(database, "backup")
    store = Store(Postgres(where))
    assert store.backend is not None
    store.backend.migrate()
    with store.writing():
        store.insert("kind", "before", {"n": 1})
    dump = tmp_path / "dump"
    run("pg_dump", "-Fc", "-f", str(dump), where)
    with store.writing():
        store.insert("kind", "after", {"n": 2})
    with psycopg.connect(where) as connection:
        connection.execute("drop table objects, change, heartbeat")
    with pytest.raises(StoreUnavailableError), store.reading():
        pass
    run("pg_restore", "-d", where, str(dump))
    with store.reading():
        assert store.get("kind", "before") == {"n": 1}
        assert store.get("kind", "after") is None


def test_the_command_serves_from_postgresql(database: pgserver.PostgresServer) -> None:
    where = psycopg.conninfo.conninfo_to_dict(info(database, "command"))
    names = {"HOST": where["host"], "NAME": where["dbname"], "USER": where["user"], "PASSWORD": ""}
    environment = {
        **os.environ,
        **{f"AUTHENTIK_POSTGRESQL__{name}": str(text) for name, text in names.items()},
        **{f"GATEHOUSE_BENCH_AUTHENTIK_{name}_AFTER": "0" for name in ("READY", "TOKEN", "OBJECTS")},
        "AUTHENTIK_BOOTSTRAP_TOKEN": "command-token",
    }
    argv = ["-m", "bench.authentik", "all", "--listen", "127.0.0.1:9187", "--version", "2025.8.6"]
    process = subprocess.Popen([sys.executable, *argv], env=environment)
    try:
        http = httpx.Client(
            base_url="http://127.0.0.1:9187/api/v3", headers={"Authorization": "Bearer command-token"}
        )

        def known() -> bool:
            try:
                return http.get("/admin/version/").status_code == 200
            except httpx.TransportError:
                return False

        until(known)
        assert http.get("/admin/version/").json()["version_current"] == "2025.8.6"
        assert http.get("http://127.0.0.1:9187/_bench/state").status_code == 404
    finally:
        process.terminate()
        assert process.wait(10) == 0


def test_the_context_needs_no_web_server() -> None:
    store = Store()
    settings = Settings(version="2026.8.3")
    Worker(store, settings).run_once(everything=True)
    with store.reading():
        assert Context(Server(store, settings).api.line, store).items("/core/brands/")
