"""Creates of a killed run whose outcome nobody recorded, and how each is settled."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.clouds.serving import Clouds
from bench.clouds.testing import client_of
from components.settings import Settings
from operations import interrupted_creates
from operations.errors import OperatorError
from operations.stack import Stack
from tests.host import mocks

LABELS = {"gatehouse": "acme"}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI test@example"


class Interrupted(Stack):
    """A stack whose state has these creates under way; `written` is what it was replaced by."""

    def __init__(self, *pending: tuple[str, str, Mapping[str, Any]]) -> None:
        super().__init__("acme")
        self.operations = [
            {
                "type": "creating",
                "resource": {
                    "urn": f"urn:pulumi:acme::gatehouse::{token}::{name}",
                    "type": token,
                    "inputs": inputs,
                },
            }
            for token, name, inputs in pending
        ]
        self.written: list[dict[str, Any]] = []

    def deployment(self) -> dict[str, Any]:
        return {"pending_operations": [*self.operations, {"type": "updating", "resource": {"urn": "x"}}]}

    def settings(self) -> Settings:
        return mocks.settings(domain="demo.example")

    def put(self, deployment: Mapping[str, Any]) -> None:
        self.written.append(dict(deployment))

    def imported(self) -> dict[str, str]:
        """What was taken into the state, by URN; no other create is under way any more."""
        (deployment,) = self.written
        assert [op["type"] for op in deployment["pending_operations"]] == ["updating"]
        return {resource["urn"]: resource["id"] for resource in deployment["resources"]}


@pytest.fixture(autouse=True)
def a_checkout_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupted_creates, "ROOT", tmp_path)


# Creates ------------------------------------------------------------------------------------------------------------


def test_nothing_under_way_runs_nothing() -> None:
    stack = Interrupted()
    assert interrupted_creates.resume_creates(stack) == interrupted_creates.HealResult()
    assert stack.written == []


def made(clouds: Clouds, *, labels: Mapping[str, str]) -> dict[str, str]:
    """One of each, made at Hetzner; the ids by the type that gatehouse makes them with."""
    hetzner, name, own = client_of(clouds), "gatehouse-acme", dict(labels)
    key = hetzner.ssh_keys.create(name=name, public_key=KEY, labels=own)
    firewall = hetzner.firewalls.create(name=name, labels=own).firewall
    from hcloud.images import Image
    from hcloud.locations import Location
    from hcloud.server_types import ServerType

    place = Location(name="nbg1")
    address = hetzner.primary_ips.create(
        name=f"{name}-ipv4", type="ipv4", location=place, auto_delete=False, labels=own
    ).primary_ip
    volume = hetzner.volumes.create(name=name, size=10, location=place, format="ext4", labels=own).volume
    server = hetzner.servers.create(
        name=name,
        server_type=ServerType(name="cx23"),
        image=Image(name="debian-12"),
        location=place,
        labels=own,
    ).server
    found = {"sshKey:SshKey": key, "firewall:Firewall": firewall, "primaryIp:PrimaryIp": address,
             "volume:Volume": volume, "server:Server": server}  # fmt: skip
    return {f"hcloud:index/{token}": str(each.id) for token, each in found.items()}


NAMES = {
    "hcloud:index/sshKey:SshKey": "gatehouse-acme",
    "hcloud:index/firewall:Firewall": "gatehouse-acme",
    "hcloud:index/primaryIp:PrimaryIp": "gatehouse-acme-ipv4",
    "hcloud:index/volume:Volume": "gatehouse-acme",
    "hcloud:index/server:Server": "gatehouse-acme",
}


def test_what_hetzner_has_made_is_taken_into_the_state(clouds: Clouds) -> None:
    ids = made(clouds, labels=LABELS)
    stack = Interrupted(*((token, "it", {"name": name, "labels": LABELS}) for token, name in NAMES.items()))
    healed = interrupted_creates.resume_creates(stack)
    assert {urn.split("::")[2]: number for urn, number in stack.imported().items()} == ids
    assert all("taken into the state" in note for note in healed.notes)
    assert "Server it: had been made by the interrupted run" in "\n".join(healed.notes)


def test_what_hetzner_has_not_made_is_made_again(clouds: Clouds) -> None:
    stack = Interrupted(*((token, "it", {"name": name, "labels": LABELS}) for token, name in NAMES.items()))
    healed = interrupted_creates.resume_creates(stack)
    assert stack.imported() == {}
    assert all("was about to be made" in note for note in healed.notes)


@pytest.mark.parametrize("token", NAMES)
def test_what_somebody_else_made_is_not_taken(clouds: Clouds, token: str) -> None:
    ids = made(clouds, labels={"team": "other"})
    stack = Interrupted((token, "it", {"name": NAMES[token], "labels": LABELS}))
    with pytest.raises(OperatorError) as refused:
        interrupted_creates.resume_creates(stack)
    assert f"named {NAMES[token]}" in refused.value.what
    assert f"id {ids[token]}" in refused.value.what
    assert "gatehouse=acme" in refused.value.remedy
    assert stack.written == []


def test_a_volume_that_hangs_on_a_server_is_attached(clouds: Clouds) -> None:
    ids = made(clouds, labels=LABELS)
    volume, server = ids["hcloud:index/volume:Volume"], ids["hcloud:index/server:Server"]
    token = "hcloud:index/volumeAttachment:VolumeAttachment"
    inputs = {"volumeId": float(volume), "serverId": float(server)}
    before = Interrupted((token, "data", inputs))
    interrupted_creates.resume_creates(before)
    assert before.imported() == {}

    hetzner = client_of(clouds)
    hetzner.volumes.get_by_id(int(volume)).attach(
        hetzner.servers.get_by_id(int(server))
    ).wait_until_finished()
    after = Interrupted((token, "data", inputs))
    interrupted_creates.resume_creates(after)
    assert list(after.imported().values()) == [volume]

    gone = Interrupted((token, "data", {"volumeId": 999999, "serverId": float(server)}))
    interrupted_creates.resume_creates(gone)
    assert gone.imported() == {}


@pytest.mark.parametrize("name", ["auth.demo.example", "auth"])
def test_a_record_is_found_by_name_type_and_content(clouds: Clouds, name: str) -> None:
    headers = {"Authorization": f"Bearer {clouds.tokens.cloudflare}"}
    with httpx.Client(base_url=clouds.cloudflare_base_url, headers=headers) as http:
        zone = http.get("/zones", params={"name": "demo.example"}).json()["result"][0]["id"]
        body = {"type": "A", "name": "auth.demo.example", "content": "203.0.113.10", "ttl": 300}
        made = http.post(f"/zones/{zone}/dns_records", json=body).json()["result"]["id"]
    token = "cloudflare:index/dnsRecord:DnsRecord"
    inputs = {"zoneId": zone, "name": name, "type": "A", "content": "203.0.113.10"}
    stack = Interrupted((token, "auth", inputs))
    interrupted_creates.resume_creates(stack)
    assert list(stack.imported().values()) == [made]
    for other in ({"content": "203.0.113.11"}, {"type": "AAAA"}, {"name": "www.demo.example"}):
        stack = Interrupted((token, "auth", {**inputs, **other}))
        interrupted_creates.resume_creates(stack)
        assert stack.imported() == {}


def test_objects_of_authentik_are_told_to_their_provider() -> None:
    stack = Interrupted(("pulumi-python:dynamic/authentik_core:group", "staff", {"name": "staff"}))
    healed = interrupted_creates.resume_creates(stack)
    assert stack.imported() == {}
    (urn,) = json.loads(healed.environment["GATEHOUSE_PENDING_CREATES"])
    assert urn.endswith("authentik_core:group::staff")


@pytest.mark.parametrize("there", [True, False])
def test_what_docker_began_is_removed(monkeypatch: pytest.MonkeyPatch, there: bool) -> None:
    asked: list[tuple[str, ...]] = []

    def answers(stack: Stack, client: str, kind: str, name: str) -> bool:
        asked.append((client, kind, name))
        return there

    monkeypatch.setattr(interrupted_creates, "remove_half_made", answers)
    stack = Interrupted(
        ("docker:index/container:Container", "postgres", {"name": "gatehouse-postgres"}),
        ("docker:index/network:Network", "network", {"name": "gatehouse"}),
    )
    healed = interrupted_creates.resume_creates(stack)
    assert stack.imported() == {}
    assert asked == [("acme", "container", "gatehouse-postgres"), ("acme", "network", "gatehouse")]
    assert ("removed, to be made again" in healed.notes[0]) is there


def test_what_was_under_way_is_known_until_a_run_has_ended() -> None:
    token = "pulumi-python:dynamic/authentik_core:group"
    first = interrupted_creates.resume_creates(Interrupted((token, "staff", {"name": "staff"}))).environment
    again = interrupted_creates.resume_creates(Interrupted((token, "board", {"name": "board"}))).environment
    assert len(json.loads(first[interrupted_creates.PENDING])) == 1
    assert len(json.loads(again[interrupted_creates.PENDING])) == 2
    assert (
        interrupted_creates.resume_creates(Interrupted()).environment == again
    )  # a third run has nothing pending, and still knows
    interrupted_creates.clear_pending(Stack("acme"))
    assert interrupted_creates.resume_creates(Interrupted()) == interrupted_creates.HealResult()


def test_a_cloud_that_does_not_answer_stops_the_healing(
    clouds: Clouds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HCLOUD_TOKEN", "x" * 64)
    stack = Interrupted(
        ("hcloud:index/server:Server", "server", {"name": "gatehouse-acme", "labels": LABELS})
    )
    with pytest.raises(OperatorError) as refused:
        interrupted_creates.resume_creates(stack)
    assert "refused GET /v1/servers (401 Unauthorized: " in refused.value.what
    assert "token" in refused.value.remedy
    assert stack.written == []
