"""The hcloud plugin's recordings, replayed in order against the bench's Hetzner, which keeps its state between.

Three calls do not agree, and should not: a server's status after a change of type (the recording's API did not
start it again, Hetzner does), a reverse name that was lost by hand (that API then showed none, Hetzner shows its
default), and the one reply in which that API crashed.

What was done by hand during the recording, and the errors that its API was told to give, happen here too,
before the first call of the case that needs them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.clouds.hetzner.project import Project
from bench.clouds.serving import Clouds
from bench.clouds.watch import Fault
from bench.plugins.hcloud import Hcloud
from bench.plugins.hcloud.bridged import bare
from bench.plugins.values import Values
from bench.tests.plugins.recordings import Recorded, lines
from bench.tests.plugins.replay import Replay

TOKEN = "0123456789abcdef" * 4
KINDS = {
    "sshKey": "ssh_keys",
    "server": "servers",
    "firewall": "firewalls",
    "volume": "volumes",
    "primaryIp": "primary_ips",
}
Change = Callable[[Project], None]


def _set(kind: str, number: int, **fields: Any) -> Change:
    return lambda project: project.get(kind, number).update(fields)


def _gone(*objects: tuple[str, int]) -> Change:
    def change(project: Project) -> None:
        for kind, number in objects:
            project.remove(kind, number)
            for firewall in project.all("firewalls").values():
                firewall["applied_to"] = [
                    s for s in firewall["applied_to"] if (kind, s) != ("servers", number)
                ]

    return change


def _all(*changes: Change) -> Change:
    def change(project: Project) -> None:
        for one in changes:
            one(project)

    return change


def _fault(**fields: Any) -> Change:
    def change(project: Project) -> None:
        project.faults.ordered.clear()
        project.faults.ordered.append(Fault(**fields))

    return change


def _key_error(status: int, code: str, message: str, details: Values | None = None, times: int = 1) -> Change:
    fields = {"status": status, "code": code, "message": message, "details": details, "times": times}
    return _fault(method="POST", path="/ssh_keys", **fields)


def _server_error(status: int, code: str, message: str, details: Values | None = None) -> Change:
    return _fault(method="POST", path="/servers", status=status, code=code, message=message, details=details)


def _invalid(name: str, *messages: str) -> Values:
    return {"fields": [{"name": name, "messages": list(messages)}]}


HANDS: dict[str, Change] = {
    # The recording's API left a server off after a change of type; Hetzner starts it again, as the bench does.
    "update-fw-rules": _set("servers", 2002, status="off"),
    "hand-label-refresh": _all(
        _set("ssh_keys", 1001, labels={"env": "hand"}), _set("servers", 2002, labels={"env": "hand"})
    ),
    "hand-poweroff-refresh": _set("servers", 2002, status="off"),
    "hand-delete-refresh-preview": _all(
        _gone(("ssh_keys", 1001)),
        _set("servers", 2002, status="running"),
        _set("firewalls", 3002, applied_to=[]),
        _set("volumes", 4001, server=None),
        _set("primary_ips", 5001, dns_ptr={}),
    ),
    "hand-delete-server-refresh": _gone(("servers", 2001)),
    "error-update-gone-volume": _gone(("volumes", 4001)),
    "error-key-invalid-input": _key_error(
        422, "invalid_input", "invalid input in field 'public_key'",
        _invalid("public_key", "Invalid SSH key", "second message"),
    ),
    "error-key-uniqueness": _key_error(409, "uniqueness_error", "SSH key not unique"),
    "error-key-unauthorized": _key_error(401, "unauthorized", "unable to authenticate"),
    "error-key-forbidden-limit": _key_error(403, "resource_limit_exceeded", "project limit exceeded"),
    "error-key-500": _key_error(500, "service_error", "internal"),
    "error-key-503-html": _fault(method="POST", path="/ssh_keys", status=503, text="<html>down</html>"),
    "retry-429-then-ok": _key_error(429, "rate_limit_exceeded", "limit of 3600 requests per hour reached", times=2),
    "retry-conflict-then-ok": _key_error(409, "conflict", "conflict, try again"),
    "error-server-invalid-input": _server_error(
        422, "invalid_input", "invalid input in field 'name'", _invalid("name", "invalid hostname")
    ),
    "error-server-uniqueness": _server_error(409, "uniqueness_error", "server name is already used"),
    "error-server-limit": _server_error(403, "resource_limit_exceeded", "server limit exceeded"),
    "error-server-resource-unavailable": _server_error(412, "resource_unavailable", "error during placement"),
    "error-server-action-failed": _all(
        _fault(action="create_server", code="action_failed", message="Action failed"),
        lambda project: project.data["next"].update(actions=9053),
    ),
    "hand-location-refresh": _set("servers", 2007, location="nbg1"),
    "hand-location-refresh-back": _set("servers", 2007, location="fsn1"),
    "image-null-refresh": _set("servers", 2007, image=None),
    "error-destroy-all-gone": _gone(
        ("servers", 2007), ("primary_ips", 5008), ("ssh_keys", 1007), ("firewalls", 3004)
    ),
    "error-destroy-firewall-gone": _gone(("firewalls", 3006)),
}  # fmt: skip


class World:
    """One emulator for all calls, brought forward to the case of each."""

    def __init__(self) -> None:
        self.cases = list(dict.fromkeys(line["case"] for line in lines("hcloud") if "case" in line))
        self.at = -1
        self.stack = ExitStack()
        directory = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.clouds = Clouds(directory, action_seconds=0, correlation_id=lambda: "fakecorrelationid")
        self.clouds.tokens = replace(self.clouds.tokens, hetzner=TOKEN)
        self.stack.enter_context(self.clouds.running())

    def reach(self, case: str) -> None:
        """Do what was done by hand up to the beginning of `case`."""
        while self.cases[max(self.at, 0)] != case or self.at < 0:
            self.at += 1
            hand = HANDS.get(self.cases[self.at])
            if hand is not None:
                hand(self.clouds.project)


WORLDS: list[World] = []


@contextmanager
def world(call: Recorded) -> Iterator[Hcloud]:
    """A provider configured for the emulator, in which the next object gets the recorded id."""
    provider = Hcloud()
    if call.method in ("Configure", "CheckConfig"):
        tokens = {"error-no-token": "", "error-short-token": "short"}
        provider.environment = {"HCLOUD_TOKEN": tokens.get(call.case, TOKEN)}
        yield provider
        return
    if not WORLDS:
        WORLDS.append(World())
    this = WORLDS[0]
    this.reach(call.case)
    kind = KINDS.get(call.token.rpartition("/")[2].partition(":")[0])
    if call.method == "Create" and kind and call.response and call.response["id"].isdecimal():
        this.clouds.project.data["next"][kind] = int(call.response["id"])
    endpoint = this.clouds.hetzner_endpoint
    if call.case == "error-connection-refused":
        endpoint = "http://127.0.0.1:1/v1"
    provider.configure({"token": TOKEN, "endpoint": endpoint, "pollInterval": "5ms"})
    provider.client._client._retry_interval_func = lambda retries: 0.0  # no second to wait in a test
    yield provider


def normal(call: Recorded, reply: Values) -> Values:
    """Rules are a set, in which the plugin's order is that of a hash, and an empty text is as good as none."""
    if call.method == "Read" and not reply.get("id"):
        return {}  # gone: the older and the newer resources say it differently, the engine hears the same
    if call.method == "Read":  # 1.43.0, which was recorded, leaves the notes on defaults out; 1.43.3 has them
        reply = {**reply, "inputs": bare(reply.get("inputs", {}))}
    properties = reply.get("properties", {})
    if isinstance(properties.get("rules"), list):
        rules = [{k: "" if v is None else v for k, v in rule.items()} for rule in properties["rules"]]
        properties = {**properties, "rules": sorted(rules, key=str)}
        reply = {**reply, "properties": properties}
    inputs = reply.get("inputs", {})
    if call.method == "Read" and isinstance(inputs.get("rules"), list):
        rules = sorted(inputs["rules"], key=lambda rule: repr(sorted(rule.items(), key=str)))
        reply = {**reply, "inputs": {**inputs, "rules": rules}}
    return reply


REPLAY = Replay(
    plugin="hcloud",
    provider=Hcloud,
    tokens=(*Hcloud.resources, "pulumi:providers:hcloud"),
    world=world,
    normal=normal,
)
