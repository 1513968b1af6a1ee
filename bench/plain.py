"""The outside world without a box: an authentik emulator as a process, with a Postgres of its own.

For an ordinary user, or where no namespaces may be made: a client with `box: none` is declared, previewed,
brought up and logged in to; there is no server, no DNS, no TLS and no proxy.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx

from bench import processes
from bench.engine import ensure
from bench.paths import ROOT, locked
from bench.processes import Recorded

VERSION = "2026.8.3"
PATIENCE = 60.0  # seconds until the emulator must answer; a Postgres that starts for the first time takes 2


class PlainWorldError(Exception):
    """The emulator did not come up; the message holds the end of its log."""


class PlainWorld:
    """One authentik on loopback below `directory`; with `memory` it keeps its state in memory alone."""

    figure = "demo_plain_seconds"
    enter = ""
    exported = ("PATH", "PULUMI_HOME")
    title = "an authentik on loopback; no server, DNS, TLS or proxy (box: none)"

    def __init__(
        self,
        directory: Path,
        progress: Callable[[str], None] = print,
        *,
        memory: bool = False,
        version: str = VERSION,
        options: tuple[str, ...] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`environment`: what authentik is told besides, such as a mail server."""
        self.directory = directory.resolve()
        self.progress = progress
        self.memory = memory
        self.version = version
        self.options = options
        self.environment = environment or {}
        self.port = free_port()
        self.token = secrets.token_urlsafe(40)
        self.first: set[str] = set()

    @property
    def issuer(self) -> str:
        """Where authentik answers."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def new_options(self) -> tuple[str, ...]:
        """Options of `gatehouse new` for a client here."""
        return ("--authentik-url", self.issuer)

    @property
    def sealed(self) -> dict[str, str]:
        """Secret settings that a client needs here."""
        return {"gatehouse:authentik.token": self.token}

    def env(self) -> dict[str, str]:
        """The operator's environment: with the engine."""
        return ensure(self.progress).env(os.environ)

    def command(self, argv: list[str]) -> list[str]:
        """The operator sits on the machine itself."""
        return argv

    def leftovers(self) -> list[str]:
        """What of a client is still in authentik: objects that were not there at the start."""
        return sorted(self.objects() - self.first)

    def objects(self) -> set[str]:
        """Groups, people, providers and applications by name."""
        found = set()
        with httpx.Client(base_url=self.issuer, headers={"Authorization": f"Bearer {self.token}"}) as client:
            for path in ("core/groups", "core/users", "providers/all", "core/applications"):
                full = {"page_size": "100", "superuser_full_list": "true"}
                results = client.get(f"/api/v3/{path}/", params=full).raise_for_status().json()["results"]
                found |= {f"{path} {item.get('username') or item['name']}" for item in results}
        return found

    def start(self) -> None:
        """Start Postgres and the emulator, and wait until its token works.

        Raises:
            PlainWorldError: it does not answer in time.
        """
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        ensure(self.progress)
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "AUTHENTIK_BOOTSTRAP_TOKEN": self.token,
            "AUTHENTIK_BOOTSTRAP_PASSWORD": secrets.token_urlsafe(20),
            "AUTHENTIK_SECRET_KEY": secrets.token_urlsafe(40),
            "GATEHOUSE_BENCH_CONTROL": "1",
            **self.environment,
        }
        if not self.memory:
            environment |= self.postgres()
        argv = [sys.executable, "-m", "bench.authentik", "all", "--listen", f"127.0.0.1:{self.port}"]
        argv += ["--version", self.version, *(["--memory"] if self.memory else []), *self.options]
        with (self.directory / "authentik.log").open("ab") as log:
            process = subprocess.Popen(
                argv,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        processes.write(self.directory / "plain.json", {"authentik": Recorded.of(process.pid)})
        self.wait()

    def wait(self) -> None:
        """Wait until the token is accepted."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                answer = httpx.get(
                    f"{self.issuer}/api/v3/core/users/me/",
                    headers={"Authorization": f"Bearer {self.token}"},
                    timeout=5,
                )
                if answer.status_code == httpx.codes.OK:
                    self.first = self.objects()
                    return
            time.sleep(0.1)
        log = (self.directory / "authentik.log").read_text()[-1500:]
        self.stop()
        raise PlainWorldError(f"authentik did not answer at {self.issuer} within {PATIENCE:.0f} s:\n{log}")

    def wait_for_flows(self) -> None:
        """Wait for the default flows: the worker makes them a while after the token works, as on a real first start."""
        flows = f"{self.issuer}/api/v3/flows/instances/"
        with httpx.Client(headers={"Authorization": f"Bearer {self.token}"}) as client:
            deadline = time.monotonic() + PATIENCE
            while not client.get(flows).raise_for_status().json()["results"]:
                if time.monotonic() > deadline:
                    raise PlainWorldError(f"{self.issuer} made no flows within {PATIENCE:.0f} s")
                time.sleep(0.1)

    def postgres(self) -> dict[str, str]:
        """Start a Postgres of our own; how the emulator reaches it."""
        import pgserver  # noqa: PLC0415  (34 MB that only this needs)

        self.progress("Starting Postgres")
        # It listens on a Unix socket in its own folder, whose path must be short.
        pgserver.get_server(self.directory / "pg", cleanup_mode=None)
        return {
            "AUTHENTIK_POSTGRESQL__HOST": str(self.directory / "pg"),
            "AUTHENTIK_POSTGRESQL__USER": "postgres",
            "AUTHENTIK_POSTGRESQL__NAME": "postgres",
            "AUTHENTIK_POSTGRESQL__PASSWORD": "",
        }

    def stop(self) -> None:
        """End the emulator and its Postgres; state on disk stays."""
        for process in processes.read(self.directory / "plain.json").values():
            process.end()
        (self.directory / "plain.json").unlink(missing_ok=True)
        pid = self.directory / "pg" / "postmaster.pid"
        if pid.exists():
            with contextlib.suppress(Exception):
                Recorded.of(int(pid.read_text().split()[0])).end()

    def upgrade(self, version: str) -> None:
        """Run another version on what is there (not with `memory`)."""
        processes.read(self.directory / "plain.json")["authentik"].end()
        self.version = version
        self.start()

    def clean(self) -> None:
        """Stop, and remove the directory."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else uses this world meanwhile."""
        with locked(f"plain-{self.directory.name}"):
            yield

    @contextlib.contextmanager
    def running(self) -> Iterator[PlainWorld]:
        """Start, and clean up at the end."""
        self.start()
        try:
            yield self
        finally:
            self.clean()


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
