"""Drives `python -m pulumi.dynamic` over gRPC, as the engine does: floats, dropped None, unknowns, the pickle."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import struct_pb2
from pulumi.dynamic import ConfigureRequest, ResourceProvider
from pulumi.dynamic.config import Config
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

ROOT = Path(__file__).parents[2]
UNKNOWN = rpc.UNKNOWN
_RUNS = itertools.count(1)
_LOOP = asyncio.new_event_loop()
"""One for all calls: a loop of its own for each costs as much as the call itself."""


class Plugin:
    """One running provider process."""

    def __init__(
        self, stub: Any, provider: ResourceProvider, config: Mapping[str, str], blob: str = ""
    ) -> None:
        self._stub = stub
        self._provider = provider
        self.config = config
        self.blob = blob or serialize_provider(provider)

    def later(self) -> Plugin:
        """A provider that knows nothing but what is on the server, like that of a later run, in the same process.

        `pulumi.dynamic` keeps one provider for each pickle that it has been shown, and configures it anew: a pickle
        that differs, in an attribute that nobody reads, is another provider. All that `components.objects` ever
        remembers (lists, what it claimed, deleted and noticed, its connection) hangs on the provider; what a process
        shares are the tables of the catalog, which no server has a part in, and tunnels, which are not used here.
        """
        provider = type(self._provider)()
        provider.run = next(_RUNS)  # type: ignore[attr-defined]
        # Not the SDK's own function: each call of it wraps pickle once more, which ends the recursion at 1,000 calls.
        blob = base64.b64encode(pickle.dumps(provider)).decode()
        return Plugin(self._stub, provider, self.config, blob)

    def check(self, news: Mapping[str, Any], olds: Mapping[str, Any] | None = None) -> dict[str, Any]:
        request = provider_pb2.CheckRequest(olds=self._struct(olds or {}), news=self._struct(news))
        answer = self._stub.Check(request)
        assert not answer.failures, answer.failures
        return _plain(answer.inputs)

    def failures(self, news: Mapping[str, Any]) -> list[tuple[str, str]]:
        request = provider_pb2.CheckRequest(olds=self._struct({}), news=self._struct(news))
        return [(each.property, each.reason) for each in self._stub.Check(request).failures]

    def diff(self, id_: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> tuple[bool, list[str]]:
        request = provider_pb2.DiffRequest(id=id_, olds=self._struct(olds), news=self._struct(news))
        answer = self._stub.Diff(request)
        assert answer.deleteBeforeReplace
        return answer.changes == provider_pb2.DiffResponse.DIFF_SOME, list(answer.replaces)

    def create(self, props: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        answer = self._stub.Create(provider_pb2.CreateRequest(properties=self._struct(props)))
        return answer.id, _plain(answer.properties)

    def read(self, id_: str, props: Mapping[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
        answer = self._stub.Read(provider_pb2.ReadRequest(id=id_, properties=self._struct(props)))
        return answer.id, _plain(answer.properties), _plain(answer.inputs)

    def update(self, id_: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, Any]:
        request = provider_pb2.UpdateRequest(id=id_, olds=self._struct(olds), news=self._struct(news))
        return _plain(self._stub.Update(request).properties)

    def delete(self, id_: str, props: Mapping[str, Any]) -> None:
        self._stub.Delete(provider_pb2.DeleteRequest(id=id_, properties=self._struct(props)))

    def _struct(self, props: Mapping[str, Any]) -> struct_pb2.Struct:
        return _LOOP.run_until_complete(rpc.serialize_properties({**props, "__provider": self.blob}, {}))


@contextmanager
def process(env: Mapping[str, str] | None = None) -> Iterator[tuple[grpc.Channel, Path]]:
    """Start a provider process, for one provider or for several after each other (`connected`, then `later`).

    The second of both is its folder, where it keeps notes of what it creates.
    """
    folder = tempfile.TemporaryDirectory()
    started = subprocess.Popen(
        [sys.executable, "-u", "-m", "pulumi.dynamic"],
        cwd=folder.name,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PULUMI_PROJECT": "gatehouse", **(env or {})},
        stdout=subprocess.PIPE,
    )
    try:
        assert started.stdout is not None
        port = int(started.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel, Path(folder.name)
    finally:
        started.kill()
        started.wait()
        folder.cleanup()


@contextmanager
def plugin(
    provider: ResourceProvider, config: Mapping[str, str], env: Mapping[str, str] | None = None
) -> Iterator[Plugin]:
    """Start a provider process with the explicit provider resource's values."""
    with process(env) as (channel, _):
        yield connected(channel, provider, config)


class Local:
    """The same calls without a process: as quick as it gets, with what the wire does to values."""

    def __init__(self, provider: ResourceProvider, config: Mapping[str, str]) -> None:
        named = {f"gatehouse:{name}": value for name, value in config.items()}
        provider.configure(ConfigureRequest(Config(named, "gatehouse")))
        self._provider = provider

    def diff(self, id_: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> tuple[bool, list[str]]:
        answer = self._provider.diff(id_, wire(olds), wire(news))
        return bool(answer.changes), list(answer.replaces or [])

    def read(self, id_: str, props: Mapping[str, Any]) -> tuple[str, dict[str, Any], dict[str, Any]]:
        answer = self._provider.read(id_, wire(props))
        return answer.id or "", wire(answer.outs), wire(answer.inputs or {})

    def update(self, id_: str, olds: Mapping[str, Any], news: Mapping[str, Any]) -> dict[str, Any]:
        outs: dict[str, Any] = wire(self._provider.update(id_, wire(olds), wire(news)).outs)
        return outs

    def delete(self, id_: str, props: Mapping[str, Any]) -> None:
        self._provider.delete(id_, wire(props))


@contextmanager
def local(provider: ResourceProvider, config: Mapping[str, str]) -> Iterator[Local]:
    """A provider that knows nothing but what is on the server, like one of a later run's process."""
    yield Local(provider, config)


def wire(props: Any) -> Any:
    """Properties as the engine passes them: whole numbers as floats, None dropped, no provider blob."""
    if isinstance(props, bool):
        return props
    if isinstance(props, int):
        return float(props)
    if isinstance(props, Mapping):
        return {
            name: wire(value) for name, value in props.items() if value is not None and name != "__provider"
        }
    return [wire(each) for each in props] if isinstance(props, list) else props


def connected(channel: grpc.Channel, provider: ResourceProvider, config: Mapping[str, str]) -> Plugin:
    """A provider process that runs already, configured."""
    stub = provider_pb2_grpc.ResourceProviderStub(channel)
    args = struct_pb2.Struct()
    args.update({f"gatehouse:{name}": value for name, value in config.items()})
    stub.Configure(provider_pb2.ConfigureRequest(args=args))
    return Plugin(stub, provider, config)


def pickled(provider: ResourceProvider) -> bytes:
    """What the state will hold for a provider."""
    return base64.b64decode(serialize_provider(provider))


def _plain(struct: struct_pb2.Struct) -> dict[str, Any]:
    """Properties as they are on the wire (unknowns as their mark), without the provider's blob."""
    plain = rpc.deserialize_properties(struct, keep_unknowns=True)
    return {name: value for name, value in plain.items() if name != "__provider"}
