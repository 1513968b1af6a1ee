"""What a killed run leaves behind, and how the next one settles it before it starts.

A run that was killed leaves a lock (see `operations.backend`), and creates that were sent but whose answer was
never recorded (`pending_operations` in the state). Each pending create either made its object or did not;
which one is asked of whoever holds it, by the object's own name. What is found is imported into the state
under the id that it has; a container or network, which can be made again from nothing, is removed; an object of
authentik or NPM is taken over by the dynamic provider, which is told that its create was under way
(GATEHOUSE_PENDING_CREATES). Which creates those were is kept beside the client's keys until a run has come to its
end, since the run that heals may be killed as well.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import tenacity

from components.objects.journal import read_creates
from components.objects.state import META
from components.ssh import ssh_command
from operations.clouds import CLOUDFLARE, HETZNER, HETZNER_LISTS, checked
from operations.errors import OperatorError
from operations.stack import ROOT, Stack

PENDING = "GATEHOUSE_PENDING_CREATES"
SERVER = "hcloud:index/server:Server"
PATIENCE = 300.0  # seconds that Hetzner may take to finish a server; usually ten


@dataclass(frozen=True)
class HealResult:
    """What was settled: words for the operator, and what the run has to be told."""

    notes: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


def resume_creates(stack: Stack) -> HealResult:
    """Settle the creates that a killed run of this stack began. What is taken into the state is to be refreshed.

    Raises:
        OperatorError: whether one was carried out cannot be found out, or what is there is not ours.
    """
    pending = pending_creates(stack)
    urns = read_pending(stack) | {operation["resource"]["urn"] for operation in pending}
    told = {PENDING: json.dumps(sorted(urns))} if urns else {}
    if not pending:
        return HealResult((), told)
    write_pending(stack, urns)
    notes: list[str] = []
    settings = stack.settings()
    found: dict[str, str] = {}
    for operation in pending:
        urn, token = operation["resource"]["urn"], operation["resource"]["type"]
        label = f"{token.split(':')[-1]} {urn.split('::')[-1]}"
        finder = FINDERS.get(token)
        inputs = operation["resource"].get("inputs", {})
        identity = finder(inputs, settings) if finder else None
        if identity:
            found[urn] = identity
            notes.append(f"{label}: had been made by the interrupted run; taken into the state")
        elif token in DOCKER and remove_half_made(stack, settings.client, DOCKER[token], str(inputs["name"])):
            notes.append(f"{label}: had been made by the interrupted run; removed, to be made again")
        else:
            notes.append(f"{label}: was about to be made by the interrupted run")
    import_creates(stack, found)
    return HealResult(tuple(notes), told)


def import_creates(stack: Stack, found: Mapping[str, str]) -> None:
    """Take what was found into the state, by URN and id, and forget every other create that was under way.

    The engine's own `refresh --import-pending-creates` imports nothing when it runs the program (pulumi 3.274): it
    marks the operation, and the next run creates once more. What is recorded of the operation is the whole resource
    but for its id and outputs, and outputs are what the refresh after this reads.
    """
    deployment = stack.deployment()
    operations = deployment.pop("pending_operations", [])
    deployment["pending_operations"] = [op for op in operations if op["type"] != "creating"]
    taken = {
        urn: {**op["resource"], "id": found[urn], "outputs": outputs(op["resource"])}
        for op in operations
        if op["type"] == "creating" and (urn := op["resource"]["urn"]) in found
    }
    # What was being replaced is still there, as one that is gone: the new one takes its place, before what needs it.
    resources = [
        taken.pop(each["urn"]) if each.get("pendingReplacement") and each["urn"] in taken else each
        for each in deployment.get("resources", [])
    ]
    deployment["resources"] = [*resources, *taken.values()]
    stack.put(deployment)


def outputs(resource: Mapping[str, Any]) -> dict[str, Any]:
    """What the state says of a resource until it is refreshed: its inputs, in the form that the state has them in.

    Hetzner's plugin gives a server addresses that differ from the state's by cutting its power, even where the
    state only leaves out what says nothing; a server that is just booting for the first time would not survive that.
    """
    kept: dict[str, Any] = without_notes(resource.get("inputs", {}))
    if resource["type"] == SERVER and kept.get("publicNets"):
        whole = {"ipv4": 0, "ipv4Enabled": True, "ipv6": 0, "ipv6Enabled": True}
        kept["publicNets"] = [whole | net for net in kept["publicNets"]]
    return kept


def without_notes(value: Any) -> Any:
    """A value without what the engine's bridge notes in inputs (`__defaults`)."""
    if isinstance(value, dict):
        return {name: without_notes(inner) for name, inner in value.items() if name != "__defaults"}
    return [without_notes(inner) for inner in value] if isinstance(value, list) else value


