"""What a killed run leaves behind, and how the next one settles it before it starts.

A run that was killed leaves a lock (the file backend's), and creates that were sent but whose answer was
never recorded (`pending_operations` in the state). Each pending create either made its object or did not;
which one is asked of whoever holds it, by the object's own name. What is found is imported into the state
under the id that it has; a container or network, which can be made again from nothing, is removed; an object of
authentik or NPM is taken over by the dynamic provider, which is told that its create was under way
(GATEHOUSE_PENDING_CREATES).
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from components.access import ssh_command
from operations.clouds import cloudflare, hetzner
from operations.errors import OperatorError
from operations.stack import Stack

PENDING = "GATEHOUSE_PENDING_CREATES"


@dataclass(frozen=True)
class Healed:
    """What was settled: words for the operator, and what the run has to be told."""

    notes: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def heal(stack: Stack, say: Callable[[str], None]) -> Healed:
    """Settle what a killed run of this stack left, as far as this machine can know it. `say` gets Pulumi's words.

    Raises:
        OperatorError: the stack is locked by a run that is alive, or by another machine.
    """
    notes = [note for note in [clear_dead_lock(stack)] if note]
    pending = pending_creates(stack)
    if not pending:
        return Healed(tuple(notes))
    settings = stack.settings()
    found: list[str] = []
    for operation in pending:
        urn, token = operation["resource"]["urn"], operation["resource"]["type"]
        label = f"{token.split(':')[-1]} {urn.split('::')[-1]}"
        finder = FINDERS.get(token)
        inputs = operation["resource"].get("inputs", {})
        identity = finder(inputs, settings) if finder else None
        if identity:
            found += ["--import-pending-creates", urn, "--import-pending-creates", identity]
            notes.append(f"{label}: had been made by the interrupted run; taken into the state")
        elif token in DOCKER and remove_half_made(stack, settings.client, DOCKER[token], str(inputs["name"])):
            notes.append(f"{label}: had been made by the interrupted run; removed, to be made again")
        else:
            notes.append(f"{label}: was about to be made by the interrupted run")
    stack.pulumi(
        "refresh",
        "--yes",
        "--skip-preview",
        "--run-program",
        "--clear-pending-creates",
        *found,
        on_output=say,
    )
    urns = [operation["resource"]["urn"] for operation in pending]
    return Healed(tuple(notes), {PENDING: json.dumps(urns)})


def clear_dead_lock(stack: Stack) -> str | None:
    """Free the stack if the run that locked it is dead; words for the operator if so.

    Raises:
        OperatorError: that run is alive, or was started on another machine.
    """
    directory = stack.state_directory
    if directory is None:
        return None
    locks = directory / ".pulumi" / "locks" / "organization" / "gatehouse" / stack.name
    freed = None
    for path in sorted(locks.glob("*.json")):
        lock = json.loads(path.read_text())
        holder = (
            f"{lock['username']}@{lock['hostname']}, process {lock['pid']}, since {lock['timestamp'][:19]}"
        )
        if lock["hostname"] != socket.gethostname():
            raise OperatorError(
                f"Stack {stack.name} is locked by a run on another machine ({holder}).",
                "If that run is dead, run there: pulumi cancel --stack " + stack.name,
            )
        if is_engine(int(lock["pid"])):
            raise OperatorError(
                f"Stack {stack.name} is locked by a run that is alive ({holder}).",
                "Wait until it ends; two runs at once would undo each other's work.",
            )
        path.unlink()
        freed = f"The lock of a run that is dead ({holder}) was removed."
    return freed


def is_engine(pid: int) -> bool:
    """Whether this process id is a living `pulumi` (ids are used again, so the name is looked at too)."""
    try:
        # "pid (name) state …": a zombie, which a container without an init may keep for ever, is dead.
        name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
        return "pulumi" in name and not rest.strip().startswith(("Z", "X"))
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return False
    try:  # no /proc: macOS
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def pending_creates(stack: Stack) -> list[dict[str, Any]]:
    """The creates in the state whose outcome was never recorded."""
    return [op for op in stack.deployment().get("pending_operations") or [] if op["type"] == "creating"]


Finder = Callable[[Mapping[str, Any], Any], "str | None"]


def by_name(path: str) -> Finder:
    """A finder of a Hetzner object by its name, which is unique in a project."""

    def find(inputs: Mapping[str, Any], settings: Any) -> str | None:
        with hetzner(settings) as client:
            answer = client.get(path, params={"name": inputs["name"]}).raise_for_status().json()
        return next((str(item["id"]) for item in answer[path]), None)

    return find


def volume_attachment(inputs: Mapping[str, Any], settings: Any) -> str | None:
    """An attachment is known by its volume; it exists when that volume is on a server."""
    with hetzner(settings) as client:
        answer = client.get(f"volumes/{int(inputs['volumeId'])}")
    if answer.status_code == httpx.codes.NOT_FOUND:
        return None
    return str(int(inputs["volumeId"])) if answer.raise_for_status().json()["volume"]["server"] else None


def dns_record(inputs: Mapping[str, Any], settings: Any) -> str | None:
    """A DNS record by its zone, type, name and content."""
    zone, name = inputs["zoneId"], inputs["name"]
    full = name if name.endswith(settings.domain) else f"{name}.{settings.domain}"
    with cloudflare(settings) as client:
        answer = client.get(f"zones/{zone}/dns_records", params={"type": inputs["type"], "name": full})
    for record in answer.raise_for_status().json()["result"]:
        if record["content"] == inputs.get("content"):
            return f"{zone}/{record['id']}"
    return None


def remove_half_made(stack: Stack, client: str, kind: str, name: str) -> bool:
    """Remove a container or network that the interrupted run made on the box; whether there was one."""
    providers = [r for r in stack.deployment().get("resources", []) if r["type"] == "pulumi:providers:docker"]
    if not providers:
        return False
    box = urlsplit(str(providers[0]["inputs"]["host"]))
    ssh = [*ssh_command(client), "-p", str(box.port or 22), str(box.hostname), "docker", kind]
    for command in (
        ["inspect", "--format", "{{.Id}}", name],
        ["rm", *(["--force"] if kind == "container" else []), name],
    ):
        run = subprocess.run([*ssh, *command], capture_output=True, text=True, timeout=120, check=False)
        if run.returncode:
            return False
    return True


# On the box's Docker: half-made, and made again from nothing, since all data are on the volume.
DOCKER = {"docker:index/container:Container": "container", "docker:index/network:Network": "network"}
FINDERS: dict[str, Finder] = {
    "hcloud:index/sshKey:SshKey": by_name("ssh_keys"),
    "hcloud:index/firewall:Firewall": by_name("firewalls"),
    "hcloud:index/primaryIp:PrimaryIp": by_name("primary_ips"),
    "hcloud:index/volume:Volume": by_name("volumes"),
    "hcloud:index/server:Server": by_name("servers"),
    "hcloud:index/volumeAttachment:VolumeAttachment": volume_attachment,
    "cloudflare:index/dnsRecord:DnsRecord": dns_record,
}
