"""A state of the version before comes over: nothing is made anew, and no app loses its provider for a moment.

`recordings/states` has, in one file each, what that version left: its stack file's settings and root secret, its state,
and all that the emulator held. The state is encrypted with the bench's passphrase (`bench.project`).
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.authentik.testing import Running, serve
from tests.operations.client import BenchClient

pytestmark = pytest.mark.engine

RECORDING = Path(__file__).parent.parent / "recordings/states/provider-in-the-application.json.gz"
RECORDED = b"http://127.0.0.1:37023"
"""Where that authentik answered."""
ACCESS = "pulumi-python:dynamic/gatehouse:access"
APPLICATIONS = "/core/applications/"


class Left:
    """What the version before left, on a server that holds it."""

    def __init__(self, folder: Path, server: Running) -> None:
        recorded = json.loads(gzip.decompress(RECORDING.read_bytes()).replace(RECORDED, server.url.encode()))
        self.issuer, self.token, self.version = server.url, recorded["token"], "2026.8.3"
        with server.store.writing():
            server.store._load([tuple(row) for row in recorded["rows"]])
        for app in recorded["settings"]["apps"].values():
            app.setdefault("everyone", not app.get("groups"))  # which that version did not ask for
        self.client = BenchClient(folder, self, root=recorded["root"], **recorded["settings"])  # type: ignore[arg-type]
        self.client.pulumi("stack", "init", check=False)
        self.client.project.pulumi("stack", "import", "--stack", "acme", given=json.dumps(recorded["state"]))


@pytest.fixture
def server() -> Iterator[Running]:
    with serve(version="2026.8.3") as server:
        yield server


def steps(client: BenchClient) -> dict[tuple[str, str], set[str]]:
    """(operation, URN's end) -> inputs that a preview would change."""
    said = client.pulumi("preview", "--json")
    found = {}
    for step in json.loads(said[said.index("{\n") :])["steps"]:
        old, new = (step.get(state, {}).get("inputs", {}) for state in ("oldState", "newState"))
        changed = {name for name in {*old, *new} - {"__provider"} if old.get(name) != new.get(name)}
        if step["op"] != "same":
            kind = step["urn"].rpartition("$")[2].partition("::")[0]
            found[step["op"], f"{kind} {step['urn'].rpartition('::')[2]}"] = changed
    return found


def test_providers_move_to_the_access_of_their_application(tmp_path: Path, server: Running) -> None:
    left = Left(tmp_path / "project", server)
    apps = left.client.settings["apps"]
    application = "pulumi-python:dynamic/authentik_core:application"
    planned = steps(left.client)
    assert {step for step in planned if step[0] == "create"} == {
        ("create", f"{ACCESS} {key}") for key in apps
    }
    assert {step[0] for step in planned} <= {"create", "update"}
    for key in apps:
        assert planned["update", f"{application} {key}"] == {"provider", "policy_engine_mode", "gatehouse"}
    said = left.client.pulumi("preview")
    assert "grafana: policy_engine_mode, provider are managed by another resource from now on" in said

    def attached() -> dict[str, Any]:
        with server.store.reading():
            return {app["slug"]: app["provider"] for app in server.store.all(APPLICATIONS)}

    before = attached()
    server.control.journal.clear()
    left.client.pulumi("up")
    assert attached() == before
    opening = {"provider", "policy_engine_mode", "backchannel_providers"}
    written = [each["body"] for each in server.control.journal if each["method"] in ("PATCH", "PUT")]
    assert [body for body in written if body and opening & body.keys()] == []
    left.client.pulumi("preview", "--refresh", "--expect-no-changes")

    left.client.pulumi("destroy")
    with server.store.reading():
        [legacy] = server.store.all(APPLICATIONS)
    assert (legacy["slug"], legacy["name"], legacy["provider"]) == ("legacy", "Legacy", None)
