"""The outside world on one machine: the operator's network namespace and what answers in it.

In the namespace run the clouds (bench.clouds: Hetzner's and Cloudflare's APIs and DNS) and the image registry; the
package proxy listens in it too, but speaks from the machine's own network. All state lies below one directory. Whatever
a world starts is recorded in its world.json and carries the directory in its environment, so that `clean` finds what a
killed run left.
"""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from bench import ca, engine, images, processes, registry
from bench.clouds.store import tokens
from bench.machine import image, missing, network
from bench.machine.machines import Machines
from bench.paths import ROOT
from bench.processes import Recorded

HETZNER = "http://127.0.0.1:8101/v1"
CLOUDFLARE = "http://127.0.0.1:8102/client/v4"
_PROXY_PORT = 3142
_MARK = "GATEHOUSE_WORLD"
_CLONE_NEWNET = 0x40000000
_PATIENCE = 20.0


class WorldError(Exception):
    """The bench's world could not be made; the message says which part, and where its log is."""


class World:
    """One outside world below `directory`; several may exist side by side, each in namespaces of its own.

    `kind` is the image that servers boot: "baked" has the packages of gatehouse's hardening in it, "plain" has not.
    `zones` are the domains in the Cloudflare account. `with_engine` gives the operator's side a Pulumi engine.
    """

    figure = "demo_seconds"
    enter = ".venv/bin/python -m bench enter "
    exported = ()
    title = "Hetzner, Cloudflare, DNS, registries and a real Debian, in namespaces of this machine"
    sealed: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self,
        directory: Path,
        kind: str = "baked",
        zones: Sequence[str] = ("demo.example", "acme.example"),
        progress: Callable[[str], None] = print,
        *,
        with_engine: bool = True,
    ) -> None:
        self.directory = directory.resolve()
        self.with_engine = with_engine
        self.kind = kind
        self.zones = zones
        self.new_options: tuple[str, ...] = ()  # of `gatehouse new` for a client here; known when it runs
        self.issuer = f"https://auth.{zones[0]}"  # where the authentik of a client in the first zone answers
        self.progress = progress
        self.namespace = "gh" + hashlib.sha256(str(self.directory).encode()).hexdigest()[:6]

    def start(self) -> None:
        """Make images where they are missing, then namespaces and services. Raises WorldError, BuildError."""
        if reasons := missing():
            raise WorldError("no box can be booted on this machine: " + "; ".join(reasons))
        if self.running():
            return
        self.stop()
        self.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with ThreadPoolExecutor(1) as aside:
            # The engine's build keeps the processors busy, the images mostly the network.
            built = aside.submit(engine.ensure, self.progress) if self.with_engine else None
            images.ensure(self.progress)
            image.ensure(self.kind, self.progress)
            if built:
                built.result()
        self._record({})
        network.make_client(self.namespace)
        Machines.settle(self.directory / "clouds" / "machines", self.namespace, self.kind)
        self.new_options = ("--ssh-key", self._operator_key())
        (self.directory / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        self._serve("packages", ["bench.packages"], _listener(self.namespace, network.GATEWAY, _PROXY_PORT))
        self._serve("registry", ["bench.registry"])
        self._serve("clouds", self._clouds())
        self._wait({"registry": (network.GATEWAY, 443), "clouds": ("127.0.0.1", 8101)})

    def restart_clouds(self) -> None:
        """Kill the clouds' process and start it again; the boxes don't notice."""
        if process := self._processes().get("clouds"):
            process.end(patience=0)
        self._serve("clouds", self._clouds())
        self._wait({"clouds": ("127.0.0.1", 8101)})

    def stop(self) -> None:
        """End all that runs (the boxes' power is cut); state on disk stays, and `start` goes on with it."""
        for name in ("clouds", "registry", "packages"):
            if process := self._processes().get(name):
                process.end()
        if machines := self.machines():
            for server in machines.servers():
                machines.power_off(server)
        processes.end_marked(_MARK, str(self.directory))
        network.remove(self.namespace)
        (self.directory / "world.json").unlink(missing_ok=True)

    def clean(self) -> None:
        """Stop, whatever a killed run left, and remove the directory."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else uses this world meanwhile. Raises WorldError if somebody does, which a killed run does not."""
        self.directory.parent.mkdir(parents=True, exist_ok=True)
        with self.directory.with_suffix(".lock").open("a+") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                handle.seek(0)
                user = handle.read()
                raise WorldError(
                    f"process {user} uses the world in {self.directory}: let it end first"
                ) from None
            handle.truncate(0)
            handle.write(str(os.getpid()))
            handle.flush()
            yield

    def running(self) -> bool:
        """Whether all services run."""
        known = self._processes()
        return len(known) == 3 and all(p.find() for p in known.values()) and network.exists(self.namespace)

    def machines(self) -> Machines | None:
        """The hardware of this world, as the clouds see it; None if there never was any."""
        directory = self.directory / "clouds" / "machines"
        return Machines(directory, self.progress) if directory.exists() else None

    def env(self) -> dict[str, str]:
        """What the operator's side needs in its environment: addresses, tokens, trust, the engine."""
        authority = str(ca.ensure()[0])
        accounts = tokens(self.directory / "clouds")
        base: Mapping[str, str] = {
            name: os.environ[name] for name in ("PATH", "PULUMI_HOME") if name in os.environ
        }
        if self.with_engine:
            base = engine.ensure(self.progress).env(base)
        return {
            **base,
            _MARK: str(self.directory),
            "HCLOUD_TOKEN": accounts.hetzner,
            "CLOUDFLARE_API_TOKEN": accounts.cloudflare,
            "HCLOUD_ENDPOINT": HETZNER,
            "CLOUDFLARE_BASE_URL": CLOUDFLARE,
            "SSL_CERT_FILE": authority,
            "REQUESTS_CA_BUNDLE": authority,
            "CURL_CA_BUNDLE": authority,
        }

    def command(self, argv: list[str]) -> list[str]:
        """The command that runs `argv` on the operator's side: its network, and its names by the bench's DNS."""
        script = 'mount --bind "$1" "$(readlink -f /etc/resolv.conf)"; shift; exec "$@"'
        inside = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", script, "bench"]
        return network.inside(self.namespace, [*inside, str(self.directory / "resolv.conf"), *argv])

    def run(self, argv: list[str], **options: Any) -> subprocess.CompletedProcess[Any]:
        """subprocess.run on the operator's side; `env`, if given, comes on top of the world's own."""
        environment: Mapping[str, str] = options.pop("env", None) or os.environ
        check = options.pop("check", False)
        return subprocess.run(self.command(argv), check=check, env={**environment, **self.env()}, **options)

    def popen(self, argv: list[str], **options: Any) -> subprocess.Popen[Any]:
        """subprocess.Popen on the operator's side; `env`, if given, comes on top of the world's own."""
        environment: Mapping[str, str] = options.pop("env", None) or os.environ
        return subprocess.Popen(self.command(argv), env={**environment, **self.env()}, **options)

    def leftovers(self) -> list[str]:
        """What the clouds still hold of any client."""
        left = []
        for cloud, address in (("Hetzner", HETZNER), ("Cloudflare", CLOUDFLARE)):
            asked = f"http://{urlsplit(address).netloc}/_bench/state"
            said = self.run(
                ["curl", "-sS", "--noproxy", "*", asked], check=True, capture_output=True, text=True
            )
            state: dict[str, list[Any]] = json.loads(said.stdout)
            left += [f"{len(found)} in {cloud}'s {kind}" for kind, found in state.items() if found]
        return left

    def _operator_key(self) -> str:
        """The public key of the person who operates this world; the private one is in its directory."""
        private = self.directory / "operator_key"
        if not private.exists():
            argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "operator@bench", "-f", str(private)]
            subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
        return private.with_suffix(".pub").read_text().strip()

    def _clouds(self) -> list[str]:
        options = [f"--zone={zone}" for zone in self.zones]
        options += [f"--name={name}={network.GATEWAY}" for name in registry.NAMES]
        options += [f"--dns={address}:53" for address in ("127.0.0.1", network.GATEWAY)]
        return ["bench.clouds", f"--directory={self.directory / 'clouds'}", "--machines=nspawn", *options]

    def _serve(self, name: str, module: list[str], listener: socket.socket | None = None) -> None:
        argv = [sys.executable, "-m", *module]
        # The package proxy is handed its listening socket and stays in the machine's own network.
        command = argv if listener else network.inside(self.namespace, argv)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), _MARK: str(self.directory)}
        if listener:
            environment["GATEHOUSE_LISTENER"] = str(listener.fileno())
        with (self.directory / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                pass_fds=[listener.fileno()] if listener else [],
            )  # fmt: skip
        self._record({**self._processes(), name: Recorded.of(process.pid)})
        if listener:
            listener.close()

    def _wait(self, ports: dict[str, tuple[str, int]]) -> None:
        deadline = time.monotonic() + _PATIENCE
        for name, (host, port) in ports.items():
            probe = f"import socket; socket.create_connection(({host!r}, {port}), 1).close()"
            while self.run([sys.executable, "-c", probe], check=False, capture_output=True).returncode:
                process = self._processes()[name]
                if not process.find() or time.monotonic() > deadline:
                    log = self.directory / f"{name}.log"
                    end = log.read_text(errors="replace")[-1000:]
                    self.stop()
                    raise WorldError(f"{name} does not answer on {host}:{port}; the end of {log}:\n{end}")
                time.sleep(0.05)

    def _record(self, known: dict[str, Recorded]) -> None:
        processes.write(self.directory / "world.json", known)

    def _processes(self) -> dict[str, Recorded]:
        return processes.read(self.directory / "world.json")


def _listener(namespace: str, host: str, port: int) -> socket.socket:
    """A listening socket in another network namespace: a socket stays where it was opened.

    Raises OSError.
    """
    opened: list[socket.socket] = []
    problem: list[OSError] = []

    def open_there() -> None:
        # setns moves the calling thread alone, which ends with this function.
        libc = ctypes.CDLL(None, use_errno=True)
        try:
            with (network.NAMED / namespace).open() as there:
                if libc.setns(there.fileno(), _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), f"cannot enter the network namespace {namespace}")
            opened.append(socket.create_server((host, port), backlog=64))
        except OSError as error:
            problem.append(error)

    thread = threading.Thread(target=open_there)
    thread.start()
    thread.join()
    if problem:
        raise problem[0]
    return opened[0]
