"""Servers: what is created, started, stopped, changed and deleted."""

from __future__ import annotations

import re
import secrets
from typing import Any

from bench.clouds.hetzner import catalog, ips
from bench.clouds.hetzner.errors import ApiError, invalid, missing
from bench.clouds.hetzner.project import STEPS, Project, Work, labels, text
from bench.clouds.hetzner.views import action, addresses, server
from bench.clouds.store import Record

_HOSTNAME = re.compile(r"(?=.{1,253}$)[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?"
                       r"(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*")  # fmt: skip


def _check_name(body: Record) -> str:
    name = text(body, "name", 253)
    if not _HOSTNAME.fullmatch(name):
        raise invalid("name", "invalid hostname")
    return name


def server_type(value: Any) -> Record:
    """A server type by name or id, as a request gives it."""
    found = catalog.find(catalog.SERVER_TYPES, value)
    if found is None:
        raise invalid("server_type", f"server type {value} not found")
    return found


def image_for(value: Any, architecture: str) -> Record:
    """An image for an architecture, by name or id."""
    matching = [image for image in catalog.IMAGES if image["architecture"] == architecture]
    found = catalog.find(matching, value)
    if found is None:
        raise invalid("image", f"image {value} not found for architecture {architecture}")
    return found


def _place(body: Record, kind: Record, ip_places: set[str]) -> str:
    wanted = body.get("location")
    offered = [p["name"] for p in kind["locations"]]
    if wanted is None:
        wanted = next(iter(ip_places), offered[0])
    place = catalog.find(catalog.LOCATIONS, wanted)
    if place is None:
        raise invalid("location", f"location {wanted} not found")
    if place["name"] not in offered:
        raise invalid("location", f"unsupported location for server type {kind['name']}")
    if ip_places - {place["name"]}:
        raise invalid("public_net", "primary ip and server are in different locations")
    return str(place["name"])


def _given_ips(project: Project, net: Record) -> dict[str, Record]:
    """The primary IPs that the request names, free and of the right type."""
    found = {}
    for kind in ("ipv4", "ipv6"):
        if net.get(kind) is None:
            continue
        ip = project.get("primary_ips", net[kind])
        if ip["type"] != kind:
            raise invalid(f"public_net.{kind}", f"primary ip is not an {kind} address")
        if ip["assignee_id"] is not None:
            raise ApiError("primary_ip_already_assigned", "primary ip is already assigned")
        found[kind] = ip
    return found


def _keys(project: Project, wanted: list[Any]) -> list[int]:
    keys = list(project.all("ssh_keys").values())
    found = [next((k["id"] for k in keys if w in (k["id"], k["name"], str(k["id"]))), None) for w in wanted]
    lost = [str(w) for w, number in zip(wanted, found, strict=True) if number is None]
    if lost:
        raise missing("SSH key", lost[0])
    return [number for number in found if number is not None]


def create(project: Project, body: Record) -> Record:
    """POST /servers: made, given its addresses, firewalls and volumes, and started.

    As on the bench a box gets nothing but its user data, `ssh_keys` are checked but not installed.
    """
    name = _check_name(body)
    kind = server_type(body.get("server_type"))
    image = image_for(body.get("image"), kind["architecture"])
    given, keys = labels(body), _keys(project, body.get("ssh_keys") or [])
    user_data = body.get("user_data") or ""
    if len(user_data.encode()) > 32 * 1024:
        raise invalid("user_data", "must be at most 32 KiB")
    net = body.get("public_net") or {}
    named = _given_ips(project, net)
    place = _place(body, kind, {ip["location"] for ip in named.values()})
    firewalls = [project.get("firewalls", f["firewall"]) for f in body.get("firewalls") or []]
    volumes = [project.get("volumes", number) for number in body.get("volumes") or []]
    if any(v["server"] is not None for v in volumes):
        raise ApiError("volume_already_attached", "volume is already attached to a server")
    for refused in ("networks", "placement_group"):
        if body.get(refused):
            raise ApiError("unsupported_error", f"the bench has no {refused}")
    project.unique_name("servers", name)

    record = project.add(
        "servers",
        {
            "name": name,
            "status": "initializing",
            "server_type": kind["name"],
            "image": image["id"],
            "location": place,
            "labels": given,
            "ssh_keys": keys,
            "user_data": user_data,
            "protection": {"delete": False, "rebuild": False},
            "primary_disk_size": kind["disk"],
            "backup_window": None,
        },
    )
    number = record["id"]
    for version in ("ipv4", "ipv6"):
        if net.get(f"enable_{version}", True):
            ip = named.get(version) or ips.make(project, version, place, None, {}, auto_delete=True)
            ip["assignee_id"] = number
    for firewall in firewalls:
        firewall["applied_to"].append(number)

    first = project.act("create_server", ("server", number), work=[("build", [number])], queue=number,
                        exclusive=True)  # fmt: skip
    following = []
    for volume in volumes:
        volume["server"], volume["automount"] = number, bool(body.get("automount"))
        work: list[Work] = [("machine", ["attach_volume", number, volume["id"]])] * volume["automount"]
        resources = ("volume", volume["id"]), ("server", number)
        following.append(action(project.act("attach_volume", *resources, work=work, queue=number)))
    if body.get("start_after_create", True):
        following.append(start(project, record))
    reply = {"server": server(project, record), "action": action(first), "next_actions": following}
    return reply | {"root_password": None if keys else secrets.token_urlsafe(15)}


