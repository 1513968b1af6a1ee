"""How the objects look in replies."""

from __future__ import annotations

import ipaddress
from typing import Any

from bench.clouds.hetzner import catalog
from bench.clouds.hetzner.project import Project
from bench.clouds.store import Record


def action(record: Record) -> Record:
    """An action without the bench's own notes."""
    return {k: v for k, v in record.items() if k not in ("pending", "created")}


def ssh_key(record: Record) -> Record:
    """A key as stored."""
    return dict(record)


def location(name: str) -> Record:
    """A location by its name."""
    found = catalog.find(catalog.LOCATIONS, name)
    if found is None:
        raise KeyError(name)
    return found


def firewall(record: Record) -> Record:
    """A firewall, with the servers that it is applied to."""
    applied = [{"type": "server", "server": {"id": number}} for number in record["applied_to"]]
    return record | {"applied_to": applied}


def volume(record: Record) -> Record:
    """A volume, with the device that a server sees."""
    device = f"/dev/disk/by-id/scsi-0HC_Volume_{record['id']}"
    shown = {k: v for k, v in record.items() if k != "automount"}
    return shown | {"location": location(record["location"]), "linux_device": device}


def default_ptr(ip: str) -> str:
    """The name that an IPv4 address has before anybody gives it one."""
    return "static." + ".".join(reversed(ip.split("."))) + ".clients.your-server.de"


def _pointers(record: Record) -> list[Record]:
    named = dict(record["dns_ptr"])
    if record["type"] == "ipv4":
        named.setdefault(record["ip"], default_ptr(record["ip"]))
    return [{"ip": ip, "dns_ptr": name} for ip, name in named.items()]


def primary_ip(record: Record) -> Record:
    """A primary IP."""
    return record | {
        "dns_ptr": _pointers(record),
        "location": location(record["location"]),
        "assignee_type": "server",
        "blocked": False,
    }


def first_address(network: str) -> str:
    """The …::1 of a /64, which the server itself uses."""
    return str(ipaddress.ip_network(network)[1])


def addresses(project: Project, server_id: int) -> dict[str, Record]:
    """The primary IPs of a server, by type."""
    ips = project.all("primary_ips").values()
    return {ip["type"]: ip for ip in ips if ip["assignee_id"] == server_id}


def _public_net(project: Project, server_id: int) -> Record:
    found = addresses(project, server_id)
    net: dict[str, Any] = {"ipv4": None, "ipv6": None, "floating_ips": [], "firewalls": []}
    if "ipv4" in found:
        ip = found["ipv4"]
        pointer = _pointers(ip)[0]["dns_ptr"]
        net["ipv4"] = {"id": ip["id"], "ip": ip["ip"], "blocked": False, "dns_ptr": pointer}
    if "ipv6" in found:
        ip = found["ipv6"]
        net["ipv6"] = {"id": ip["id"], "ip": ip["ip"], "blocked": False, "dns_ptr": _pointers(ip)}
    net["firewalls"] = [
        {"id": f["id"], "status": "applied"}
        for f in project.all("firewalls").values()
        if server_id in f["applied_to"]
    ]
    return net


def status(project: Project, record: Record) -> str:
    """The server's state; one that was shut down from inside is off, whatever the API did last."""
    kept: str = record["status"]
    if kept == "running" and project.machines.state(record["id"]) != "running":
        return "off"
    return kept


def server(project: Project, record: Record) -> Record:
    """A server with all that hangs on it."""
    number = record["id"]
    kind = catalog.find(catalog.SERVER_TYPES, record["server_type"])
    volumes = [v["id"] for v in project.all("volumes").values() if v["server"] == number]
    return {
        "id": number,
        "name": record["name"],
        "status": status(project, record),
        "created": record["created"],
        "public_net": _public_net(project, number),
        "private_net": [],
        "server_type": kind,
        "location": location(record["location"]),
        "image": catalog.find(catalog.IMAGES, record["image"]),
        "iso": None,
        "rescue_enabled": False,
        "locked": project.locked("server", number),
        "backup_window": record.get("backup_window"),
        "outgoing_traffic": None,
        "ingoing_traffic": None,
        "included_traffic": kind and kind["included_traffic"],
        "protection": record["protection"],
        "labels": record["labels"],
        "volumes": volumes,
        "load_balancers": [],
        "primary_disk_size": record["primary_disk_size"],
        "placement_group": None,
    }
