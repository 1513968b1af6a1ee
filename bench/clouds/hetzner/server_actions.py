"""What can be done to a server that exists."""

from __future__ import annotations

from typing import Any

from bench.clouds.hetzner import ips, servers
from bench.clouds.hetzner.errors import ApiError, invalid
from bench.clouds.hetzner.project import Project, Work
from bench.clouds.hetzner.views import action
from bench.clouds.machines import Resizable
from bench.clouds.store import Record


def _power(command: str, call: str, status: str) -> Any:
    def handler(project: Project, number: str, body: Record) -> Record:
        del body
        record = servers.unlocked(project, number)
        work: list[Work] = [("machine", [call, record["id"]])]
        work.append(("mark", ["servers", record["id"], {"status": status}]))
        return {"action": servers.exclusive(project, record, command, work)}

    return handler


def change_type(project: Project, number: str, body: Record) -> Record:
    """Another type for a server that is off, which is started again afterwards."""
    record = servers.unlocked(project, number)
    kind = servers.server_type(body.get("server_type"))
    if record["status"] != "off":
        raise ApiError("server_not_stopped", "server must be powered off")
    if kind["disk"] < record["primary_disk_size"]:
        raise invalid("server_type", "the disk of the new type is smaller than the server's disk")
    if kind["architecture"] != servers.server_type(record["server_type"])["architecture"]:
        raise invalid("server_type", "the new type has another architecture")
    if record["location"] not in [p["name"] for p in kind["locations"]]:
        raise invalid("server_type", "server type is not available in the server's location")
    if not isinstance(project.machines, Resizable):
        raise ApiError("unsupported_error", "the bench's boxes cannot change their size")
    changes = {"server_type": kind["name"]}
    if body.get("upgrade_disk"):
        changes["primary_disk_size"] = kind["disk"]
    work: list[Work] = [("machine", ["set_memory", record["id"], int(kind["memory"] * 1024)])]
    work += [("mark", ["servers", record["id"], changes]), ("machine", ["power_on", record["id"]])]
    work.append(("mark", ["servers", record["id"], {"status": "running"}]))
    return {"action": servers.exclusive(project, record, "change_server_type", work)}


def rebuild(project: Project, number: str, body: Record) -> Record:
    """A fresh disk from an image, with the user data that the server was created with."""
    record = servers.unlocked(project, number)
    if record["protection"]["rebuild"]:
        raise ApiError("protected", "server is rebuild protected")
    image = servers.image_for(body.get("image"), servers.server_type(record["server_type"])["architecture"])
    record["image"], own = image["id"], record["id"]
    shown = [v["id"] for v in project.all("volumes").values() if v["server"] == own and v["automount"]]
    work: list[Work] = [("machine", ["detach_volume", own, v]) for v in shown]
    work += [("machine", ["destroy", own]), ("build", [own])]
    work += [("machine", ["attach_volume", own, v]) for v in shown]
    work += [("machine", ["power_on", own]), ("mark", ["servers", own, {"status": "running"}])]
    return {"action": servers.exclusive(project, record, "rebuild_server", work), "root_password": None}


def change_protection(project: Project, number: str, body: Record) -> Record:
    """Protection from deletion and rebuild, which the API wants alike."""
    record = project.get("servers", number)
    wanted = {k: bool(body.get(k, record["protection"][k])) for k in ("delete", "rebuild")}
    if wanted["delete"] != wanted["rebuild"]:
        raise invalid("rebuild", "delete and rebuild protection must have the same value")
    record["protection"] = wanted
    return {"action": action(project.act("change_protection", ("server", record["id"])))}


def _backup(command: str, window: str | None) -> Any:
    def handler(project: Project, number: str, body: Record) -> Record:
        """Only the setting: the bench copies no disks."""
        del body
        record = project.get("servers", number)
        record["backup_window"] = window
        return {"action": action(project.act(command, ("server", record["id"])))}

    return handler


ACTIONS = {
    "poweron": _power("start_server", "power_on", "running"),
    "poweroff": _power("stop_server", "power_off", "off"),
    "shutdown": _power("shutdown_server", "shutdown", "off"),
    "reboot": _power("reboot_server", "reboot", "running"),
    "reset": _power("reset_server", "reboot", "running"),
    "change_type": change_type,
    "rebuild": rebuild,
    "change_protection": change_protection,
    "enable_backup": _backup("enable_backup", "22-02"),
    "disable_backup": _backup("disable_backup", None),
    "change_dns_ptr": ips.change_server_ptr,
}
