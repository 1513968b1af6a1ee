"""`gatehouse doctor` says what is missing before anything is touched, by name and with what to do."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from bench.clouds.cloudflare.account import token_of_one_zone
from bench.clouds.hetzner import catalog
from bench.clouds.serving import Clouds
from bench.clouds.testing import client_of
from components.problems import Problem, Weight
from operations import doctor
from operations.finding import Finding, Right
from tests.host import mocks


def looked_at(**settings: Any) -> dict[str, Finding]:
    """What the checks of the accounts find, by subject."""
    wanted = mocks.settings(**{"domain": "demo.example", **settings})
    checks = (doctor.token_at_hetzner, doctor.server_type, doctor.zone)
    return {each.where: each for each in (doctor.run_check(check, wanted) for check in checks)}


def test_all_is_well(clouds: Clouds) -> None:
    found = looked_at()
    assert set(found) == {"Hetzner token", "server type", "Cloudflare zone"}
    assert [each for each in found.values() if each.refuses] == []
    assert found["server type"].what == "cx23 at nbg1, 4 GB"
    assert client_of(clouds).servers.get_all() == []


def test_a_token_that_may_do_more_than_the_zone_is_told(
    clouds: Clouds, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lies on the box; the real Cloudflare lists just the zones that a token is for, as the bench's does."""
    wanted = mocks.settings(domain="demo.example")
    for name in "abcde":
        clouds.account.declare(f"{name}.example")
    told = doctor.run_check(doctor.zones_of_token, wanted)
    assert isinstance(told, Problem) and told.weight is Weight.HINT
    assert "reaches a.example, b.example, c.example and 2 more too" in told.what
    assert "Specific zone, demo.example" in told.remedy
    own = token_of_one_zone(clouds.tokens.cloudflare, "demo.example")
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", own)
    told = doctor.run_check(doctor.zones_of_token, wanted)
    assert not told.refuses and told.what == "sees demo.example and no other zone"
    assert own not in str(told)


def test_hetzner_refuses_the_token(clouds: Clouds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HCLOUD_TOKEN", "x" * 64)
    found = looked_at()["Hetzner token"]
    assert found.what == "refused (401)"
    assert "read and write" in found.remedy
    assert "gatehouse:hetznerToken" in found.remedy


def test_a_token_is_missing(clouds: Clouds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HCLOUD_TOKEN")
    monkeypatch.delenv("CLOUDFLARE_API_TOKEN")
    found = looked_at()
    assert all(each.refuses for each in found.values())
    remedies = " ".join(each.remedy for each in found.values())
    assert "Set HCLOUD_TOKEN" in remedies
    assert "Set CLOUDFLARE_API_TOKEN" in remedies


def test_a_token_of_the_stack_file_goes_before_the_environments(
    clouds: Clouds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HCLOUD_TOKEN", "x" * 64)
    assert looked_at(hetznerToken=clouds.tokens.hetzner)["Hetzner token"] == Right(
        "Hetzner token", "accepted"
    )


def test_no_such_server_type(clouds: Clouds) -> None:
    found = looked_at(server={"type": "cx99", "location": "nbg1"})["gatehouse:server.type"]
    assert found.what == "Hetzner has no server type cx99"
    assert isinstance(found, Problem) and "such as cx23" in found.remedy


def test_a_server_type_that_is_not_to_be_had_there(clouds: Clouds) -> None:
    found = looked_at(server={"type": "cx23", "location": "ash"})["gatehouse:server.location"]
    assert found.what == "server type cx23 is not available at ash"
    assert isinstance(found, Problem)
    assert "nbg1" in found.remedy


def test_a_server_type_that_is_too_small(clouds: Clouds, monkeypatch: pytest.MonkeyPatch) -> None:
    known = catalog.find(catalog.SERVER_TYPES, "cx23")
    assert known is not None
    monkeypatch.setitem(known, "memory", 1.0)
    found = looked_at()["gatehouse:server.type"]
    assert found.what == "server type cx23 has 1 GB of memory, and authentik does not run in less than 2"
    assert "4 GB" in found.remedy


def test_no_such_zone(clouds: Clouds) -> None:
    found = looked_at(domain="elsewhere.example")["Cloudflare zone"]
    assert found.what == "elsewhere.example is no zone that this token can see"
    assert "gatehouse:domain" in found.remedy


def test_cloudflare_refuses_the_token(clouds: Clouds, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "y" * 40)
    found = looked_at()["Cloudflare token"]
    assert found.what.startswith("refused (4")
    assert "Zone:Read and DNS:Edit on demo.example" in found.remedy


def test_a_cloud_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HCLOUD_TOKEN", "x" * 64)
    monkeypatch.setenv("HCLOUD_ENDPOINT", "http://127.0.0.1:9/v1")
    found = doctor.run_check(doctor.token_at_hetzner, mocks.settings())
    assert found.what == "ConnectError at 127.0.0.1"
    assert "network" in found.remedy


def test_a_cloud_in_trouble(clouds: Clouds) -> None:
    from bench.clouds.watch import Fault

    clouds.hetzner_faults.ordered.append(Fault(path="/server_types", status=503, times=9))
    found = looked_at()["server type"]
    assert "(503" in found.what
    assert "status page" in found.remedy


def test_the_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    found = {each.where: each for each in doctor.machine()}
    assert {name: not each.refuses for name, each in found.items()} == dict.fromkeys(
        ("pulumi", "ssh", "passphrase"), False
    )
    assert "make demo" in found["pulumi"].remedy
    for name in ("pulumi", "pulumi-language-python", "ssh"):
        shutil.copy("/bin/true", tmp_path / name)
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "set")
    assert not any(each.refuses for each in doctor.machine())


@pytest.mark.parametrize(
    ("running", "wanted", "remedy"),
    [
        ("2026.8.3", "2026.2.2", "Write 2026.8.3 again"),
        ("2026.8.3", "2025.8.6", "Write 2026.8.3 again"),
        ("2026.8.3", "2026.8.1", ""),
        ("2026.5.1", "2026.8.3", ""),
        ("2025.12.4", "2026.2.2", ""),
        ("2026.2.2", "2026.8.3", "Write a version of 2026.5, run .* and so on line by line$"),
        ("2025.8.6", "2026.2.2", "Write a version of 2025.10, "),
    ],
)
def test_lines_come_in_their_order(running: str, wanted: str, remedy: str) -> None:
    resources = [
        {"type": "docker:index/remoteImage:RemoteImage", "inputs": {"name": name}}
        for name in ("postgres:16-alpine", f"ghcr.io/goauthentik/server:{running}")
    ]
    client = mocks.settings(authentik={"version": wanted})
    assert list(doctor.line_in_order(client, resources[:1])) == []
    found = list(doctor.line_in_order(client, resources))
    assert [each.where for each in found] == (["gatehouse:authentik.version"] if remedy else [])
    assert all(re.match(remedy, each.remedy) for each in found)