@STEPS.step
async def build(project: Project, number: int) -> None:
    """Make a server's machine: off, with its addresses and the rules of its firewalls."""
    record = project.get("servers", number)
    found = addresses(project, number)
    memory = int(server_type(record["server_type"])["memory"] * 1024)
    image = catalog.find(catalog.IMAGES, record["image"])
    own = [ips.own_address(found.get(kind)) for kind in ("ipv4", "ipv6")]
    arguments = [number, record["name"], record["user_data"], *own, memory, image and image["name"]]
    await STEPS["machine"](project, "create", *arguments)
    await STEPS["firewall_of"](project, number)
    record["status"] = "off"


@STEPS.step
async def forget(project: Project, number: int) -> None:
    """What goes with a server: its own addresses; others, volumes and firewalls become free."""
    for ip in list(project.all("primary_ips").values()):
        if ip["assignee_id"] == number:
            ip["assignee_id"] = None
            if ip["auto_delete"]:
                project.remove("primary_ips", ip["id"])
    for volume in project.all("volumes").values():
        if volume["server"] == number:
            volume["server"], volume["automount"] = None, False
    for firewall in project.all("firewalls").values():
        firewall["applied_to"] = [s for s in firewall["applied_to"] if s != number]
    project.remove("servers", number)


def update(project: Project, number: str, body: Record) -> Record:
    """PUT /servers/N: name and labels."""
    record = project.get("servers", number)
    if body.get("name") is not None:
        _check_name(body)
    project.rename("servers", record, body)
    return {"server": server(project, record)}


def delete(project: Project, number: str) -> Record:
    """DELETE /servers/N."""
    record = unlocked(project, number)
    if record["protection"]["delete"]:
        raise ApiError("protected", "server is delete protected")
    record["status"] = "deleting"
    shown = [v for v in project.all("volumes").values() if v["server"] == record["id"] and v["automount"]]
    work: list[Work] = [("machine", ["detach_volume", record["id"], v["id"]]) for v in shown]
    work += [("machine", ["destroy", record["id"]]), ("forget", [record["id"]])]
    return {"action": exclusive(project, record, "delete_server", work)}


def unlocked(project: Project, number: object) -> Record:
    """A server on which no exclusive action runs; else the API's 423."""
    record = project.get("servers", number)
    if project.locked("server", record["id"]):
        raise ApiError("locked", "server is locked, an action is running")
    return record


def exclusive(project: Project, record: Record, command: str, work: list[Work]) -> Record:
    """Begin an action that locks the server."""
    number = record["id"]
    return action(project.act(command, ("server", number), work=work, queue=number, exclusive=True))


def power_returns(project: Project) -> None:
    """Start the servers that ran when the bench was stopped, as a cloud's servers don't stop with it."""
    for record in project.all("servers").values():
        off = record["status"] == "running" and project.machines.state(record["id"]) == "off"
        if off and not project.locked("server", record["id"]):
            start(project, record)


def start(project: Project, record: Record) -> Record:
    """Begin to boot the server."""
    work: list[Work] = [("machine", ["power_on", record["id"]])]
    work.append(("mark", ["servers", record["id"], {"status": "running"}]))
    return exclusive(project, record, "start_server", work)
