"""The stand-ins for hcloud and cloudflare with the real engine and SDK, against the bench's clouds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bench.clouds.machines import NullMachines
from bench.clouds.serving import Clouds
from bench.clouds.testing import KEY, client_of, make
from bench.engine import ensure
from bench.tests.clouds.test_hetzner import Side
from bench.tests.engine.project import Project

pytestmark = pytest.mark.engine

PROGRAM = f"""
from __future__ import annotations
import os
import pulumi
import pulumi_hcloud as hcloud

config = pulumi.Config()
provider = hcloud.Provider("hcloud", token=config.require_secret("hetzner"), endpoint=config.require("endpoint"),
                           poll_interval="20ms")
with_hetzner = pulumi.ResourceOptions(provider=provider)
key = hcloud.SshKey("key", name="sam", public_key="{KEY}", opts=with_hetzner)
firewall = hcloud.Firewall("fw", name="gatehouse", opts=with_hetzner, rules=[
    {{"direction": "in", "protocol": "tcp", "port": "22", "source_ips": ["0.0.0.0/0", "::/0"]}},
    {{"direction": "in", "protocol": "icmp", "source_ips": ["0.0.0.0/0"]}},
])
address = hcloud.PrimaryIp("ip", name="front", type="ipv4", location="nbg1", auto_delete=False, opts=with_hetzner)
server = hcloud.Server(
    "server", name="box", server_type=os.environ.get("TYPE", "cx23"), image="debian-12", location="nbg1",
    ssh_keys=[key.id], firewall_ids=[firewall.id.apply(int)], labels={{"client": os.environ.get("LABEL", "acme")}},
    user_data=pulumi.Output.secret("#cloud-config\\n" + os.environ.get("MORE", "")),
    public_nets=[{{"ipv4_enabled": True, "ipv4": address.id.apply(int), "ipv6_enabled": False}}],
    opts=with_hetzner,
)
volume = hcloud.Volume("data", name="data", size=10, format="ext4", location="nbg1", opts=with_hetzner)
hcloud.VolumeAttachment("attachment", server_id=server.id.apply(int), volume_id=volume.id.apply(int), automount=True,
                        opts=with_hetzner)
hcloud.Rdns("rdns", primary_ip_id=address.id.apply(int), ip_address=address.ip_address,
            dns_ptr="auth.demo.example", opts=with_hetzner)

cloudflare = pulumi.ProviderResource("cloudflare", "cloudflare", {{
    "apiToken": config.require_secret("cloudflare"), "baseUrl": config.require("baseUrl"),
}})
zone = pulumi.runtime.invoke("cloudflare:index/getZone:getZone",
                             {{"filter": {{"name": "demo.example", "match": "all"}}}},
                             pulumi.InvokeOptions(provider=cloudflare)).value
