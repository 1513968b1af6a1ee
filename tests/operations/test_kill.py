"""A run that is killed at any point is healed by the next `gatehouse up`: nothing twice, nothing left, nothing lost."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from bench.plain import PlainWorld
from tests.operations.client import LISTS, BenchClient, wait_for

pytestmark = pytest.mark.engine

JANE = {"username": "jane", "name": "Jane Doe", "email": "jane@acme.example", "groups": ["staff"]}
GRAFANA = {"preset": "grafana", "url": "https://grafana.acme.example", "groups": ["staff"]}
URN = "urn:pulumi:acme::gatehouse::gatehouse:client:Client$pulumi-python:dynamic/"
GOAL = 10


@dataclass
class Killing:
    """The client, and at how many points a run was killed and healed."""

    client: BenchClient
    converged: list[str] = field(default_factory=list)
    others: dict[str, int] = field(default_factory=dict)

    def converges(self, point: str) -> str:
        """Run `gatehouse up`, and see that all is as the stack file says; what it said."""
        self.client.no_faults()
        said = self.client.up()
        self.as_declared()
        self.converged.append(point)
        return said

    def as_declared(self) -> None:
        """Hold what authentik has against the stack file, and see that the state holds no trace of a kill."""
        client, wanted = self.client, self.client.settings
        assert client.names("group") == sorted(wanted["groups"])
        assert client.names("user") == sorted(person["username"] for person in wanted["people"])
        assert client.names("provider") == client.names("application") == sorted(wanted["apps"])
        bindings = sorted((each["target"], each["group_obj"]["name"]) for each in client.all("binding"))
        targets = {each["slug"]: each["pk"] for each in client.all("application")}
        assert bindings == sorted(
            (targets[key], group) for key, app in wanted["apps"].items() for group in app["groups"]
        )
        for person in wanted["people"]:
            user = client.one("user", person["username"])
            assert sorted(group["name"] for group in user["groups_obj"]) == sorted(person["groups"])
            assert client.can_log_in(person["username"]), f"{person['username']} has another password"
        for key in wanted["apps"]:
            application = client.one("application", key)
            assert application["provider"] == client.one("provider", key)["pk"]
        self.others = self.others or self.count_others()
        assert self.count_others() == self.others, "something else was left in authentik"
        assert client.pending() == []
        assert client.locks() == []
        wait_for(lambda: not client.processes(), "the run's processes to end")

    def count_others(self) -> dict[str, int]:
        """How much there is in authentik of every kind that the stack file does not declare."""
        state = self.client.api.get("/_bench/state").json()
        ours = {f"/{path}/" for path in LISTS.values()}
        noise = ("_", "/events/", "/admin/", "/tasks/")
        return {
            kind: len(each) for kind, each in state.items() if kind not in ours and not kind.startswith(noise)
        }


@pytest.fixture(scope="module")
def killing(tmp_path_factory: pytest.TempPathFactory, world: PlainWorld) -> Iterator[Killing]:
    client = BenchClient(
        tmp_path_factory.mktemp("kill") / "project", world,
        groups=["staff"], people=[JANE], apps={"grafana": GRAFANA},
    )  # fmt: skip
    killing = Killing(client)
    yield killing
    client.end()


def killed(
    killing: Killing,
    run: subprocess.Popen[str],
    there: Callable[[], bool],
    words: str,
    *,
    gently: bool = False,
) -> None:
    """Kill the run as soon as it is there."""
    client = killing.client
    try:
        wait_for(lambda: there() or run.poll() is not None, words)
        assert run.poll() is None, f"the run ended before {words}:\n{run.stdout.read() if run.stdout else ''}"
        client.rest()  # what happens when it is killed in the middle of a write has a test of its own
    finally:
        (client.kill_engine if gently else client.kill)(run)
    client.no_faults()


def up_killed_at(
    killing: Killing,
    method: str,
    path: str,
    *,
    gently: bool = False,
    command: str = "up",
    meanwhile: Callable[[], None] = lambda: None,
    carried_out: bool = False,
) -> None:
    """Start a command, and kill it while its request is under way that is named here.

    It is never carried out, unless it is to be: then it is, and not answered.
    """
    client = killing.client
    client.hold(method, path, carried_out=carried_out)
    confirmed = ["--yes"] if command == "up" else ["--confirm", "acme"]
    run = client.project.start(command, "acme", *confirmed)

    def there() -> bool:
        if met := client.faults_met():
            meanwhile()
        return met

    killed(killing, run, there, f"{method} {path}", gently=gently)


def test_before_the_first_write(killing: Killing) -> None:
    up_killed_at(killing, "POST", "/core/groups/$")
    assert killing.client.names("group") == []
    plain = killing.client.pulumi("up", check=False)
    assert "the stack is currently locked" in plain
    assert "pulumi cancel" in plain
    said = killing.converges("before the first write")
    assert "The lock of a run that is dead" in said


def test_inside_a_create_that_the_server_never_saw(killing: Killing) -> None:
    killing.client.edit(groups=["staff", "engineering"])
    up_killed_at(killing, "POST", "/core/groups/$")
    assert killing.client.pending() == ["engineering"]
    said = killing.converges("create, not applied")
    assert "group engineering: was about to be made by the interrupted run" in said


def test_inside_a_create_that_the_server_has_carried_out(killing: Killing) -> None:
    client = killing.client
    client.edit(groups=["staff", "engineering", "board"])
    up_killed_at(killing, "POST", "/core/groups/$", gently=True, carried_out=True)
    made = client.one("group", "board")["pk"]
    client.project.pulumi("cancel", "--yes", "acme")
    plain = client.pulumi("up", check=False)
    assert "interrupted while" in plain or "pending operations" in plain
    assert "goes on with group 'board'" in plain
    killing.converges("create, applied")
    assert client.one("group", "board")["pk"] == made


def test_inside_an_object_of_two_steps(killing: Killing) -> None:
    client = killing.client
    mike = {"username": "mike", "name": "Mike", "email": "mike@acme.example", "groups": ["board"]}
    client.edit(people=[JANE, mike])
    up_killed_at(killing, "POST", "/set_password/$")
    made = client.one("user", "mike")["pk"]
    assert not client.can_log_in("mike")
    killing.converges("between the two steps of a user")
    assert client.one("user", "mike")["pk"] == made


def test_during_the_refresh(killing: Killing) -> None:
    killing.client.edit(apps={"grafana": {**GRAFANA, "name": "Dashboards"}})

    def another_run() -> None:
        said = killing.client.up(check=False)
        assert "locked by a run that is alive" in said
        assert "Wait until it ends" in said

    up_killed_at(killing, "GET", "/providers/oauth2/$", gently=True, meanwhile=another_run)
    killing.converges("refresh")
    assert killing.client.one("application", "grafana")["name"] == "Dashboards"


def test_inside_an_update_that_the_server_has_carried_out(killing: Killing) -> None:
    client = killing.client
    client.edit(groups=["staff", "engineering", {"name": "board", "superuser": True}])
    client.fault("PATCH", "/core/groups/", cut="after")
    client.hold("PATCH", "/core/groups/")
    run = client.project.start("up", "acme", "--yes")
    killed(killing, run, client.faults_met, "the second attempt")
    assert client.one("group", "board")["is_superuser"] is True
    client.settings["groups"] = ["staff", "engineering", "board"]
    killing.converges("update, applied")


@pytest.mark.parametrize("kind", ["authentik_core:group", "authentik_providers_oauth2:oauth2provider"])
def test_between_delete_and_create_of_a_replacement(killing: Killing, kind: str) -> None:
    client = killing.client
    name, path = ("staff", "/core/groups/$") if kind.endswith("group") else ("grafana", "/providers/oauth2/$")
    client.hold("POST", path)
    run = client.start("up", "--yes", "--skip-preview", "--replace", f"{URN}{kind}::{name}")
    killed(killing, run, client.faults_met, f"POST {path}")
    assert name not in client.names(kind.rpartition(":")[2].removeprefix("oauth2"))
    killing.converges(f"replacement of {name}")


def test_while_the_state_is_written(killing: Killing) -> None:
    client = killing.client
    client.edit(groups=[*client.settings["groups"], *(f"team-{number}" for number in range(6))])
    seen = {client.stored.stat().st_mtime_ns}

    def written(times: int) -> bool:
        with suppress(FileNotFoundError):
            seen.add(client.stored.stat().st_mtime_ns)
        return len(seen) > times

    run = client.project.start("up", "acme", "--yes")
    deadline = time.monotonic() + 60
    while not written(3):
        assert run.poll() is None, "the run ended before the state was written often enough"
        assert time.monotonic() < deadline
    client.kill(run)
    json.loads(client.stored.read_text())  # the backend never leaves half a file
    # What such a kill may leave, but rarely does:
    client.stored.with_name("acme.json.attrs").write_text("")
    client.stored.with_name("acme.json.18eb2678c2c929b9.tmp").write_text('{"vers')
    assert "./gatehouse up" in client.project.gatehouse("preview", "acme", check=False)
    killing.converges("while the state is written")


def test_during_destroy(killing: Killing) -> None:
    client = killing.client
    client.edit(groups=["staff"], people=[JANE])
    up_killed_at(killing, "DELETE", "/core/users/", command="destroy")
    killing.converges("destroy, then up")
    up_killed_at(killing, "DELETE", "/core/groups/", command="destroy", gently=True)
    client.project.gatehouse("destroy", "acme", "--confirm", "acme")
    left = {kind: client.names(kind) for kind in ("group", "user", "provider", "application")}
    assert left == {"group": [], "user": [], "provider": [], "application": []}
    assert client.project.state("acme").get("resources", []) == []


def test_a_run_that_heals_may_be_killed_too(killing: Killing) -> None:
    """First with an object made and not recorded; then before the healing run has come to it again."""
    client = killing.client
    up_killed_at(killing, "POST", "/core/groups/$", carried_out=True)
    made = client.one("group", "staff")["pk"]
    run = client.project.start("up", "acme", "--yes")
    killed(killing, run, lambda: not client.pending(), "the healing to be recorded")
    killing.converges("while healing")
    assert client.one("group", "staff")["pk"] == made


def test_between_the_create_and_the_delete_of_a_renamed_resource(killing: Killing) -> None:
    """The resource gets another name in the state and takes its object over; the old one goes afterwards."""
    client = killing.client
    overrides = {
        f"app/metrics/{what}": client.secrets.value(f"app/grafana/{what}")
        for what in ("client-id", "client-secret")
    }
    before = {kind: client.one(kind, "grafana")["pk"] for kind in ("provider", "application")}
    for name, value in overrides.items():
        client.project.pulumi(
            "config", "set", "--stack", "acme", "--secret", "--path",
            f'gatehouse:secrets.overrides["{name}"]', given=value,
        )  # fmt: skip
    client.edit(
        apps={"grafana": {**GRAFANA, "id": "metrics", "adopt": True}},
        groups=[*client.settings["groups"], "late"],
    )
    client.hold("POST", "/core/groups/$")
    run = client.project.start("up", "acme", "--yes")

    def taken_over() -> bool:
        text = client.stored.read_text()
        return all(f"{kind}::metrics" in text for kind in ("oauth2provider", "application")) and (
            "policybinding::metrics/staff" in text and client.faults_met()
        )

    killed(killing, run, taken_over, "the objects to be taken over")
    said = killing.converges("between create and delete")
    assert {kind: client.one(kind, "grafana")["pk"] for kind in before} == before
    assert "kept: another resource of this stack has taken it over" in said


def test_at_least_ten_points(killing: Killing, record_figure: Callable[..., None]) -> None:
    record_figure("test", kill_points_converged=(len(killing.converged), GOAL))
    assert len(killing.converged) >= GOAL, killing.converged