def pending_file(stack: Stack) -> Path:
    """Where it is kept which creates were under way."""
    return ROOT / ".gatehouse" / stack.name / "pending.json"


def read_pending(stack: Stack) -> set[str]:
    """The URNs of creates that a killed run began, and that no run since has come to its end with."""
    return set(json.loads(pending_file(stack).read_text())) if pending_file(stack).exists() else set()


def write_pending(stack: Stack, urns: set[str]) -> None:
    """Keep them; nobody else has to read which objects there are."""
    file = pending_file(stack)
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = file.with_suffix(".new")
    new.write_text(json.dumps(sorted(urns)))
    new.replace(file)


def clear_pending(stack: Stack) -> list[str]:
    """A run has come to its end: all that had been begun is settled. Words about what nobody wants any more."""
    pending_file(stack).unlink(missing_ok=True)
    noted = list(read_creates(ROOT / ".gatehouse", stack.name))
    if not noted:
        return []
    metas = (each.get("inputs", {}).get(META) for each in stack.deployment().get("resources", []))
    there = {(meta["kind"], meta["logical"]) for meta in metas if meta}
    words = []
    for file, note in noted:
        if note["stack"] and (note["kind"], note["logical"]) not in there:
            words.append(
                f"{note['kind']} {note['called']!r}: an earlier run may have made it ({note['time'][:16]}) before it "
                f"broke off, and the stack file does not have it any more. Look at {note['where']}, and delete it "
                f"there if it is not needed."
            )
        file.unlink(missing_ok=True)
    return words


def pending_creates(stack: Stack) -> list[dict[str, Any]]:
    """The creates in the state whose outcome was never recorded."""
    return [op for op in stack.deployment().get("pending_operations") or [] if op["type"] == "creating"]


Finder = Callable[[Mapping[str, Any], Any], "str | None"]


def by_name(path: str) -> Finder:
    """A finder of a Hetzner object by its name, which is unique in a project, and our labels, which prove it ours."""

    # What is still being made takes no orders ("server is locked, an action is running"): wait for it.
    @tenacity.retry(
        retry=tenacity.retry_if_result(lambda found: any(item.get("locked") for item in found)),
        wait=tenacity.wait_fixed(1),
        stop=tenacity.stop_after_delay(PATIENCE),
        retry_error_callback=lambda state: state.outcome and state.outcome.result(),
    )
    def look(client: httpx.Client, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = checked(client.get(path, params={"name": name}))[path]
        return found

    def find(inputs: Mapping[str, Any], settings: Any) -> str | None:
        with HETZNER.client(settings) as client:
            found = look(client, str(inputs["name"]))
        for item in found:
            if inputs.get("labels", {}).items() <= item["labels"].items():
                return str(item["id"])
            raise OperatorError(
                f"Hetzner has something named {inputs['name']} among its {path} (id {item['id']}), without the "
                f"labels that gatehouse gives what it makes.",
                "If it is not of this client, rename or delete it; else give it the labels "
                + ", ".join(f"{key}={value}" for key, value in inputs.get("labels", {}).items())
                + ". Then run the command again.",
            )
        return None

    return find


def volume_attachment(inputs: Mapping[str, Any], settings: Any) -> str | None:
    """An attachment is known by its volume; it exists when that volume is on a server."""
    with HETZNER.client(settings) as client:
        answer = client.get(f"volumes/{int(inputs['volumeId'])}")
    if answer.status_code == httpx.codes.NOT_FOUND:
        return None
    return str(int(inputs["volumeId"])) if checked(answer)["volume"]["server"] else None


def dns_record(inputs: Mapping[str, Any], settings: Any) -> str | None:
    """A DNS record by its zone, type, name and content."""
    zone, name = inputs["zoneId"], inputs["name"]
    full = name if f".{name}".endswith(f".{settings.domain}") else f"{name}.{settings.domain}"
    with CLOUDFLARE.client(settings) as client:
        answer = client.get(f"zones/{zone}/dns_records", params={"type": inputs["type"], "name": full})
    for record in checked(answer)["result"]:
        if record["content"] == inputs.get("content"):
            return str(record["id"])
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
    **{type_: by_name(kind) for type_, kind in HETZNER_LISTS.items()},
    "hcloud:index/volumeAttachment:VolumeAttachment": volume_attachment,
    "cloudflare:index/dnsRecord:DnsRecord": dns_record,
}
