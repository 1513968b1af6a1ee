"""`gatehouse break-glass`: who lost their key gets in once, it is noted, and the next `up` ends it.

The box's shell is a stand-in: authentik's command is the emulator's, run as a process of its own on the same database.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bench.paths import ROOT
from bench.plain import PlainWorld
from bench.security_key import SecurityKey
from bench.tests.authentik.browser import Person
from components.identity.dialect import Authentik
from components.identity.kinds import ReleaseLine
from operations.break_glass import NOTES, end, open_way
from operations.errors import OperatorError

SETUP = "default-authenticator-webauthn-setup"


class Shell:
    """The box's shell; `log` is its journal."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment, self.log = environment, list[str]()
        self.broken = False

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        words = shlex.split(" ".join(command))  # as ssh hands it over
        if words[0] == "logger":
            self.log.append(words[-1])
            return subprocess.CompletedProcess(words, int(self.broken), "", "")
        assert words[:4] == ["docker", "exec", "authentik-server", "ak"]
        argv = [sys.executable, "-m", "bench.authentik", *words[4:]]
        return subprocess.run(argv, env=self.environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainWorld]:
    with PlainWorld(tmp_path_factory.mktemp("glass") / "w", lambda _: None).running() as world:
        world.wait_for_flows()
        yield world


@pytest.fixture
def shell(world: PlainWorld) -> Shell:
    return Shell({**os.environ, "PYTHONPATH": str(ROOT), **world.postgres()})


def events(world: PlainWorld) -> str:
    headers = {"Authorization": f"Bearer {world.token}"}
    return httpx.get(
        f"{world.issuer}/api/v3/events/events/", headers=headers, params={"page_size": "100"}
    ).text


def test_somebody_gets_in_once_and_the_next_up_ends_it(
    world: PlainWorld, shell: Shell, tmp_path: Path
) -> None:
    folder = tmp_path / "acme"
    link = open_way(shell.run, world.issuer, folder, "akadmin", 10)
    assert shell.log == [line for line in shell.log if "logs akadmin in for 10 minutes" in line] != []
    lost = Person(world.issuer, "akadmin", key=SecurityKey())
    assert lost.http.get(link).status_code == 302
    assert lost.http.get("/api/v3/core/users/me/").json()["user"]["is_superuser"]
    assert "/recovery/use-token/" in events(world)
    assert Person(world.issuer, "x").http.get(link).status_code == 404, "it is used up"
    assert lost.enrol(lost.flow(f"/if/flow/{SETUP}/?"), slug=SETUP)["component"] == "xak-flow-redirect"
    unused = open_way(shell.run, world.issuer, folder, "akadmin", 10)
    assert (folder / NOTES).stat().st_mode & 0o077 == 0
    server = Authentik(world.issuer, world.token, None, ReleaseLine("2026.8"))
    (said,) = end(server, folder)
    assert said == "Ended what break-glass opened for akadmin: 1 unused links, and all sessions."
    assert not lost.inside()
    assert Person(world.issuer, "x").http.get(unused).status_code == 404
    assert end(server, folder) == []


def test_what_is_not_right_is_said(world: PlainWorld, shell: Shell, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="authentik knows no 'ghost'"):
        open_way(shell.run, world.issuer, tmp_path / "acme", "ghost", 60)
    shell.broken = True
    with pytest.raises(OperatorError, match="does not note what is done, so that nothing was done"):
        open_way(shell.run, world.issuer, tmp_path / "acme", "akadmin", 60)
    shell.broken = False
    assert open_way(shell.run, world.issuer, tmp_path / "acme", "akadmin", 60).startswith(world.issuer)
