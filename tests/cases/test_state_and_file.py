"""What the state has and the stack file does not want any more, and an address that changes: refused, or confirmed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.clouds.serving import Clouds
from bench.clouds.testing import make
from bench.paths import ROOT
from bench.plain import PlainWorld
from bench.project import Project
from components.memory import CONFIRM
from components.secrets import new_root_secret
from tests.host.mocks import KEY
from tests.operations import client as clients

pytestmark = pytest.mark.engine


@pytest.fixture
def clouds(tmp_path: Path) -> Iterator[Clouds]:
    with make(tmp_path / "clouds").running() as running:
        yield running


@pytest.mark.case("6")
def test_a_server_that_the_file_does_not_want_any_more(tmp_path: Path, clouds: Clouds) -> None:
    environment = {
        "HCLOUD_ENDPOINT": clouds.hetzner_endpoint, "HCLOUD_TOKEN": clouds.tokens.hetzner,
        "CLOUDFLARE_BASE_URL": clouds.cloudflare_base_url, "CLOUDFLARE_API_TOKEN": clouds.tokens.cloudflare,
    }  # fmt: skip
    project = Project(tmp_path / "project", environment)
    settings: dict[str, Any] = {
        "client": "acme", "domain": "demo.example", "network": {"ipv6": False},
        "server": {"type": "cx23", "location": "nbg1"}, "authentik": {"version": "2026.8.3"},
        "operators": [{"name": "sam", "email": "sam@agency.example", "sshKey": KEY}],
    }  # fmt: skip
    root = new_root_secret()
    project.stack("acme", settings, {"rootSecret": root})
    program = project.folder / "__main__.py"
    shutil.copy(ROOT / "tests" / "operations" / "box_program.py", program)
    project.gatehouse("up", "acme", "--yes")
    shutil.copy(ROOT / "__main__.py", program)

    file = project.folder / "stacks" / "Pulumi.acme.yaml"
    right = file.read_text()
    file.write_text(without(right, "server", "network"))
    url = "https://auth.demo.example"
    project.edit("acme", {"box": "none", "authentik": {"version": "2026.8.3", "url": url}})
    project.pulumi(
        "config", "set", "--stack", "acme", "--secret", "--path", "gatehouse:authentik.token", given="x" * 40
    )
    state, there = project.state("acme")["resources"], snapshot(clouds)
    for said in (
        project.gatehouse("doctor", "acme", check=False),
        project.gatehouse("preview", "acme", check=False),
        project.gatehouse("up", "acme", "--yes", check=False),
        project.gatehouse("destroy", "acme", "--confirm", "acme", check=False),
        project.pulumi("up", "--yes", "--skip-preview", "--stack", "acme", check=False),
    ):
        assert "acme has a protected server, which this file does not want any more" in " ".join(
            said.split()
        ), said
    assert snapshot(clouds) == there
    assert {each["urn"] for each in state} <= {each["urn"] for each in project.state("acme")["resources"]}
    file.write_text(right)  # the right file again: nothing has to be healed
    shutil.copy(ROOT / "tests" / "operations" / "box_program.py", program)
    project.gatehouse("preview", "acme", "--expect-no-changes")


def without(text: str, *settings: str) -> str:
    """A stack file without these settings."""
    document = yaml.safe_load(text)
    for name in settings:
        del document["config"][f"gatehouse:{name}"]
    return str(yaml.safe_dump(document, sort_keys=False))


def snapshot(clouds: Clouds) -> dict[str, list[str]]:
    """What there is at Hetzner."""
    return {
        kind: sorted(clouds.project.all(kind)) for kind in ("servers", "volumes", "primary_ips", "ssh_keys")
    }


@pytest.mark.case("11")
def test_an_address_that_changes_is_confirmed_and_goes_through_in_one_run(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    grafana = {"preset": "grafana", "url": "https://grafana.acme.example", "groups": ["staff"]}
    with PlainWorld(
        tmp_path_factory.mktemp("world") / "authentik", lambda _: None, memory=True
    ).running() as world:
        client = clients.BenchClient(tmp_path / "project", world, groups=["staff"], apps={"grafana": grafana})
        try:
            client.up()
            moved = world.issuer.replace("127.0.0.1", "localhost")
            client.project.pulumi(
                "config", "set", "--stack", "acme", "--path", "gatehouse:authentik.url", moved
            )
            client.api.delete("/_bench/totals")
            meant = (
                f"authentik has answered at {world.issuer}, and would answer at {moved}: every issuer changes"
            )
            assert meant in " ".join(client.project.gatehouse("preview", "acme").split())
            for said in (
                client.pulumi("up", check=False),
                client.up(check=False),
                client.project.gatehouse("up", "acme", "--yes", "--confirm", "acne", check=False),
            ):
                assert meant in " ".join(said.split())
            assert [each for each in client.api.get("/_bench/totals").json() if each["method"] != "GET"] == []
            assert meant in " ".join(client.pulumi("preview", **{CONFIRM: "acme"}).split())
            client.project.gatehouse("up", "acme", "--yes", "--confirm", "acme")
            told = client.pulumi("stack", "output", "--json")
            assert f"{moved}/application/o/grafana/" in told and world.issuer not in told
            client.project.gatehouse("preview", "acme", "--expect-no-changes")
        finally:
            client.end()
