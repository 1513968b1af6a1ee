"""The outside world as the operator's side meets it: APIs, DNS and servers, all inside its namespace."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.machine import Machines
from bench.tests.machine.conftest import Host, until
from bench.world import World

pytestmark = pytest.mark.box

_SERVER = """
import json, os, sys
from hcloud import Client
from hcloud.firewalls.domain import FirewallRule
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.server_types import ServerType
client = Client(os.environ["HCLOUD_TOKEN"], api_endpoint=os.environ["HCLOUD_ENDPOINT"], poll_interval=0.1)
everyone = ["0.0.0.0/0", "::/0"]
ssh = FirewallRule(direction="in", protocol="tcp", source_ips=everyone, port="22")
wall = client.firewalls.create("wall", rules=[ssh])
made = client.servers.create("from-api", ServerType("cx23"), Image(name="debian-12"), location=Location("nbg1"),
                             user_data=sys.stdin.read(), firewalls=[wall.firewall])
made.action.wait_until_finished()
for action in made.next_actions:
    action.wait_until_finished()
volume = client.volumes.create(10, "data", server=made.server, automount=True, format="ext4")
volume.action.wait_until_finished()
for action in volume.next_actions:
    action.wait_until_finished()
print(json.dumps([made.server.id, made.server.public_net.ipv4.ip, volume.volume.id]))
"""


def python(world: World, code: str, text: str = "") -> str:
    done = world.run([sys.executable, "-c", code], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return str(done.stdout)


def test_a_server_ordered_from_the_api_boots(world: World, machines: Machines, key: Path) -> None:
    public = key.with_suffix(".pub").read_text()
    ordered = python(world, _SERVER, f"#cloud-config\nssh_authorized_keys: ['{public.strip()}']\n")
    server, address, volume = json.loads(ordered)
    try:
        host = Host(world, server, address, key)
        until(host.answers, "ssh on the server")
        assert host.ssh("hostname").strip() == "from-api"
        assert host.ssh(f"findmnt -n -o TARGET /mnt/HC_Volume_{volume}").strip() == f"/mnt/HC_Volume_{volume}"
        host.ssh("systemd-run python3 -m http.server 80")
        assert not host.reachable(80)
        world.restart_clouds()
        assert host.answers()
        code = "import os, httpx; print(httpx.get(os.environ['HCLOUD_ENDPOINT'] + '/servers', headers="
        code += "{'Authorization': 'Bearer ' + os.environ['HCLOUD_TOKEN']}).json()['servers'][0]['status'])"
        assert python(world, code).strip() == "running"
        host.ssh("touch /root/kept; sync")
        world.stop()
        assert machines.state(server) == "off"
        world.start()
        until(host.answers, "ssh after the world came back")
        assert not host.reachable(80)
        host.ssh("ls /root/kept")
    finally:
        machines.destroy(server)


def test_names_are_those_of_the_bench_only(world: World) -> None:
    look_up = "import socket; print(socket.getaddrinfo({!r}, 443, socket.AF_INET)[0][4][0])"
    assert python(world, look_up.format("ghcr.io")).strip() == "203.0.113.1"
    gone = world.run([sys.executable, "-c", look_up.format("www.example.org")], capture_output=True)
    assert gone.returncode != 0


def test_nothing_of_it_shows_in_the_machines_own_network(world: World) -> None:
    assert world.running()
    shown = subprocess.run(["ip", "-brief", "address"], capture_output=True, text=True, check=True).stdout
    routes = subprocess.run(
        ["ip", "route", "show", "table", "all"], capture_output=True, text=True, check=True
    )
    assert "203.0.113." not in shown + routes.stdout


def test_the_operators_side_reaches_no_address_outside(world: World) -> None:
    code = "import socket; socket.create_connection(('192.0.2.1', 80), 1)"
    done = world.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "unreachable" in done.stderr
