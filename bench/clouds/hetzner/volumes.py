"""Volumes."""

from __future__ import annotations

from typing import Any

from bench.clouds.hetzner import catalog
from bench.clouds.hetzner.errors import ApiError, invalid
from bench.clouds.hetzner.project import Project, Work, labels, text
from bench.clouds.hetzner.views import action, volume
from bench.clouds.machines import NullMachines
from bench.clouds.store import Record


def _size(value: Any, least: int) -> int:
    if not isinstance(value, int) or not 10 <= value <= 10240:
        raise invalid("size", "must be between 10 and 10240")
    if value <= least:
        raise invalid("size", "must be larger than current size")
    return value


def create(project: Project, body: Record) -> Record:
    """POST /volumes, in a location or for a server, formatted with ext4 when asked for."""
    name, size, given = text(body, "name"), _size(body.get("size"), 0), labels(body)
    wanted, server_id = body.get("format"), body.get("server")
    if wanted not in (None, "ext4", "xfs"):
        raise invalid("format", "must be ext4 or xfs")
    if wanted == "xfs" and not isinstance(project.machines, NullMachines):
        raise ApiError("unsupported_error", "the bench's volumes are ext4")
    if body.get("automount") and not wanted and not isinstance(project.machines, NullMachines):
        raise invalid("automount", "a volume without a format cannot be mounted")
    project.unique_name("volumes", name)
    place = catalog.find(catalog.LOCATIONS, body.get("location"))
    if server_id is not None:
        server = project.get("servers", server_id)
        place = catalog.find(catalog.LOCATIONS, server["location"])
    elif body.get("automount"):
        raise invalid("automount", "a server is needed to mount the volume")
    if place is None:
        raise invalid("location", "a location or a server is needed")
    record = {
        "name": name,
        "size": size,
        "format": wanted,
        "labels": given,
        "location": place["name"],
        "server": None,
        "automount": False,
        "status": "creating",
        "protection": {"delete": False},
    }
    record = project.add("volumes", record)
    number = record["id"]
    work: list[Work] = [("machine", ["create_volume", number, size])]
    work.append(("mark", ["volumes", number, {"status": "available"}]))
    done = action(project.act("create_volume", ("volume", number), work=work, queue=number))
    next_actions = []
    if server_id is not None:
        next_actions = [_attach(project, record, server_id, bool(body.get("automount")))]
    return {"volume": volume(record), "action": done, "next_actions": next_actions}


def delete(project: Project, number: str) -> None:
    """DELETE /volumes/N: not while it is protected or attached."""
    record = project.get("volumes", number)
    if record["protection"]["delete"]:
        raise ApiError("protected", "volume is delete protected")
    if record["server"] is not None:
        raise ApiError("resource_in_use", "volume is still attached to a server")
    project.remove("volumes", record["id"])
    work: list[Work] = [("machine", ["destroy_volume", record["id"]])]
    project.act("delete_volume", ("volume", record["id"]), work=work, queue=record["id"])


def _attach(project: Project, record: Record, server_id: int, automount: bool) -> Record:
    record["server"], record["automount"] = server_id, automount
    work: list[Work] = [("machine", ["attach_volume", server_id, record["id"]])] if automount else []
    resources = ("volume", record["id"]), ("server", server_id)
    # One queue for all of the volume: its file system is made before it is mounted.
    return action(project.act("attach_volume", *resources, work=work, queue=record["id"]))


def attach(project: Project, number: str, body: Record) -> Record:
    """Attach to a server of the same location; without automount the machine doesn't show it."""
    record = project.get("volumes", number)
    server = project.get("servers", body.get("server"))
    if record["server"] is not None:
        raise ApiError("volume_already_attached", "volume is already attached to a server")
    if record["location"] != server["location"]:
        raise invalid("server", "server and volume are in different locations")
    return {"action": _attach(project, record, server["id"], bool(body.get("automount")))}


def detach(project: Project, number: str, body: Record) -> Record:
    """Take it out of its server."""
    del body
    record = project.get("volumes", number)
    if record["server"] is None:
        raise ApiError("conflict", "volume is not attached", status=422)
    server, shown = record["server"], record["automount"]
    record["server"], record["automount"] = None, False
    work: list[Work] = [("machine", ["detach_volume", server, record["id"]])] if shown else []
    resources = ("volume", record["id"]), ("server", server)
    return {"action": action(project.act("detach_volume", *resources, work=work, queue=record["id"]))}


def resize(project: Project, number: str, body: Record) -> Record:
    """Make it larger. The bench's disks are as large as their files need: only the number changes."""
    record = project.get("volumes", number)
    record["size"] = _size(body.get("size"), record["size"])
    return {"action": action(project.act("resize_volume", ("volume", record["id"]), queue=record["id"]))}


def change_protection(project: Project, number: str, body: Record) -> Record:
    """Delete protection on or off."""
    record = project.get("volumes", number)
    record["protection"] = {"delete": bool(body.get("delete", record["protection"]["delete"]))}
    return {"action": action(project.act("change_protection", ("volume", record["id"])))}
