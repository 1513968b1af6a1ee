"""Serves a stand-in to the engine over gRPC."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Callable, Mapping
from concurrent import futures
from typing import Any

import grpc
from google.protobuf import empty_pb2, json_format
from google.protobuf.message import Message
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    plugin_pb2,
    provider_pb2,
    provider_pb2_grpc,
    status_pb2,
)

from bench.lifetime import end_with_parent
from bench.plugins.base import Failed, Provider

_REPLIES: Mapping[str, type[Message]] = {
    "Handshake": provider_pb2.ProviderHandshakeResponse,
    "GetPluginInfo": plugin_pb2.PluginInfo,
    "GetSchema": provider_pb2.GetSchemaResponse,
    "CheckConfig": provider_pb2.CheckResponse,
    "DiffConfig": provider_pb2.DiffResponse,
    "Configure": provider_pb2.ConfigureResponse,
    "Invoke": provider_pb2.InvokeResponse,
    "Check": provider_pb2.CheckResponse,
    "Diff": provider_pb2.DiffResponse,
    "Create": provider_pb2.CreateResponse,
    "Read": provider_pb2.ReadResponse,
    "Update": provider_pb2.UpdateResponse,
    "Delete": empty_pb2.Empty,
    "Cancel": empty_pb2.Empty,
}


def _whole(value: Any) -> Any:
    """JSON knows one kind of number, the protocol sends doubles: whole ones are ints here."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _whole(inner) for key, inner in value.items()}
    return [_whole(inner) for inner in value] if isinstance(value, list) else value


def _answer(provider: Provider, method: str, reply: type[Message]) -> Callable[[Message, Any], Message]:
    def answer(request: Message, context: grpc.ServicerContext) -> Message:
        try:
            values = provider.call(method, _whole(json_format.MessageToDict(request)))
            return json_format.ParseDict(values, reply())
        except Failed as error:
            code = grpc.StatusCode[error.code]
            if error.id:
                detail = {"id": error.id, "properties": error.properties, "reasons": error.reasons}
                status = status_pb2.Status(code=code.value[0], message=error.message)
                status.details.add().Pack(
                    json_format.ParseDict(detail, provider_pb2.ErrorResourceInitFailed())
                )
                context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
            context.abort(code, error.message)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            text = f"the stand-in for {provider.name} failed in {method}: {type(error).__name__}: {error}"
            context.abort(grpc.StatusCode.UNKNOWN, f"{text} ({where.filename}:{where.lineno})")
        raise AssertionError("abort raises")

    return answer


def _logger(engine: str) -> Callable[..., None]:
    stub = engine_pb2_grpc.EngineStub(grpc.insecure_channel(engine))

    def log(severity: str, message: str, urn: str = "", *, ephemeral: bool = False) -> None:
        level = engine_pb2.LogSeverity.Value(severity)
        with contextlib.suppress(grpc.RpcError):  # the engine is going: there is nobody to tell
            stub.Log(
                engine_pb2.LogRequest(severity=level, message=message, urn=urn, ephemeral=ephemeral),
                timeout=5,
            )

    return log


def serve(provider: Provider, engine: str) -> None:
    """Serve `provider` on a free loopback port, print that port, and stay until the engine is gone.

    `engine` is the engine's own address, for lines to the user; "" where there is none.
    """
    if engine:
        provider.log = _logger(engine)  # type: ignore[method-assign]
    servicer = provider_pb2_grpc.ResourceProviderServicer()
    for method, reply in _REPLIES.items():
        setattr(servicer, method, _answer(provider, method, reply))
    server = grpc.server(
        futures.ThreadPoolExecutor(max_workers=32),
        options=[("grpc.max_receive_message_length", 400 << 20), ("grpc.so_reuseport", 0)],
    )
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    end_with_parent(provider.cancel)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    server.wait_for_termination()
