"""What the stand-ins for hcloud and cloudflare do beyond the recordings, asked call by call against the clouds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.clouds.serving import Clouds
from bench.clouds.testing import KEY, client_of, make
from bench.clouds.watch import Fault
from bench.plugins.base import Failed, Provider
from bench.plugins.cloudflare import Cloudflare
from bench.plugins.hcloud import Hcloud, seconds
from bench.plugins.values import UNKNOWN, Values


class Stack:
    """A provider, and what the engine would know of each resource."""

    def __init__(self, provider: Provider, tokens: dict[str, str]) -> None:
        self.provider, self.tokens = provider, tokens
        self.ids: dict[str, str] = {}
        self.inputs: dict[str, Values] = {}
        self.outputs: dict[str, Values] = {}
        self.preview = False

    def urn(self, kind: str) -> str:
        return f"urn:pulumi:dev::test::{self.tokens[kind]}::{kind}"

    def check(self, kind: str, **news: Any) -> Values:
        request = {"urn": self.urn(kind), "olds": self.inputs.get(kind, {}), "news": news}
        return self.provider.call("Check", request)

    def create(self, kind: str, **news: Any) -> Values:
        checked = self.check(kind, **news)
        assert "failures" not in checked, checked
        request = {"urn": self.urn(kind), "properties": checked["inputs"], "preview": self.preview}
        reply = self.provider.call("Create", request)
        self.ids[kind], self.inputs[kind] = reply.get("id", ""), checked["inputs"]
        self.outputs[kind] = reply["properties"]
        return self.outputs[kind]

    def diff(self, kind: str, **changes: Any) -> Values:
        return self.provider.call("Diff", self._update(kind, changes))

    def _update(self, kind: str, changes: Values) -> Values:
        news = {k: v for k, v in {**self.inputs[kind], **changes}.items() if v is not None}
        checked = self.check(kind, **{k: v for k, v in news.items() if k != "__defaults"})["inputs"]
        olds, inputs = self.outputs[kind], self.inputs[kind]
        urn = {"urn": self.urn(kind), "id": self.ids[kind]}
        return {**urn, "olds": olds, "news": checked, "oldInputs": inputs, "preview": self.preview}

    def update(self, kind: str, **changes: Any) -> Values:
        """Change what `diff` must first find, afterwards nothing is left to change."""
        assert self.diff(kind, **changes)["changes"] == "DIFF_SOME"
        request = self._update(kind, changes)
        properties: Values = self.provider.call("Update", request)["properties"]
        if not self.preview:
            self.inputs[kind], self.outputs[kind] = request["news"], properties
            assert self.diff(kind)["changes"] == "DIFF_NONE"
        return properties

    def read(self, kind: str) -> Values:
        request = {"urn": self.urn(kind), "id": self.ids[kind], "properties": self.outputs.get(kind, {}),
                   "inputs": self.inputs.get(kind, {})}  # fmt: skip
        return self.provider.call("Read", request)

    def delete(self, kind: str) -> None:
        request = {"urn": self.urn(kind), "id": self.ids[kind], "properties": self.outputs[kind]}
        self.provider.call("Delete", request)


@pytest.fixture
def clouds(tmp_path: Path) -> Iterator[Clouds]:
    with make(tmp_path).running() as running:
        yield running


@pytest.fixture
def hcloud(clouds: Clouds) -> Stack:
    provider = Hcloud()
    provider.configure(
        {"token": clouds.tokens.hetzner, "endpoint": clouds.hetzner_endpoint, "pollInterval": "5ms"}
    )
    return Stack(provider, {token.rpartition(":")[2].lower(): token for token in Hcloud.resources})


@pytest.fixture
def cloudflare(clouds: Clouds) -> Stack:
    provider = Cloudflare()
    provider.patience = 0
    provider.configure({"apiToken": clouds.tokens.cloudflare, "baseUrl": clouds.cloudflare_base_url})
    return Stack(provider, {token.rpartition(":")[2].lower(): token for token in Cloudflare.resources})


def invoke(stack: Stack, function: str, **arguments: Any) -> Values:
    token = next(token for token in stack.provider.functions if token.endswith(f":{function}"))
    found: Values = stack.provider.call("Invoke", {"tok": token, "args": arguments})["return"]
    return found


def server(hcloud: Stack, **more: Any) -> Values:
    return hcloud.create("server", name="box", serverType="cx23", image="debian-12", location="nbg1", **more)


# --- hcloud


def test_look_ups(hcloud: Stack) -> None:
    kind = invoke(hcloud, "getServerType", name="cx23")
    assert (kind["memory"], kind["id"], kind["isDeprecated"]) == (4, 114, False)
    assert {place["name"]: place["available"] for place in kind["locations"]}["nbg1"] is True
    assert invoke(hcloud, "getServerType", id=114)["name"] == "cx23"
    assert invoke(hcloud, "getLocation", name="hel1")["networkZone"] == "eu-central"
    assert invoke(hcloud, "getImage", name="debian-12", withArchitecture="arm")["architecture"] == "arm"
    for function, arguments, told in (
        ("getServerType", {"name": "cx99"}, 'Resource (server type) was not found: name="cx99"'),
        ("getLocation", {"id": 99}, "Resource (location) was not found: id=99"),
        ("getImage", {"name": "debian-1"}, "Resource (image) was not found"),
        ("getImage", {"withSelector": "a=b"}, "by id or name only"),
        ("getServerType", {}, "specify an id or a name"),
    ):
        with pytest.raises(Failed) as error:
            invoke(hcloud, function, **arguments)
        assert told in str(error.value)


def test_settings_of_the_provider() -> None:
    assert [seconds(text) for text in ("500ms", "1s", "1m30s")] == [0.5, 1.0, 90.0]
    with pytest.raises(Failed, match="invalid duration"):
        seconds("fast")
    provider = Hcloud()
    provider.environment = {}
    short = provider.call("CheckConfig", {"urn": "u", "news": {"token": "x" * 63}})
    assert "exactly 64 characters" in short["failures"][0]["reason"]
    assert "failures" not in provider.call("CheckConfig", {"urn": "u", "news": {"token": UNKNOWN}})
    with pytest.raises(Failed, match="Missing Hetzner Cloud API token"):
        provider.configure({})


def test_inputs_are_checked(hcloud: Stack) -> None:
    named = hcloud.check("volume", size=10, location="nbg1")["inputs"]
    assert named["name"].startswith("volume-")
    assert len(named["name"]) == len("volume-") + 7
    assert named["__defaults"] == ["name"]
    assert hcloud.check("sshkey", publicKey=KEY)["inputs"]["name"].startswith("sshkey-")
    for kind, inputs, told in (
        ("volume", {"name": "v"}, 'The argument "size" is required'),
        ("volume", {"name": "v", "size": 10, "colour": "red"}, "Invalid or unknown key"),
        ("sshkey", {"name": "k"}, "Missing required property 'publicKey'"),
        ("server", {"name": "s", "serverType": "cx23", "labels": {"a b": "c"}}, "label key 'a b'"),
        ("primaryip", {"type": "ipv4", "name": "p"}, "Exactly one of these attributes must be configured"),
        ("rdns", {"dnsPtr": "a", "ipAddress": "b"}, "Exactly one of these attributes must be configured"),
    ):
        assert told in hcloud.check(kind, **inputs)["failures"][0]["reason"]
    with pytest.raises(Failed, match="knows no server's networks"):
        hcloud.check("server", serverType="cx23", networks=[{"networkId": 1}])


def test_a_servers_addresses_change(hcloud: Stack, clouds: Clouds) -> None:
    hcloud.create("primaryip", name="front", type="ipv4", location="nbg1", autoDelete=False)
    front = int(hcloud.ids["primaryip"])
    made = server(hcloud)
    assert made["ipv4Address"] == "203.0.113.11"
    api = client_of(clouds)
    changed = hcloud.update("server", publicNets=[{"ipv4": front, "ipv4Enabled": True, "ipv6Enabled": False}])
    assert (changed["ipv4Address"], changed["ipv6Address"], changed["status"]) == (
        "203.0.113.10",
        "",
        "running",
    )
    assert [ip.name for ip in api.primary_ips.get_all()] == ["front"]
    back = hcloud.update("server", publicNets=[{"ipv4": front, "ipv4Enabled": True, "ipv6Enabled": True}])
    assert back["ipv6Address"].endswith("::1")
    hcloud.delete("server")
    assert [(ip.name, ip.assignee_id) for ip in api.primary_ips.get_all()] == [("front", None)]


def test_a_servers_settings_change(hcloud: Stack, clouds: Clouds) -> None:
    hcloud.create("firewall", name="fw", rules=[])
    number = int(hcloud.ids["firewall"])
    server(hcloud, firewallIds=[], backups=True, shutdownBeforeDeletion=True, keepDisk=True)
    assert hcloud.outputs["server"]["backups"] is True
    assert hcloud.update("server", firewallIds=[number])["firewallIds"] == [number]
    assert hcloud.read("server")["inputs"]["firewallIds"] == [number]
    assert hcloud.update("server", firewallIds=[])["firewallIds"] == []
    assert hcloud.update("server", backups=False)["backups"] is False
    bigger = hcloud.update("server", serverType="cx33")
    assert (bigger["serverType"], bigger["primaryDiskSize"]) == ("cx33", 40)
    hcloud.preview = True
    assert hcloud.update("server", name="other")["name"] == "other"
    hcloud.preview = False
    assert client_of(clouds).servers.get_by_name("box") is not None
    hcloud.delete("server")
    calls = [call for call, _ in clouds.machines.calls]  # type: ignore[attr-defined]
    assert calls[-2:] == ["shutdown", "destroy"]


def test_what_replaces_a_server(hcloud: Stack) -> None:
    server(hcloud, userData="#cloud-config\n")
    for change in (
        {"userData": "#cloud-config\n\n"},
        {"userData": None},
        {"image": "debian-13"},
        {"location": "hel1"},
        {"sshKeys": ["1001"]},
    ):
        found = hcloud.diff("server", **change)
        assert found["replaces"] == list(change)
        assert found["deleteBeforeReplace"] is True
    unknown = hcloud.diff("server", publicNets=[{"ipv4": UNKNOWN}])
    assert unknown["diffs"] == ["publicNets"]
    assert "replaces" not in unknown


def test_volumes_move_and_addresses_are_given(hcloud: Stack, clouds: Clouds) -> None:
    server(hcloud)
    number = int(hcloud.ids["server"])
    made = hcloud.create("volume", name="data", size=10, format="ext4", serverId=number, automount=True)
    assert (made["serverId"], made["location"]) == (number, "nbg1")
    hcloud.delete("volume")
    assert client_of(clouds).volumes.get_all() == []
    hcloud.create("volume", name="data", size=10, format="ext4", location="nbg1", deleteProtection=True)
    assert hcloud.update("volume", serverId=number, automount=True)["serverId"] == number
    with pytest.raises(Failed, match="delete protected"):
        hcloud.delete("volume")
    hcloud.update("volume", deleteProtection=False)
    hcloud.delete("volume")
    hcloud.create("primaryip", name="p", type="ipv6", location="nbg1")
    assert hcloud.outputs["primaryip"]["ipNetwork"].endswith("/64")
    client_of(clouds).servers.get_by_id(number).delete().wait_until_finished()
    assert hcloud.update("primaryip", name="q", autoDelete=True, deleteProtection=True)["name"] == "q"
    with pytest.raises(Failed, match="primary ip is delete protected"):
        hcloud.delete("primaryip")


def test_reading_what_the_program_did_not_make(hcloud: Stack) -> None:
    server(hcloud, labels={"a": "b"}, userData="#cloud-config\n")
    hcloud.create("volume", name="data", size=10, format="ext4", location="nbg1")
    for kind in ("server", "volume"):
        hcloud.inputs.pop(kind)
        hcloud.outputs.pop(kind)
    assert hcloud.read("server")["inputs"]["name"] == "box"
    assert hcloud.read("volume")["inputs"]["format"] == "ext4"


def test_deleting_what_is_gone(hcloud: Stack, clouds: Clouds) -> None:
    hcloud.create("sshkey", name="k", publicKey=KEY)
    hcloud.create("primaryip", name="p", type="ipv4", location="nbg1")
    hcloud.create("volume", name="v", size=10, location="nbg1")
    hcloud.create("firewall", name="f", rules=[])
    server(hcloud)
    clouds.project.data.update(ssh_keys={}, primary_ips={}, volumes={}, firewalls={}, servers={})
    for kind in ("sshkey", "primaryip", "volume"):
        hcloud.delete(kind)
    for kind, told in (("firewall", "EOF"), ("server", "not_found")):
        with pytest.raises(Failed, match=told):
            hcloud.delete(kind)
        assert "id" not in hcloud.read(kind)


def test_a_dead_api_is_told(hcloud: Stack) -> None:
    hcloud.provider.configure({"token": "x" * 64, "endpoint": "http://127.0.0.1:1/v1"})
    with pytest.raises(Failed, match=r"dial tcp 127\.0\.0\.1:1: connect: connection refused"):
        server(hcloud)


# --- cloudflare


def record(stack: Stack, **more: Any) -> Values:
    zone = invoke(stack, "getZone", filter={"name": "demo.example", "match": "all"})["zoneId"]
    fields = {"name": "auth", "type": "A", "content": "203.0.113.10", "ttl": 60}
    return stack.create("dnsrecord", zoneId=zone, **(fields | more))


def test_a_dead_cloudflare_is_tried_eleven_times(cloudflare: Stack, clouds: Clouds) -> None:
    clouds.cloudflare_faults.ordered.append(Fault(status=503, times=10))
    assert record(cloudflare)["name"] == "auth"
    clouds.cloudflare_faults.ordered.append(Fault(status=502, times=11))
    with pytest.raises(Failed, match="502 Bad Gateway"):
        cloudflare.read("dnsrecord")
    cloudflare.provider.configure({"apiToken": "x" * 40, "baseUrl": "http://127.0.0.1:1/client/v4"})
    with pytest.raises(Failed, match=r'GET "http://127\.0\.0\.1:1/client/v4/zones/.*Connection refused'):
        cloudflare.read("dnsrecord")


def test_a_false_success_counts(cloudflare: Stack, clouds: Clouds) -> None:
    clouds.cloudflare_faults.ordered.append(Fault(method="POST", status=200))
    record(cloudflare)
    assert cloudflare.ids["dnsrecord"] == "{<nil>}"
    with pytest.raises(Failed, match="404 Not Found"):
        cloudflare.delete("dnsrecord")


def test_names_and_imports(cloudflare: Stack) -> None:
    record(cloudflare, comment="by gatehouse")
    number, zone = cloudflare.ids["dnsrecord"], cloudflare.inputs["dnsrecord"]["zoneId"]
    cloudflare.outputs["dnsrecord"] = cloudflare.read("dnsrecord")["properties"]
    assert cloudflare.outputs["dnsrecord"]["name"] == "auth.demo.example"
    assert cloudflare.diff("dnsrecord")["changes"] == "DIFF_NONE"
    assert cloudflare.diff("dnsrecord", name="Auth.demo.example")["diffs"] == ["modifiedOn", "name"]
    assert cloudflare.diff("dnsrecord", zoneId="0" * 32)["replaces"] == ["zoneId"]
    fresh = Stack(cloudflare.provider, cloudflare.tokens)
    fresh.ids["dnsrecord"] = f"{zone}/{number}"
    found = fresh.read("dnsrecord")
    assert (found["id"], found["inputs"]["comment"]) == (number, "by gatehouse")
    assert "failures" in cloudflare.check("dnsrecord", name="a")
