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
from bench.project import Project
from bench.tests.clouds.conftest import make
from tests.operations.client import BenchClient

pytestmark = pytest.mark.engine

RECORDINGS = Path(__file__).parent.parent / "recordings/states"
ACCESS = "pulumi-python:dynamic/gatehouse:access"
APPLICATIONS = "/core/applications/"
LEARNT = ("update", "pulumi-python:dynamic/authentik_providers_oauth2:oauth2provider grafana")
"""The preset of Grafana has learnt since how the app hears of a logout, and where people go after it."""


def recorded(name: str) -> dict[str, Any]:
    """What a version before left."""
    found: dict[str, Any] = json.loads(gzip.decompress((RECORDINGS / f"{name}.json.gz").read_bytes()))
    return found


class Left:
    """What a version before left of a client without a box, on a server that holds it."""

    def __init__(self, folder: Path, server: Running, name: str) -> None:
        left = recorded(name)
        left = json.loads(json.dumps(left).replace(left["url"], server.url))
        self.issuer, self.token, self.version = server.url, left["token"], "2026.8.3"
        with server.store.writing():
            server.store._load([tuple(row) for row in left["rows"]])
        for app in left["settings"]["apps"].values():
            app.setdefault("everyone", not app.get("groups"))  # which the first of them did not ask for
        self.client = BenchClient(folder, self, root=left["root"], **left["settings"])  # type: ignore[arg-type]
        self.client.pulumi("stack", "init", check=False)
        take_in(self.client.project, left["state"])


def take_in(project: Project, state: dict[str, Any]) -> None:
    """Make it the project's state."""
    project.pulumi("stack", "import", "--stack", "acme", given=json.dumps(state))


@pytest.fixture
def server() -> Iterator[Running]:
    with serve(version="2026.8.3") as server:
        yield server


def steps(project: Project) -> dict[tuple[str, str], set[str]]:
    """(operation, URN's end) -> inputs that a preview would change."""
    said = project.pulumi("preview", "--json", "--stack", "acme")
    found = {}
    for step in json.loads(said[said.index("{\n") :])["steps"]:
        old, new = (step.get(state, {}).get("inputs", {}) for state in ("oldState", "newState"))
        changed = {name for name in {*old, *new} - {"__provider"} if old.get(name) != new.get(name)}
        if step["op"] != "same":
            _, _, within, name = step["urn"].split("::", 3)
            found[step["op"], f"{within.rpartition('$')[2]} {name}"] = changed
    return found


def test_providers_move_to_the_access_of_their_application(tmp_path: Path, server: Running) -> None:
    left = Left(tmp_path / "project", server, "provider-in-the-application")
    apps = left.client.settings["apps"]
    application = "pulumi-python:dynamic/authentik_core:application"
    planned = steps(left.client.project)
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


def test_a_client_without_a_box_comes_over_unchanged(tmp_path: Path, server: Running) -> None:
    client = Left(tmp_path / "project", server, "objects-below-the-client").client
    assert steps(client.project) == {LEARNT: {"gatehouse", "logout_method", "logout_uri", "redirect_uris"}}
    server.control.journal.clear()
    client.up()
    written = [each for each in server.control.journal if each["method"] != "GET"]
    assert [(each["method"], each["path"].split("/")[3:5]) for each in written] == [
        ("PATCH", ["providers", "oauth2"])
    ]
    client.pulumi("refresh", "--run-program", "--expect-no-changes")
    client.project.gatehouse("destroy", "acme", "--confirm", "acme")
    with server.store.reading():
        [legacy] = server.store.all(APPLICATIONS)
        assert not [each for each in server.store.all("/core/users/") if each["username"] == "jane"]
    assert (legacy["slug"], legacy["provider"]) == ("legacy", None)


def test_a_client_with_a_box_comes_over_unchanged(tmp_path: Path) -> None:
    """What a preview does not ask a box for; the tests of a whole client do the rest."""
    left = recorded("server-below-the-host")
    with make(tmp_path / "clouds", zones={"acme.example": None}).running() as clouds:
        environment = {
            "HCLOUD_ENDPOINT": clouds.hetzner_endpoint, "HCLOUD_TOKEN": clouds.tokens.hetzner,
            "CLOUDFLARE_BASE_URL": clouds.cloudflare_base_url, "CLOUDFLARE_API_TOKEN": clouds.tokens.cloudflare,
        }  # fmt: skip
        project = Project(tmp_path / "project", environment)
        project.stack("acme", left["settings"], {"rootSecret": left["root"]})
        take_in(project, left["state"])
        before = sorted(path.name for path in (project.folder / ".gatehouse").iterdir())
        without = {"administrators": {"hardwareKey": False, "because": "as it was before"}}
        new = {type_.partition(" ")[0].rpartition("/")[2] for _, type_ in steps(project)}
        assert "gatehouse:fresh_logins" in new, "administrators need a security key from now on, and it shows"
        project.edit("acme", {"login": without})
        changed = steps(project)
        assert sorted(path.name for path in (project.folder / ".gatehouse").iterdir()) == before == ["state"]
    # The box is set up again whenever one of the scripts for it has changed; nothing else is done.
    assert changed.keys() <= {("update", "command:local:Command hardening"), LEARNT}
