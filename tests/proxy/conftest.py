from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.npm import certbot
from bench.npm.testing import ADMIN_EMAIL, ADMIN_PASSWORD, Served, serve
from bench.tests.npm import conftest as npm
from components.objects.http import Endpoint
from components.objects.reconcile import DesiredObject, Reconciler
from components.proxy.dialect import Npm
from components.proxy.proxy import certificate_fields, host_fields
from components.proxy.routes import Route


@pytest.fixture(scope="session")
def upstream() -> Iterator[int]:
    """The port of a web server that answers as authentik does."""
    with npm._serving(npm._Upstream) as port:
        yield port


@pytest.fixture(scope="session")
def cloudflare() -> Iterator[str]:
    with npm._serving(npm._Cloudflare) as port:
        yield f"http://127.0.0.1:{port}/client/v4"


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, cloudflare: str) -> Iterator[Served]:
    """The emulator over a real nginx, with a Cloudflare that takes GOOD-TOKEN for example.test."""
    if npm.Nginx.find() is None:
        pytest.skip("no nginx on this machine")
    certbot.WAITING = 0.0  # nobody waits for DNS to spread here
    with serve(tmp_path_factory.mktemp("npm"), {"GATEHOUSE_BENCH_CLOUDFLARE": cloudflare}) as one:
        yield one


class Client:
    """What a provider process does, without the process."""

    def __init__(self, served: Served, upstream: int) -> None:
        self.served = served
        self.upstream = upstream
        self.npm = Npm("NPM of the test", lambda: Endpoint(served.url), ADMIN_EMAIL, ADMIN_PASSWORD)
        self.engine = Reconciler(self.npm)

    def certificate(
        self, host: str = "auth.example.test", token: str = "GOOD-TOKEN", mark: str = ""
    ) -> DesiredObject:
        name = f"gatehouse {host}{mark}"
        return DesiredObject("npm.certificate", name, certificate_fields(name, host, token))

    def host(self, host: str = "auth.example.test", mark: str = "", **more: object) -> DesiredObject:
        route = Route(host, "http", "127.0.0.1", self.upstream, authentik=host.startswith("auth."))
        return DesiredObject(
            "npm.proxy_host", host, {**host_fields(route, f"gatehouse {host}{mark}"), **more}
        )

    def writes(self) -> list[str]:
        """Writes since the last look, but for logins."""
        journal = self.served.emulator.app.journal
        told = [
            f"{e['method']} {e['path']}"
            for e in journal
            if e["method"] != "GET" and e["path"] != "/api/tokens"
        ]
        journal.clear()
        return told


@pytest.fixture
def client(served: Served, upstream: int) -> Iterator[Client]:
    """A client of an NPM in which nothing is declared yet."""
    yield Client(served, upstream)
    served.emulator.app.faults.clear()
    store, layout = served.emulator.manager.store, served.emulator.manager.layout
    for kind in ("proxy_host", "certificate"):
        for row in store.all(kind):
            store.remove(kind, row["id"])
            layout.host_conf(row["id"]).unlink(missing_ok=True)
    served.emulator.app.journal.clear()
