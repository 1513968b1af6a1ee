"""Boxes boot as real servers do: with their user data, their volumes and their firewalls, and nothing else."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.clouds.machines import MachineError
from bench.figures import record
from bench.machine import Machines
from bench.tests.machine.conftest import Host, new_key, until
from bench.world import World

pytestmark = pytest.mark.box
SERVER, OTHER, VOLUME = 9001, 9002, 9101
ANYONE = ["0.0.0.0/0", "::/0"]


def user_data(key: Path, extra: str = "") -> str:
    public = key.with_suffix(".pub").read_text().strip()
    return f"#cloud-config\nssh_authorized_keys:\n  - {public}\n# ünïcode and a trailing blank \n{extra}"


@pytest.fixture(scope="module")
def host(world: World, machines: Machines, key: Path) -> Iterator[Host]:
    found = Host(world, SERVER, "203.0.113.201", key)
    began = time.monotonic()
    machines.create(SERVER, "acme-sso", user_data(key), found.address, "2001:db8:0:201::1", 2048, "debian-12")
    machines.create_volume(VOLUME, 10)
    machines.attach_volume(SERVER, VOLUME)
    assert machines.state(SERVER) == "off"
    machines.power_on(SERVER)
    until(found.answers, "ssh on the new box")
    record("machine", seconds_to_ssh=(round(time.monotonic() - began, 2), 5))
    yield found
    machines.destroy(SERVER)


def test_it_boots_with_exactly_its_user_data(host: Host, key: Path) -> None:
    assert host.ssh("cloud-init status --wait").strip(" .\n") == "status: done"
    assert host.ssh("cat /var/lib/cloud/instance/user-data.txt") == user_data(key)
    assert host.ssh("hostname").strip() == "acme-sso"
    assert host.ssh("cat /proc/1/comm").strip() == "systemd"
    assert 'NAME="Debian' in host.ssh("cat /etc/os-release")


def test_a_key_that_is_not_in_the_user_data_does_not_get_in(host: Host, tmp_path: Path) -> None:
    assert host.answers()
    stranger = Host(host.world, SERVER, host.address, new_key(tmp_path, "stranger"))
    assert not stranger.answers()


def test_it_has_both_addresses_and_only_them(host: Host) -> None:
    shown = host.ssh("ip -brief address show dev eth0")
    assert "203.0.113.201/32" in shown
    assert "2001:db8:0:201::1/64" in shown
    assert Host(host.world, SERVER, "2001:db8:0:201::1", host.key).answers()


def test_packages_come_through_the_proxy_and_nothing_else_does(host: Host) -> None:
    host.ssh("apt-get -qq update && apt-get -qq download hello && ls hello_*.deb")
    refused = host.ssh(
        "curl -sS -o /dev/null -w '%{http_code}' -x http://203.0.113.1:3142 http://example.org/"
    )
    assert refused.strip() == "403"
    assert host.ssh("getent hosts example.org", check=False) == ""
    assert host.ssh("ip route get 192.0.2.1 >/dev/null && curl -sS -m 3 http://192.0.2.1/", check=False) == ""


def test_the_firewall_is_enforced_outside_the_box(host: Host, machines: Machines) -> None:
    host.ssh("systemd-run --unit=listener python3 -m http.server 8081")
    until(lambda: host.reachable(8081), "port 8081 without a firewall", 10)
    ssh = {"direction": "in", "protocol": "tcp", "port": "22", "source_ips": ANYONE}
    wide = {"direction": "in", "protocol": "tcp", "port": "8080-8090", "source_ips": ["198.51.100.0/24"]}
    machines.set_firewall(SERVER, [ssh, wide])
    assert host.answers()
    assert not host.reachable(8081)
    assert "gatehouse" not in host.ssh("apt-get -qq install -y nftables >/dev/null; nft list ruleset")
    machines.set_firewall(SERVER, [ssh, {**wide, "source_ips": ["203.0.113.1/32"]}])
    assert host.reachable(8081)
    machines.set_firewall(SERVER, [])
    assert not host.answers()
    outward = {"direction": "out", "protocol": "tcp", "port": "443", "destination_ips": ANYONE}
    machines.set_firewall(SERVER, [ssh, outward])
    try_proxy = "curl -sS -m 2 -o /dev/null http://203.0.113.1:3142/ && echo through"
    assert host.ssh(try_proxy, check=False) == ""
    everything = [
        {"direction": "in", "protocol": p, "port": "any" if p != "icmp" else None, "source_ips": ANYONE}
        for p in ("tcp", "udp", "icmp")
    ]
    machines.set_firewall(SERVER, everything)
    assert host.ssh(try_proxy).strip() == "through"


def test_a_reboot_keeps_the_disk_and_runs_no_first_boot_again(host: Host, machines: Machines) -> None:
    host.ssh("touch /root/kept")
    before = host.ssh("cat /proc/sys/kernel/random/boot_id; stat -c %i /var/lib/cloud/instance/user-data.txt")
    machines.reboot(SERVER)
    assert machines.state(SERVER) == "running"
    seconds = until(host.answers, "ssh after a reboot")
    record("machine", seconds_to_ssh_after_reboot=(round(seconds, 2), 5))
    after = host.ssh("cat /proc/sys/kernel/random/boot_id; stat -c %i /var/lib/cloud/instance/user-data.txt")
    assert after.split()[0] != before.split()[0]
    assert after.split()[1] == before.split()[1]
    assert host.ssh("ls /root/kept; findmnt -n -o TARGET /mnt/HC_Volume_9101").split() == [
        "/root/kept",
        "/mnt/HC_Volume_9101",
    ]


def test_a_reboot_from_inside_works_too(host: Host, machines: Machines) -> None:
    before = host.ssh("cat /proc/sys/kernel/random/boot_id")
    host.ssh("systemctl reboot", check=False)
    until(
        lambda: host.ssh("cat /proc/sys/kernel/random/boot_id", check=False) not in ("", before),
        "another boot",
    )
    assert machines.state(SERVER) == "running"


def test_the_hardware_outlives_whoever_drives_it(host: Host, machines: Machines) -> None:
    again = Machines(machines.directory)
    assert again.state(SERVER) == "running"
    again.power_off(SERVER)
    assert machines.state(SERVER) == "off"
    assert not host.answers()
    machines.power_on(SERVER)
    until(host.answers, "ssh after the power came back")


def test_the_power_button_and_another_size(host: Host, machines: Machines) -> None:
    host.ssh("systemd-run --unit=last -p ExecStop='/bin/touch /root/stopped-cleanly' sleep 1000")
    machines.shutdown(SERVER)
    assert machines.state(SERVER) == "off"
    machines.set_memory(SERVER, 3072)
    machines.power_on(SERVER)
    until(host.answers, "ssh after the power button")
    host.ssh("ls /root/stopped-cleanly")
    limits = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null || true"
    assert int(host.ssh(limits).split()[0]) == 3072 << 20


def test_a_machine_that_was_half_made_is_made_again(machines: Machines) -> None:
    half = machines.directory / "servers" / str(OTHER) / "upper/var/lib/cloud/seed/nocloud"
    half.mkdir(parents=True)
    assert machines.state(OTHER) == "gone"
    machines.create(OTHER, "half", "#cloud-config\n", "203.0.113.202", None, 1024, "debian-12")
    assert machines.state(OTHER) == "off"
    with pytest.raises(MachineError, match="debian-12 only"):
        machines.create(OTHER, "half", "#cloud-config\n", "203.0.113.202", None, 1024, "ubuntu-24.04")
    machines.destroy(OTHER)
    machines.destroy(OTHER)
    assert machines.state(OTHER) == "gone"


def test_a_volume_comes_and_goes_and_outlives_its_server(host: Host, machines: Machines, key: Path) -> None:
    place = f"/mnt/HC_Volume_{VOLUME}"
    host.ssh(f"echo precious >{place}/data")
    machines.detach_volume(SERVER, VOLUME)
    assert host.ssh(f"findmnt {place}; ls {place}", check=False) == ""
    other = Host(host.world, OTHER, "203.0.113.202", key)
    machines.create(OTHER, "next", user_data(key), other.address, None, 1024, "debian-12")
    try:
        machines.power_on(OTHER)
        until(other.answers, "ssh on the second box")
        machines.attach_volume(OTHER, VOLUME)
        machines.attach_volume(OTHER, VOLUME)  # an interrupted call is made again
        assert other.ssh(f"cat {place}/data").strip() == "precious"
        reached = other.ssh("ping -c1 -W2 203.0.113.201 >/dev/null && echo between boxes")
        assert reached.strip() == "between boxes"
        machines.destroy(OTHER)
        assert machines.state(OTHER) == "gone"
        machines.create(OTHER, "next", user_data(key), other.address, None, 1024, "debian-12")
        machines.attach_volume(OTHER, VOLUME)
        machines.power_on(OTHER)
        until(other.answers, "ssh on the box made anew")
        assert other.ssh(f"cat {place}/data; mountpoint {place}").splitlines()[0] == "precious"
    finally:
        machines.destroy(OTHER)
    machines.destroy_volume(VOLUME)
    assert not (machines.directory / "volumes" / str(VOLUME)).exists()
