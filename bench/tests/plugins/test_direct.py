"""Single calls of the official plugins that no program makes: failing checks, names made up, failures half-way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.plugins.base import Failed, Provider
from bench.plugins.command import CommandProvider
from bench.plugins.docker import DockerProvider
from bench.plugins.docker.transport import Daemon
from bench.plugins.values import Values
from bench.tests.plugins.fake_docker import FakeDocker, Fault, Serving
from bench.tests.plugins.recordings import FOLDER

RECORDED = json.loads((Path(FOLDER) / "direct.json").read_text())
MAKES: dict[str, type[Provider]] = {"docker": DockerProvider, "command": CommandProvider}
CHECKS = [each for each in RECORDED["checks"] if each["plugin"] in MAKES]
ERRORS = [each for each in RECORDED["errors"] if each["plugin"] in MAKES and "remote:" not in each["type"]]


def _name(each: Values) -> str:
    return f"{each['plugin']}-{each['case']}-{each['type'].rsplit(':', 1)[-1]}"


def _settled(value: Any) -> Any:
    """Without the random end of a made-up name, and with failures in any order."""
    if isinstance(value, dict):
        found = {key: _settled(inner) for key, inner in value.items()}
        if isinstance(found.get("failures"), list):
            found["failures"].sort(key=str)
        return found
    if isinstance(value, list):
        return [_settled(inner) for inner in value]
    return re.sub(r"^my-[0-9a-f]{7}$", "my-<7 hex>", value) if isinstance(value, str) else value


@pytest.mark.parametrize("each", CHECKS, ids=_name)
def test_check(each: Values) -> None:
    urn = f"urn:pulumi:t::t::{each['type']}::my"
    reply = MAKES[each["plugin"]]().call("Check", {"urn": urn, "news": each["news"]})
    assert _settled(reply) == _settled(each["response"])


@pytest.fixture
def daemon() -> Iterator[tuple[FakeDocker, Path]]:
    fake = FakeDocker()
    fake.images["rec/app:1"] = {"Id": "sha256:1", "Config": {}}
    fake.health = "unhealthy"
    with Serving(fake) as socket:
        yield fake, socket


@pytest.mark.parametrize("each", ERRORS, ids=_name)
def test_failure(each: Values, daemon: tuple[FakeDocker, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    fake, socket = daemon
    provider = MAKES[each["plugin"]]()
    if isinstance(provider, DockerProvider):
        provider.daemon = Daemon(f"unix://{socket}", [])
    details = each["error"]["details"]
    name = details.split(": ", 1)[0].rsplit("::", 1)[-1] if details.startswith("creating urn") else "chk"
    urn = f"urn:pulumi:t::t::{each['type']}::{name}"
    checked = provider.call("Check", {"urn": urn, "news": each["inputs"]})
    assert _settled({"failures": checked.get("failures", [])}) == _settled(
        {"failures": each.get("check_failures", [])}
    )
    if checked.get("failures"):
        return  # the engine goes no further
    said = details.split("Error response from daemon: ", 1)[-1].strip()
    if "Unable to start" in details:
        fake.faults["/start"] = Fault(400, said)
    if "unable to pull" in details:
        fake.faults["/images/create"] = Fault(500, said)
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr("time.monotonic", iter(range(0, 10**9, 60)).__next__)
    with pytest.raises(Failed) as caught:
        provider.call("Create", {"urn": urn, "properties": checked["inputs"]})
    assert caught.value.message.strip() == details.strip()
    for detail in each["error"].get("status_details", []):
        kept = {
            k: v for k, v in detail["value"]["properties"].items() if not k.startswith("__") and k != "id"
        }
        mine = {k: v for k, v in caught.value.properties.items() if k != "id"}
        assert mine == kept
        assert [reason.strip() for reason in caught.value.reasons] == [
            reason.strip() for reason in detail["value"]["reasons"]
        ]
