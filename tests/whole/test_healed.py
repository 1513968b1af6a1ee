"""A client on a box to which something bad happens: one `gatehouse up` puts it right, nothing waits without a word."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.machine import missing
from bench.world import World
from tests.operations.client import wait_for
from tests.whole.test_client import Whole

pytestmark = [pytest.mark.box, pytest.mark.timeout(1500)]

LIMIT = 400.0
"""Seconds in which any of these commands is done, on a machine that is busy with other things."""


class Client(Whole):
    """One that the test does bad things to."""

    groups = 0

    def change(self) -> str:
        """Edit the stack file, so that the next run has something to make in authentik; the group's name."""
        self.groups += 1
        name = f"team-{self.groups}"
        self.project.edit("acme", {"groups": ["staff", "engineering", name]})
        return name

    def heals(self) -> str:
        """One `up`, and a quiet preview that looks at everything; what `up` said."""
        began = time.monotonic()
        said = self.gatehouse("up", "acme", "--yes")
        assert time.monotonic() - began < LIMIT
        self.gatehouse("preview", "acme", "--refresh", "--expect-no-changes")
        logins = self.gatehouse("login-check", "acme")
        assert "jane may log in; logged in" in logins
        assert "mallory may not; refused" in logins
        return said

    def previewed(self) -> str:
        """`preview --refresh`, which is not to wait for what cannot answer; what it said."""
        began = time.monotonic()
        said = self.project.gatehouse("preview", "acme", "--refresh")
        assert time.monotonic() - began < 120
        assert "Traceback" not in said
        assert "does not answer" not in said
        return said

    def hetzner(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        """One call to Hetzner's API."""
        environment = self.world.env()
        done = self.world.run(
            [
                "curl", "-sS", "--noproxy", "*", "-X", method, f"{environment['HCLOUD_ENDPOINT']}/{path}",
                "-H", f"Authorization: Bearer {environment['HCLOUD_TOKEN']}",
                "-H", "Content-Type: application/json", *(["-d", json.dumps(body)] if body else []),
            ],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        answer: dict[str, Any] = json.loads(done.stdout or "{}")
        return answer

    def status(self) -> str:
        """What Hetzner says the server does; empty if there is none."""
        servers = self.hetzner("GET", "servers")["servers"]
        return str(servers[0]["status"]) if servers else ""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    if reasons := missing():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("no box here: " + "; ".join(reasons))
    world = World(tmp_path_factory.mktemp("healed"))
    world.start()
    try:
        client = Client(tmp_path_factory.mktemp("program") / "gatehouse", world)
        client.project.edit("acme", {"protect": False})
        client.up()
        yield client
    finally:
        world.clean()


@pytest.mark.case("4")
@pytest.mark.heals("proxy_stopped")
def test_the_proxys_container_is_stopped(client: Client) -> None:
    client.on_box("docker", "stop", "gatehouse-npm")
    assert "Stopped on the box: gatehouse-npm" in client.previewed()
    assert "Stopped on the box, and started again: gatehouse-npm." in client.heals()


@pytest.mark.case("4")
@pytest.mark.heals("authentik_stopped")
def test_authentik_and_its_database_are_stopped(client: Client) -> None:
    names = ("gatehouse-authentik-server", "gatehouse-postgres")
    client.on_box("docker", "stop", *names)
    client.change()
    assert f"Stopped on the box: {', '.join(names)}" in client.previewed()
    client.heals()


@pytest.mark.case("15")
@pytest.mark.heals("tunnels_cut")
def test_the_tunnels_are_cut_in_the_middle_of_a_run(client: Client, tmp_path: Path) -> None:
    client.change()
    run = client.project.start("up", "acme", "--yes", log=tmp_path / "log")

    def tunnels() -> list[psutil.Process]:
        found = []
        for each in client.started():
            with contextlib.suppress(psutil.NoSuchProcess):
                found += [each] if each.name() == "ssh" and "-L" in each.cmdline() else []
        return found

    wait_for(lambda: bool(tunnels()) or run.poll() is not None, "a tunnel", LIMIT)
    cut = 0
    until = time.monotonic() + 5
    while time.monotonic() < until and run.poll() is None:
        for each in tunnels():
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
                cut += 1
        time.sleep(1)
    assert cut
    run.wait(LIMIT)
    said = (tmp_path / "log").read_text()
    assert run.returncode == 0, said
    client.heals()


@pytest.mark.heals("box_restarts")
def test_the_box_restarts(client: Client) -> None:
    client.change()
    client.hetzner("POST", f"servers/{client.server()}/actions/reset")
    client.heals()


@pytest.mark.case("5")
@pytest.mark.heals("server_off")
def test_the_server_is_switched_off(client: Client) -> None:
    client.change()
    client.hetzner("POST", f"servers/{client.server()}/actions/poweroff")
    wait_for(lambda: client.status() == "off", "the server to be off")
    assert "The server at Hetzner is off; `up` switches it on." in client.previewed()
    assert "is off: it is switched on" in client.heals()


@pytest.mark.case("5")
@pytest.mark.heals("server_deleted")
def test_the_server_is_deleted_by_hand(client: Client) -> None:
    before = client.server()
    client.hetzner("DELETE", f"servers/{before}")
    wait_for(lambda: client.status() == "", "the server to be gone")
    assert "The server at Hetzner is gone." in client.previewed()
    assert "The server is gone at Hetzner: it is made anew" in client.heals()
    assert client.server() != before


@pytest.mark.case("5")
def test_what_is_left_of_a_client_whose_server_is_gone_is_taken_down(client: Client) -> None:
    client.hetzner("DELETE", f"servers/{client.server()}")
    wait_for(lambda: client.status() == "", "the server to be gone")
    began = time.monotonic()
    client.gatehouse("destroy", "acme", "--confirm", "acme")
    assert time.monotonic() - began < LIMIT
    assert client.world.leftovers() == []
    assert client.project.state("acme").get("resources", []) == []
