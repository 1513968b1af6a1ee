"""A world and boxes in it, for the tests that boot a real Debian."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.machine import Machines, missing
from bench.world import World


@dataclass
class Host:
    """A box as a test sees it: from the operator's side, over ssh."""

    world: World
    server: int
    address: str
    key: Path
    user: str = "root"

    def argv(self, *command: str) -> list[str]:
        options = {"StrictHostKeyChecking": "no", "UserKnownHostsFile": "/dev/null", "LogLevel": "ERROR"}
        options |= {"ConnectTimeout": "2", "BatchMode": "yes", "IdentitiesOnly": "yes"}
        flags = [f"-o{name}={value}" for name, value in options.items()]
        return ["ssh", "-F/dev/null", f"-i{self.key}", *flags, f"{self.user}@{self.address}", *command]

    def ssh(self, command: str, *, check: bool = True) -> str:
        done = self.world.run(self.argv(command), capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if check and done.returncode:
            raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}{done.stderr}")
        return str(done.stdout)

    def answers(self) -> bool:
        done = self.world.run(self.argv("true"), capture_output=True, stdin=subprocess.DEVNULL)
        return done.returncode == 0

    def reachable(self, port: int, address: str = "") -> bool:
        probe = f"import socket; socket.create_connection(({address or self.address!r}, {port}), 2).close()"
        return self.world.run(["python3", "-c", probe], capture_output=True).returncode == 0


def until(condition: Callable[[], bool], what: str, patience: float = 60) -> float:
    """Wait for a condition; how many seconds it took."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > patience:
            raise AssertionError(f"{what}: not within {patience:.0f} s")
        time.sleep(0.05)
    return time.monotonic() - began


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if reasons := missing():
        message = "no box here: " + "; ".join(reasons)
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    made = World(tmp_path_factory.mktemp("world"), with_engine=False)
    made.start()
    try:
        yield made
    finally:
        made.clean()


@pytest.fixture(scope="session")
def machines(world: World) -> Machines:
    found = world.machines()
    assert found is not None
    return found


def new_key(directory: Path, name: str) -> Path:
    path = directory / name
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)], check=True)
    return path


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_key(tmp_path_factory.mktemp("keys"), "let-in")
