"""The cloudflare plugin's recordings, replayed in order against the bench's Cloudflare."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from bench.clouds.serving import Clouds
from bench.clouds.watch import Fault
from bench.plugins.cloudflare import Cloudflare
from bench.plugins.values import Values
from bench.tests.plugins.recordings import Recorded, lines
from bench.tests.plugins.replay import Replay

TOKEN = "test-token-0123456789abcdefghijklmnopqrs"
RECORDED_URL = "http://127.0.0.1:18082/client/v4"
ZONES = {"example.org": "1" * 32, "example.net": "2" * 32}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def _record(number: str) -> str:
    return number.rjust(32, "0")


def _by_hand(clouds: Clouds) -> None:
    _gone("d0001")(clouds)
    clouds.account.data["records"][_record("d0003")].update(content="hand.example.org", comment="by hand")


def _gone(*numbers: str) -> Callable[[Clouds], None]:
    def change(clouds: Clouds) -> None:
        for number in numbers:
            clouds.account.data["records"].pop(_record(number), None)

    return change


def _fault(status: int, code: str, message: str) -> Callable[[Clouds], None]:
    def change(clouds: Clouds) -> None:
        headers = {"Retry-After": "0"} if status == 429 else {}
        fault = Fault(method="POST", status=status, code=code, message=message, headers=headers)
        clouds.cloudflare_faults.ordered.append(fault)

    return change


HANDS: dict[str, Callable[[Clouds], None]] = {
    "hand-refresh-preview": _by_hand,
    "drop-one-deleted-by-hand": _gone("d0004"),
    "error-update-gone": _gone("d0005"),
    "error-auth": _fault(403, "10000", "Authentication error"),
    "retry-429-then-ok": _fault(429, "10429", "rate limited"),
}


class Moved(httpx.HTTPTransport):
    """Sends what is meant for the recording's API to the bench's, and writes its JSON with spaces, as that did."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.port = port

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url.copy_with(port=self.port)
        sent = httpx.Request(request.method, url, headers=request.headers, content=request.read())
        answer = super().handle_request(sent)
        text = json.dumps(json.loads(answer.read())) if answer.read() else ""
        return httpx.Response(
            answer.status_code, headers={"Retry-After": answer.headers.get("Retry-After", "")}, text=text
        )


class World:
    """One emulator for all calls, brought forward to the case of each."""

    def __init__(self) -> None:
        self.cases = list(dict.fromkeys(line["case"] for line in lines("cloudflare") if "case" in line))
        self.at = -1
        self.next_id = ""
        self.stack = ExitStack()
        directory = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.clouds = Clouds(directory, zones=dict(ZONES), new_record_id=lambda: self.next_id)
        self.clouds.tokens = replace(self.clouds.tokens, cloudflare=TOKEN)
        self.stack.enter_context(self.clouds.running())

    def reach(self, case: str) -> None:
        """Do what was done by hand up to the beginning of `case`."""
        while self.at < 0 or self.cases[self.at] != case:
            self.at += 1
            hand = HANDS.get(self.cases[self.at])
            if hand is not None:
                hand(self.clouds)


WORLDS: list[World] = []


@contextmanager
def world(call: Recorded) -> Iterator[Cloudflare]:
    """A provider that believes to speak with the recording's API."""
    provider = Cloudflare()
    provider.environment = {"CLOUDFLARE_API_TOKEN": TOKEN, "CLOUDFLARE_BASE_URL": RECORDED_URL}
    if call.method in ("Configure", "CheckConfig"):
        yield provider
        return
    if not WORLDS:
        WORLDS.append(World())
    this = WORLDS[0]
    this.reach(call.case)
    if call.method == "Create" and call.response:
        this.next_id = call.response["id"]
    provider.transport = Moved(this.clouds.cloudflare[1])
    provider.configure({})
    yield provider


def _same_time(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _same_time(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_same_time(v) for v in value]
    return "<time>" if isinstance(value, str) and TIME.fullmatch(value) else value


def normal(call: Recorded, reply: Values) -> Values:
    """Times, and the ids and names of the account and its plan, are each API's own."""
    if call.method == "Read" and not reply.get("id"):
        return {}
    reply = _same_time(reply)
    if call.method == "Invoke" and isinstance(reply.get("return"), dict):
        found = reply["return"]
        for zone in (found, *found.get("results", [])):
            if "account" in zone:
                zone["account"] = dict.fromkeys(zone["account"], "<own>")
                zone["plan"] = {**zone["plan"], "id": "<own>"}
    return reply


REPLAY = Replay(
    plugin="cloudflare",
    provider=Cloudflare,
    tokens=(*Cloudflare.resources, *Cloudflare.functions, "pulumi:providers:cloudflare"),
    world=world,
    normal=normal,
)
