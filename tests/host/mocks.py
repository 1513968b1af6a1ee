"""Runs a piece of the program without an engine and gives what it would have registered, options included."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import pulumi
from pulumi.runtime import mocks, set_mocks
from pulumi.runtime.settings import ROOT

from components.secrets import Secrets
from components.settings import Settings, parse

ROOT_SECRET = "ghr1_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ sam@laptop"
SERVER_TYPE = {
    "memory": 4,
    "locations": [{"name": "nbg1", "available": True}, {"name": "hel1", "available": True}],
}


def settings(**more: Any) -> Settings:
    """Valid settings of a client called acme with `more` in YAML's names; None takes a setting away."""
    raw: dict[str, Any] = {
        "client": "acme",
        "domain": "acme.example",
        "rootSecret": root_secret(),
        "server": {"type": "cx23", "location": "nbg1"},
        "operators": [{"name": "sam", "email": "Sam@agency.example", "sshKey": KEY}],
        "authentik": {"version": "2026.8.3"},
        "groups": ["staff"],
        **more,
    }
    return parse({key: value for key, value in raw.items() if value is not None})


def root_secret() -> str:
    """A root secret that is the same in every run."""
    from components.secrets import _checksum

    return ROOT_SECRET + _checksum(ROOT_SECRET)


def secrets() -> Secrets:
    """What is derived from it."""
    return Secrets(root_secret())


@dataclass(frozen=True)
class Registered:
    """One resource as the engine would have been told of it. `secret` has the names of its secret inputs."""

    type: str
    name: str
    inputs: dict[str, Any]
    secret: frozenset[str]
    request: Any

    @property
    def text(self) -> str:
        """Everything in its inputs that is not secret."""
        return json.dumps({k: v for k, v in self.inputs.items() if k not in self.secret}, default=str)


SECRET = "4dabf18193072939515e22adb298388d"  # the SDK's own mark
MARK = "1b47061264138c4ac30d75fd1eb44270"


class _Monitor(mocks.MockMonitor):
    def __init__(self, world: mocks.Mocks) -> None:
        super().__init__(world)
        self.requests: list[Any] = []

    def RegisterResource(self, request: Any) -> Any:
        self.requests.append(request)
        return super().RegisterResource(request)


class _Refusal(grpc.RpcError):
    """How the engine passes on a look-up that failed."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        return str(self.args[0])


class World(mocks.Mocks):
    """Cloud and Docker: ids by name, a few outputs, and answers to look-ups that a test may change.

    An answer that is a text is a refusal in these words.

    At preview nothing exists yet, so that ids and what a server gives are unknown.
    """

    def __init__(self, answers: Mapping[str, Any] | None = None, *, preview: bool = False) -> None:
        self.preview = preview
        self.answers = {
            "hcloud:index/getServerType:getServerType": SERVER_TYPE,
            "cloudflare:index/getZone:getZone": {"zoneId": "zone1"},
            # What the state has; a client that was never up has nothing in it.
            "pulumi:pulumi:readStackResourceOutputs": {"outputs": {}},
            **(answers or {}),
        }
        self.calls: list[tuple[str, Any]] = []

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        self.calls.append((args.token, args.args))
        answer = self.answers[args.token]
        if isinstance(answer, str):
            raise _Refusal(answer)
        return answer

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        outputs = dict(args.inputs)
        if self.preview and not args.typ.startswith("pulumi:"):
            return None, outputs
        if args.typ == "hcloud:index/primaryIp:PrimaryIp":
            outputs["ipAddress"] = "203.0.113.10" if args.inputs["type"] == "ipv4" else "2001:db8:1:2::"
        if args.typ == "docker:index/remoteImage:RemoteImage":
            outputs["imageId"] = f"sha256:{args.name}"
        return str(zlib.crc32(f"{args.typ} {args.name}".encode())), outputs


def run(
    program: Callable[[], Any], *, preview: bool = False, answers: Mapping[str, Any] | None = None
) -> list[Registered]:
    """What `program` registers, at `up` or at preview."""
    world = World(answers, preview=preview)
    monitor = _Monitor(world)
    # The root resource of an earlier run belongs to that run's event loop.
    loop = asyncio.new_event_loop()
    loop.set_exception_handler(
        lambda *_: None
    )  # of a program that fails, the first error is the one that counts
    asyncio.set_event_loop(loop)
    ROOT.set(None)
    set_mocks(world, project="gatehouse", stack="acme", preview=preview, monitor=monitor)
    try:
        pulumi.runtime.test(lambda: (program(), None)[1])()
    finally:
        loop.close()
    return [_registered(request) for request in monitor.requests]


def _registered(request: Any) -> Registered:
    from google.protobuf.json_format import MessageToDict

    raw = MessageToDict(request.object)
    secret = {key for key, value in raw.items() if isinstance(value, dict) and value.get(SECRET) == MARK}
    return Registered(
        request.type, request.name, {k: _plain(v) for k, v in raw.items()}, frozenset(secret), request
    )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return (
            _plain(value["value"]) if value.get(SECRET) == MARK else {k: _plain(v) for k, v in value.items()}
        )
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
