"""What refuses to be destroyed, and how that is lifted: for all of a client, or for the one server that is made anew.

There are two protections, both set by `gatehouse:protect`: the engine's, which lies in the state, and Hetzner's own,
which its plugin does not lift before it deletes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from components.settings import check_file
from operations.clouds import HETZNER, checked
from operations.interrupted_creates import SERVER
from operations.stack import Stack, translate_errors

PROTECTED = {
    SERVER: ("servers", {"delete": False, "rebuild": False}),
    "hcloud:index/volume:Volume": ("volumes", {"delete": False}),
    "hcloud:index/primaryIp:PrimaryIp": ("primary_ips", {"delete": False}),
}
IGNORE = {"PULUMI_OPTION_IGNORE_PROTECT": "true"}
"""The engine's `--ignore-protect`, for which the Automation API has no word."""


@dataclass(frozen=True)
class Rebuild:
    """A server that the stack file wants made anew. `protected`: it is, or was until the file was edited."""

    server: Mapping[str, Any]
    wanted: int
    protected: bool

    def __str__(self) -> str:
        known = self.server.get("outputs", {})
        name, address = known.get("name", "the server"), known.get("ipv4Address", "no address")
        return (
            f"gatehouse:rebuild is {self.wanted}, and the server that there is was made with "
            f"{self.server['replacementTrigger']:g}: {name} (id {self.server['id']}, {address}) will be deleted and "
            f"made anew{', although it is protected' if self.protected else ''}, and with it its own disk and all "
            f"containers; nobody can log in meanwhile. What stays: the volume with all data, the addresses, the DNS "
            f"records and what is declared in authentik. Drift on the box and in authentik waits for the next up."
        )


def rebuild(stack: Stack) -> Rebuild | None:
    """The server that `up` would replace by another; None where it replaces none.

    Nothing is contacted but the state's backend, and not even that for a client without a server.
    """
    settings = check_file(stack.file)
    if settings.server is None:
        return None
    for resource in stack.deployment().get("resources", []):
        # Without a trigger in the state, the engine replaces nothing.
        trigger = resource.get("replacementTrigger")
        if resource["type"] == SERVER and trigger not in (None, settings.rebuild):
            protected = settings.protect or bool(resource.get("protect"))
            return Rebuild(resource, settings.rebuild, protected)
    return None


def prepare_replacement(stack: Stack, found: Rebuild) -> None:
    """Prepare the state for the replacement: ask the clouds what there is, and lift the old server's protection alone.

    The engine forgets that a server is to be replaced when it runs the program while it refreshes (pulumi 3.274 takes
    the new trigger into the state), and what runs on the box is about to go, or does not answer any more: so only what
    can be asked without the box is refreshed, before the run and without the program. The new server is protected
    from the start; a run that ends before it has replaced the old one leaves that open until the next `up`.
    """
    if found.protected:
        lift_at_hetzner(stack, [found.server])
        stack.pulumi("state", "unprotect", str(found.server["urn"]), "--yes")
    refresh_clouds(stack)


def refresh_clouds(stack: Stack) -> None:
    """Refresh what can be asked without the box, without the program."""
    targets = [
        each["urn"]
        for each in stack.deployment().get("resources", [])
        if each["type"].startswith(("hcloud:", "cloudflare:"))
    ]
    with translate_errors(heard=False):
        stack.automation.refresh(target=targets)


def lift_at_hetzner(stack: Stack, resources: Iterable[Mapping[str, Any]]) -> None:
    """Lift Hetzner's own protection of those of the resources that have one."""
    ours = [resource for resource in resources if resource["type"] in PROTECTED]
    if not ours:
        return
    with HETZNER.client(stack.settings()) as api:
        for resource in ours:
            path, body = PROTECTED[resource["type"]]
            answer = api.post(f"{path}/{resource['id']}/actions/change_protection", json=body)
            if answer.status_code != httpx.codes.NOT_FOUND:  # deleted by hand: the refresh will notice
                checked(answer)