pulumi.CustomResource("cloudflare:index/dnsRecord:DnsRecord", "auth", {{
    "zoneId": zone["id"], "name": "auth.demo.example", "type": "A", "content": address.ip_address, "ttl": 60,
    "proxied": False,
}}, pulumi.ResourceOptions(provider=cloudflare))
pulumi.export("ip", address.ip_address)
pulumi.export("memory", hcloud.get_server_type_output(name="cx23", opts=pulumi.InvokeOptions(provider=provider)).memory)
"""
EVERYTHING = {"ssh_keys": 1, "servers": 1, "firewalls": 1, "volumes": 1, "primary_ips": 1}


@pytest.fixture
def clouds(tmp_path: Path) -> Iterator[Clouds]:
    with make(tmp_path / "clouds", action_seconds=0.05).running() as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, clouds: Clouds) -> Project:
    made = Project.make(tmp_path, ensure(), {"__main__.py": PROGRAM})
    for name, value in (("endpoint", clouds.hetzner_endpoint), ("baseUrl", clouds.cloudflare_base_url)):
        made("config", "set", name, value)
    for name, value in (("hetzner", clouds.tokens.hetzner), ("cloudflare", clouds.tokens.cloudflare)):
        made("config", "set", "--secret", name, value)
    return made


def up(project: Project, *more: str, ok: bool = True, **variables: str) -> str:
    project.env.update({"TYPE": "cx23", "LABEL": "acme", "MORE": ""} | variables)
    return project("up", "--yes", "--skip-preview", "--suppress-progress", *more, ok=ok)


def counts(side: Side) -> dict[str, int]:
    return {kind: len(names) for kind, names in side("GET", "hetzner", "state").json().items()}


def test_a_box_comes_drifts_changes_and_goes(
    project: Project, clouds: Clouds, side: Side, cloudflare: httpx.Client
) -> None:
    preview = project("preview")
    assert "11 to create" in preview
    assert "warning" not in preview
    assert counts(side) == dict.fromkeys(EVERYTHING, 0)

    assert "11 created" in up(project)
    assert counts(side) == EVERYTHING
    machines, hetzner = clouds.machines, client_of(clouds)
    assert isinstance(machines, NullMachines)
    server = hetzner.servers.get_by_name("box")
    assert server is not None
    assert machines.user_data[server.id] == "#cloud-config\n"
    assert len(machines.attached) == 1
    assert clouds.tokens.hetzner not in str(project.state())
    assert "cloud-config" not in str(project.state())

    project("preview", "--expect-no-changes")
    project("refresh", "--yes", "--skip-preview", "--expect-no-changes")
    project("preview", "--expect-no-changes")

    server.update(labels={"client": "by-hand"})
    assert "labels" in project("preview", "--refresh", "--diff")
    assert "1 updated" in up(project, "--refresh")
    changed = up(project, "--diff", TYPE="cx33", LABEL="other")
    assert '"cx23" => "cx33"' in changed
    assert "1 updated" in changed
    now = hetzner.servers.get_by_id(server.id)
    assert (now.server_type.name, now.labels, now.status) == ("cx33", {"client": "other"}, "running")

    project("destroy", "--yes", "--skip-preview")
    assert counts(side) == dict.fromkeys(EVERYTHING, 0)
    assert side("GET", "cloudflare", "state").json() == {"demo.example": []}


def test_the_official_plugins_traps_are_there(project: Project, clouds: Clouds) -> None:
    up(project)
    hetzner = client_of(clouds)
    project.env["MORE"] = "\n"
    assert "2 to replace" in project("preview")  # a newline more: the server, and with it the attachment
    project.env["MORE"] = ""

    hetzner.ssh_keys.get_by_name("sam").delete()
    lost = project("preview", "--refresh", "--diff")
    assert "hcloud:index/server:Server: (replace)" in lost
    assert "sshKeys" in lost

    hetzner.servers.get_by_name("box").delete().wait_until_finished()
    assert "(not_found, " in project("destroy", "--yes", "--skip-preview", ok=False)
    project("refresh", "--yes", "--skip-preview")
    project("destroy", "--yes", "--skip-preview")


def test_trouble_of_the_clouds_is_survived_or_told(project: Project, clouds: Clouds, side: Side) -> None:
    side("POST", "hetzner", "faults", json={"method": "POST", "path": "/firewalls$", "status": 429})
    side(
        "POST",
        "cloudflare",
        "faults",
        json={"method": "POST", "status": 429, "headers": {"Retry-After": "0"}},
    )
    side("POST", "hetzner", "faults", json={"method": "POST", "path": "/volumes$", "status": 422})
    told = up(project, ok=False)
    assert "1 error occurred:" in told
    assert "(invalid_input, " in told
    side("POST", "hetzner", "faults", json={"action": "create_server", "message": "no capacity"})
    failed = up(project, ok=False)
    assert "no capacity (action_failed, " in failed
    assert project.resources()["server"]["initErrors"]
    client_of(clouds).servers.get_by_name("box").delete().wait_until_finished()
    up(project, "--refresh")
    assert counts(side) == EVERYTHING
    project("destroy", "--yes", "--skip-preview")
