"""A stand-in as the engine meets it: a process that says its port, speaks gRPC, and goes when the engine does."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import grpc
import psutil
import pytest
from google.protobuf import empty_pb2, json_format
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc, status_pb2

from bench.figures import record
from bench.plugins.base import Call, CheckFailed, Diff, Failed, Provider, Resource
from bench.plugins.server import _answer
from bench.plugins.values import UNKNOWN, Values, has_unknown, plain, secret

ROOT = Path(__file__).resolve().parents[3]
TOKEN = "things:index/thing:Thing"
URN = f"urn:pulumi:dev::test::{TOKEN}::it"


class Thing(Resource):
    def check(self, call: Call) -> Values:
        if "bad" in call.news:
            raise CheckFailed(("bad", "not good"), inputs={"kept": 1})
        return dict(call.news)

    def diff(self, call: Call) -> Diff:
        return Diff(["size"], ["size"], ["name"], {"size": "UPDATE_REPLACE", "new": "ADD"}, True)

    def create(self, call: Call) -> tuple[str, Values]:
        if call.preview:
            return "", {"made": UNKNOWN}
        if call.news.get("half"):
            raise Failed("half made", id="it-1", properties={"size": 2.5, "list": [None, {"a": 1}]})
        return "it-1", {**call.news, "kinds": [type(value).__name__ for value in call.news.values()]}

    def delete(self, call: Call) -> None:
        raise ZeroDivisionError("oops")


class Things(Provider):
    name, version = "things", "1.0.0"
    resources: ClassVar = {TOKEN: Thing}


class _Context:
    """As much of gRPC's context as answers use."""

    def __init__(self) -> None:
        self.metadata: Any = ()

    def set_trailing_metadata(self, metadata: Any) -> None:
        self.metadata = metadata

    def abort(self, code: grpc.StatusCode, details: str) -> None:
        raise grpc.RpcError(code, details)


def ask(method: str, request: Any, reply: Any, context: _Context | None = None) -> Any:
    return json_format.MessageToDict(_answer(Things(), method, reply)(request, context or _Context()))


def test_numbers_unknowns_and_nothing_come_through() -> None:
    request = provider_pb2.CreateRequest(urn=URN)
    request.properties.update({"count": 3, "share": 2.5, "none": None, "deep": [{"n": 1}]})
    reply = ask("Create", request, provider_pb2.CreateResponse)
    assert sorted(reply["properties"]["kinds"]) == ["NoneType", "float", "int", "list"]
    assert reply["properties"]["none"] is None
    request.preview = True
    assert ask("Create", request, provider_pb2.CreateResponse) == {"properties": {"made": UNKNOWN}}


def test_a_half_made_object_reaches_the_engine_as_such() -> None:
    request = provider_pb2.CreateRequest(urn=URN)
    request.properties.update({"half": True})
    context = _Context()
    with pytest.raises(grpc.RpcError) as caught:
        ask("Create", request, provider_pb2.CreateResponse, context)
    assert caught.value.args == (grpc.StatusCode.UNKNOWN, "half made")
    status = status_pb2.Status.FromString(dict(context.metadata)["grpc-status-details-bin"])
    detail = provider_pb2.ErrorResourceInitFailed()
    assert status.details[0].Unpack(detail)
    assert json_format.MessageToDict(detail) == {
        "id": "it-1",
        "properties": {"size": 2.5, "list": [None, {"a": 1.0}]},
        "reasons": ["half made"],
    }


def test_failed_checks_and_differences_are_spelt_out() -> None:
    request = provider_pb2.CheckRequest(urn=URN)
    request.news.update({"bad": 1})
    reply = ask("Check", request, provider_pb2.CheckResponse)
    assert reply == {"inputs": {"kept": 1.0}, "failures": [{"property": "bad", "reason": "not good"}]}
    assert ask("Diff", provider_pb2.DiffRequest(urn=URN, id="it-1"), provider_pb2.DiffResponse) == {
        "changes": "DIFF_SOME",
        "diffs": ["size"],
        "replaces": ["size"],
        "stables": ["name"],
        "deleteBeforeReplace": True,
        "hasDetailedDiff": True,
        "detailedDiff": {"size": {"kind": "UPDATE_REPLACE"}, "new": {}},
    }


