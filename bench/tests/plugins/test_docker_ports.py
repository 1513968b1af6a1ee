"""The ports of a container: read back as the official plugin does, and declared so that no daemon's order matters."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from bench.plugins.docker import DockerProvider
from bench.plugins.values import Values
from bench.tests.plugins.fake_docker import FakeDocker
from bench.tests.plugins.recordings import FOLDER
from tests.containers.test_containers import BOX, containers

URN = "urn:pulumi:dev::test::docker:index/container:Container::npm"
RECORDED = json.loads((FOLDER / "docker-ports.json").read_text())["cases"]
ORDERS: dict[str, Callable[[Values], Any]] = {
    "IPv6 first": lambda binding: ":" not in binding["HostIp"],
    "IPv4 first": lambda binding: ":" in binding["HostIp"],
    "as text": lambda binding: binding["HostIp"],
}


@pytest.fixture
def daemon() -> FakeDocker:
    fake = FakeDocker()
    fake.images["image"] = {"Id": "sha256:5", "RepoDigests": [], "Config": {}}
    return fake


def run_twice(provider: DockerProvider, news: Values) -> tuple[Values, Values, Values]:
    """The container's outputs, and what a second run finds without and with a refresh."""
    inputs = provider.call("Check", {"urn": URN, "news": news})["inputs"]
    made = provider.call("Create", {"urn": URN, "properties": inputs})
    known = {"urn": URN, "id": made["id"]}
    read = provider.call("Read", {**known, "properties": made["properties"], "inputs": inputs})
    assert read["properties"]["ports"] == made["properties"]["ports"]
    plain = provider.call("Diff", {**known, "olds": made["properties"], "oldInputs": inputs, "news": inputs})
    refreshed = provider.call(
        "Diff", {**known, "olds": read["properties"], "oldInputs": read["inputs"], "news": inputs}
    )
    return made["properties"], plain, refreshed


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case["case"])
def test_several_ports_as_recorded(provider: DockerProvider, case: Values) -> None:
    ports = [
        {"internal": int(port), "external": int(port), "ip": address} for port, address in case["program"]
    ]
    made, plain, refreshed = run_twice(provider, {"name": "npm", "image": "image", "ports": ports})
    assert [[str(port["internal"]), port["ip"]] for port in made["ports"]] == case["state"]
    for found in (plain, refreshed):
        replaces = {path: each["kind"] for path, each in found.get("detailedDiff", {}).items()}
        assert (
            bool(replaces) is case["replaced"] and found.get("deleteBeforeReplace", False) is case["replaced"]
        )
        assert all(path.startswith("ports[") and kind == "UPDATE_REPLACE" for path, kind in replaces.items())


@pytest.mark.case("3")
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("more", [{}, {"network": {"ipv6": False}}, {"server": None, "box": BOX}])
def test_no_container_changes_whatever_order_the_daemon_gives(
    provider: DockerProvider, daemon: FakeDocker, order: str, more: Values
) -> None:
    daemon.addresses_in_order = ORDERS[order]
    for name, one in containers(**more).items():
        daemon.images[one.inputs["image"]] = {"Id": one.inputs["image"], "RepoDigests": [], "Config": {}}
        _, plain, refreshed = run_twice(provider, one.inputs)
        assert (plain["changes"], refreshed["changes"]) == ("DIFF_NONE", "DIFF_NONE"), (
            name,
            plain,
            refreshed,
        )
        assert len({port["internal"] for port in one.inputs.get("ports", [])}) == len(
            one.inputs.get("ports", [])
        )
