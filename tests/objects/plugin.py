"""Drives `python -m pulumi.dynamic` over gRPC, as the engine does: floats, dropped None, unknowns, the pickle."""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from google.protobuf import struct_pb2
from pulumi.dynamic import ResourceProvider
from pulumi.dynamic.dynamic import serialize_provider
from pulumi.runtime import rpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

ROOT = Path(__file__).parents[2]
UNKNOWN = rpc.UNKNOWN


class Plugin:
    """One running provider process."""

    def __init__(self, stub: Any, provider: ResourceProvider, config: Mapping[str, str]) -> None:
        self._stub = stub
        self.config = config
        self.blob = serialize_provider(provider)

    def check(self, news: Mapping[str, Any], olds: Mapping[str, Any] | None = None) -> dict[str, Any]:
        request = provider_pb2.CheckRequest(olds=self._struct(olds or {}), news=self._struct(news))
        return _plain(self._stub.Check(request).inputs)

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
        return asyncio.run(rpc.serialize_properties({**props, "__provider": self.blob}, {}))


@contextmanager
def plugin(
    provider: ResourceProvider, config: Mapping[str, str], env: Mapping[str, str] | None = None
) -> Iterator[Plugin]:
    """Start a provider process with the explicit provider resource's values."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "pulumi.dynamic"],
        cwd=ROOT,
        env={**os.environ, "PULUMI_PROJECT": "gatehouse", **(env or {})},
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield connected(channel, provider, config)
    finally:
        process.kill()
        process.wait()


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