def test_a_changed_setting_of_the_provider_is_a_change() -> None:
    request = provider_pb2.DiffRequest(urn="urn:pulumi:dev::test::pulumi:providers:things::it", id="it")
    assert ask("DiffConfig", request, provider_pb2.DiffResponse) == {}
    request.news.update({"host": "b"})
    request.olds.update({"host": "a"})
    reply = ask("DiffConfig", request, provider_pb2.DiffResponse)
    assert (reply["changes"], reply["diffs"]) == ("DIFF_SOME", ["host"])
    assert reply["detailedDiff"] == {"host": {"kind": "UPDATE", "inputDiff": True}}


def test_a_mistake_of_the_stand_in_is_named_as_one() -> None:
    with pytest.raises(grpc.RpcError) as caught:
        ask("Delete", provider_pb2.DeleteRequest(urn=URN, id="it-1"), empty_pb2.Empty)
    assert "the stand-in for things failed in Delete: ZeroDivisionError: oops" in caught.value.args[1]
    assert "test_server.py" in caught.value.args[1]
    request = provider_pb2.CheckRequest(urn="urn:pulumi:dev::test::things:index/other:Other::it")
    with pytest.raises(grpc.RpcError, match="use the official plugin"):
        ask("Check", request, provider_pb2.CheckResponse)


def test_values() -> None:
    value = {"a": secret([1, secret("x")]), "b": [UNKNOWN]}
    assert plain(value) == {"a": [1, "x"], "b": [UNKNOWN]}
    assert has_unknown(value)
    assert not has_unknown(value["a"])


@pytest.fixture
def start() -> Iterator[Callable[[str], tuple[subprocess.Popen[bytes], int]]]:
    """Start a stand-in; its process and its port."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(name: str) -> tuple[subprocess.Popen[bytes], int]:
        argv = [sys.executable, "-u", "-m", "bench.plugins", name]
        process = subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        return process, int(process.stdout.readline())

    yield begin
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.parametrize(("name", "version"), [("docker", "5.2.0"), ("command", "1.2.1")])
def test_a_stand_in_is_ready_soon(start: Any, name: str, version: str) -> None:
    seconds = []
    for _ in range(3):
        began = time.monotonic()
        _, port = start(name)
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            info = provider_pb2_grpc.ResourceProviderStub(channel).GetPluginInfo(empty_pb2.Empty())
        seconds.append(time.monotonic() - began)
        assert info.version == version
    record("test", **{f"{name}_stand_in_start_seconds": (round(min(seconds), 3), 0.5)})
    assert min(seconds) < 2  # a busy machine takes its time


@pytest.mark.engine
def test_a_stand_in_and_its_command_end_with_the_engine(tmp_path: Path) -> None:
    flag = tmp_path / "pid"
    driver = f"""
import subprocess, sys
from google.protobuf import json_format
import grpc
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc
plugin = subprocess.Popen([sys.executable, "-m", "bench.plugins", "command"], stdout=subprocess.PIPE)
channel = grpc.insecure_channel("127.0.0.1:%d" % int(plugin.stdout.readline()))
request = provider_pb2.CreateRequest(urn="urn:pulumi:d::p::command:local:Command::n")
request.properties.update({{"create": "echo $$ > {flag}; sleep 300"}})
provider_pb2_grpc.ResourceProviderStub(channel).Create(request)
"""
    engine = subprocess.Popen(
        [sys.executable, "-c", driver], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    try:
        end = time.monotonic() + 20
        while not (flag.exists() and flag.read_text().strip()):
            assert time.monotonic() < end
            time.sleep(0.05)
        plugin = psutil.Process(engine.pid).children()[0]
        command = psutil.Process(int(flag.read_text()))
    finally:
        engine.kill()
        engine.wait()
    _, alive = psutil.wait_procs([plugin, command], timeout=10)
    assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []
