"""A client with 12 apps whose `gatehouse up` is killed anywhere: the next one ends where an undisturbed one does.

Undisturbed ones have brought a control up, on an authentik of its own and with the same root secret. Both are compared
by the names of all that they hold.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from bench.plain import PlainWorld
from components.identity.kinds import ReleaseLine
from components.secrets import new_root_secret
from tests.identity.holdings import State, called, differences, holdings
from tests.operations.client import BenchClient, wait_for

pytestmark = pytest.mark.engine

Settings = dict[str, Any]
LDAP, OUTPOST = "authentik_providers_ldap.ldapprovider", "authentik_outposts.outpost"
FLOWS = {
    "authorization_flow": "acme-closed",
    "authentication_flow": "default-authentication-flow",
    "invalidation_flow": "default-provider-invalidation-flow",
}
BY_HAND = {
    "domain": "shop.acme.example",
    "branding_title": "By hand",
    "branding_custom_css": "a { color: red }",
}
REPLACED = ("tickets", "crm", "chat", "builds")
LINE = ReleaseLine("2026.8")
REFERENCES = ("target", "group", "app", "default_application")
STEPS = "/set_password/$|/set_key/$|/outposts/instances/[^/]+/$"
PATIENCE = 180.0  # seconds until a run must have come to the point where it is killed
WRITES = "POST|PUT|PATCH|DELETE"
ALL = "^/api/v3/"


def first(replaced: int = 0) -> Settings:
    """The client, and a provider behind an outpost of its own, that asks in a flow of the client's.

    `replaced`: how many apps have changed their protocol by now, so that another provider is in the former's place.
    As often, Tim has gone and come back, each time with another first password.
    """
    settings: Settings = yaml.safe_load((Path(__file__).parent / "twelve_apps.yaml").read_text())
    settings["objects"] += [
        {"kind": LDAP, "name": "acme-ldap", "fields": {**FLOWS, "base_dn": "dc=acme"}},
        {
            "kind": OUTPOST,
            "name": "acme-edge",
            "fields": {"type": "ldap", "providers": ["acme-ldap"], "config": {}},
        },
    ]
    for key in REPLACED[:replaced]:
        app = settings["apps"][key]
        behind = {"protocol": "proxy", "upstream": f"http://{key}:80"}
        who = {name: app[name] for name in ("groups", "everyone") if name in app}
        settings["apps"][key] = {"url": app["url"], **who, **behind}
    settings["secrets"] = {"generations": {"person/tim/password": replaced + 1}}
    return settings


def edited(replaced: int) -> Settings:
    """Very many edits at once, of all sorts."""
    settings = first(replaced)
    groups, people, apps = (settings[name] for name in ("groups", "people", "apps"))
    # Renamed: a group, an app and its slug.
    groups[2] = {"name": "council", "id": "board"}
    people[2]["groups"] = ["staff", "council"]
    for each in apps.values():
        if "groups" in each:
            each["groups"] = [{"board": "council"}.get(group, group) for group in each["groups"]]
    apps["manual"] = {"id": "wiki", **apps.pop("wiki")}
    named = {"wiki": "manual", "wiki/editors": "manual/editors", "board": "council"}
    for each in settings["objects"]:
        fields = each.get("fields", {})
        fields.update(
            {key: named[fields[key]] for key in fields if key in REFERENCES and fields[key] in named}
        )
    # Gone: a person, an app, and a flow that a provider has asked in.
    people.pop()
    apps.pop("printer")
    settings["objects"] = [
        each for each in settings["objects"] if each["name"] not in ("acme-closed", "closed 1")
    ]
    raw(settings, "acme-ldap")["authorization_flow"] = "acme-consent"
    # Changed.
    people[0]["email"] = "j.doe@acme.example"
    apps["grafana"]["url"] = "https://graphs.acme.example"
    raw(settings, "acme-questions")["fields"].remove("acme-email")
    raw(settings, "authentik-default").pop("branding_title")
    # New, and of two steps, or with what the server makes for it.
    people.append(
        {"username": "kim", "name": "Kim", "email": "kim@acme.example", "groups": ["admins", "council"]}
    )
    settings["secrets"] = {"generations": {"person/kim/password": replaced}}  # who has been there before
    robot = {
        "user": "ben",
        "intent": "app_password",
        "expiring": False,
        "key": {"seal": "robot-key-0000000001"},
    }
    gate = {"type": "proxy", "providers": ["dash", "legacy"], "config": {"log_level": "debug"}}
    # There before us.
    shop = {"branding_title": "Acme's shop", "branding_custom_css": "", "default_application": "shop"}
    bye = {"title": "Good bye", "name": "Bye"}
    settings["objects"] += [
        {"kind": "authentik_core.token", "name": "acme-robot", "fields": robot},
        {"kind": OUTPOST, "name": "acme-gate", "fields": gate},
        {"kind": "authentik_brands.brand", "name": BY_HAND["domain"], "adopt": True, "fields": shop},
        {"kind": "authentik_flows.flow", "name": "default-invalidation-flow", "adopt": True, "fields": bye},
    ]
    return settings


def raw(settings: Settings, name: str) -> Settings:
    """The fields of a raw object."""
    found: Settings = next(each for each in settings["objects"] if each["name"] == name)["fields"]
    return found


class Point(NamedTuple):
    """Where a run is killed: when such a request is on its way, which gets no answer, after others that got theirs."""

    words: str
    method: str
    path: str
    after: int = 0
    held: int = 1
    """How many of these must be on their way."""
    carried_out: bool = False
    """Whether authentik does what these ask for: then only the state does not have it."""


POINTS = {
    "edited 1": Point("after 3 writes", WRITES, ALL, 3),
    "back 1": Point("after 8 writes, and others not recorded", WRITES, ALL, 8, carried_out=True),
    "edited 2": Point(
        "a person without password, a token without key, outposts not written", "PATCH|POST", STEPS, 0, 4
    ),
    "back 2": Point("before an adopted brand is given back", "PATCH", "/core/brands/"),
    "edited 3": Point(
        "an adopted flow changed and not recorded",
        "PATCH",
        "/flows/instances/default-inv[a-z-]+/$",
        carried_out=True,
    ),
    "back 3": Point("after one of 3 deletions", "DELETE", ALL, 1),
    "edited 4": Point("between the halves of a replacement", "POST", "/providers/proxy/$"),
}
NIGHTLY = ("back 2", "edited 3", "back 3", "edited 4")
"""Stages that are gone through with time enough only: the last ones, since each follows the one before."""
STAGES: dict[str, Settings] = {"first": first()}
"""What the stack file says, one after the other: to and fro, with one replacement more each time."""
for stage in POINTS:
    way, number = stage.split()
    STAGES[stage] = (edited if way == "edited" else first)(int(number))


class Control:
    """A client that nobody kills. It goes through all stages by itself, beside what waits for it."""

    def __init__(self, client: BenchClient) -> None:
        self._client = client
        self._pool = ThreadPoolExecutor(1)
        self._states = {
            stage: self._pool.submit(self._reach, settings)
            for stage, settings in {"nothing": None, **STAGES}.items()
        }

    def state(self, stage: str) -> State:
        """All that authentik holds at a stage."""
        return self._states[stage].result(PATIENCE)

    def kept(self, stage: str) -> set[str]:
        """What was the same object at the stage before."""
        former = by_name(self.state(list(self._states)[list(self._states).index(stage) - 1]))
        now = by_name(self.state(stage))
        return {name for name in former.keys() & now.keys() if former[name] == now[name]}

    def end(self) -> None:
        """Stop where it is."""
        self._pool.shutdown(cancel_futures=True)
        self._client.end()

    def _reach(self, settings: Settings | None) -> State:
        if settings:
            self._client.edit(**copy.deepcopy(settings))
            self._client.pulumi("up")
        return state(self._client)


@dataclass
class Killing:
    """The client that is killed, and where it was."""

    client: BenchClient
    control: Control
    stage: str = "nothing"
    converged: list[str] = field(default_factory=list)

    def killed(self, stage: str, point: Point) -> State:
        """Start bringing the client to a stage, and kill it while a request is on its way; what is there then."""
        client, self.stage = self.client, stage
        client.edit(**copy.deepcopy(STAGES[stage]))
        client.freeze(point.method, point.path, point.after, point.held, carried_out=point.carried_out)
        log = client.project.folder / "killed.log"
        run = client.project.start("up", "acme", "--yes", log=log)
        try:
            wait_for(lambda: client.frozen() or run.poll() is not None, point.words, PATIENCE)
            assert run.poll() is None, f"it ended before this: {point.words}\n{log.read_text()}"
            client.rest()
        finally:
            client.kill(run)
            client.no_faults()
        return state(client)

    def converges(self, point: Point) -> State:
        """Run `gatehouse up`: all is as if nothing had been killed, and nothing is left to do. What is there then."""
        client = self.client
        client.up()
        now = state(client)
        same(self.control.state(self.stage), now)
        generations = client.settings["secrets"]["generations"]
        for each in client.settings["people"]:
            name = each["username"]
            generation = generations.get(f"person/{name}/password", 1)
            assert client.can_log_in(name, generation), f"{name} has another password"
        assert client.pending() == []
        assert client.locks() == []
        client.pulumi("preview", "--expect-no-changes")
        self.converged.append(f"{self.stage}, {point.words}")
        return now

    def destroyed(self) -> None:
        """Take all down: nothing is left, and what was there before has its former values."""
        self.client.project.gatehouse("destroy", "acme", "--confirm", "acme")
        same(self.control.state("nothing"), state(self.client))
        assert self.client.project.state("acme").get("resources", []) == []
        self.stage = "nothing"


def state(client: BenchClient) -> State:
    """All that authentik holds. The outposts' settings say where it answers, which is elsewhere for the control."""
    text = client.api.get("/_bench/state").raise_for_status().text
    found: State = json.loads(text.replace(client.world.issuer, "https://auth.acme.example"))
    return found


def same(wanted: State, found: State) -> None:
    """Hold what is there against what a client has that nobody killed."""
    wrong = differences(holdings(wanted), holdings(found))
    assert not wrong, "wanted and found:\n" + "\n".join(wrong)


def by_name(found: State) -> dict[str, str]:
    """Name -> pk; nothing is there twice."""
    names = called(found)
    assert len(set(names.values())) == len(names)
    return {name: pk for (_, pk), name in names.items()}


@contextmanager
def client(folder: Path, root: str) -> Iterator[BenchClient]:
    """A client on an authentik of its own, where somebody has made something by hand."""
    with PlainWorld(folder / "world", lambda _: None, memory=True).running() as world:
        client = BenchClient(folder / "project", world, root=root, secrets={})
        try:
            wait_for(lambda: "blueprints" in state(client)["_meta"], "the default objects")
            client.api.post("/api/v3/core/brands/", json=BY_HAND).raise_for_status()
            yield client
        finally:
            client.end()


@pytest.fixture(scope="module")
def root() -> str:
    return new_root_secret()


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory, root: str) -> Iterator[Control]:
    with client(tmp_path_factory.mktemp("control"), root) as undisturbed:
        control = Control(undisturbed)
        try:
            yield control
        finally:
            control.end()


@pytest.fixture(scope="module")
def killing(tmp_path_factory: pytest.TempPathFactory, root: str, control: Control) -> Iterator[Killing]:
    with client(tmp_path_factory.mktemp("killed"), root) as disturbed:
        yield Killing(disturbed, control)


def test_the_first_up(killing: Killing) -> None:
    early = Point("after 15 writes", WRITES, ALL, 15)
    killing.killed("first", early)
    killing.converges(early)
    killing.destroyed()
    late = Point("after 70 objects, and others not recorded", "POST", ALL, 70, carried_out=True)
    made = killing.killed("first", late)
    now = killing.converges(late)
    assert called(made).items() <= called(now).items()  # what had been made is still it, and not made anew


@pytest.mark.parametrize(
    "stage",
    [pytest.param(stage, marks=[pytest.mark.nightly] if stage in NIGHTLY else []) for stage in POINTS],
)
def test_edits(killing: Killing, stage: str) -> None:
    before = by_name(state(killing.client))
    meanwhile = by_name(killing.killed(stage, POINTS[stage]))
    after = by_name(killing.converges(POINTS[stage]))
    kept = killing.control.kept(stage)
    assert "/providers/ldap/ acme-ldap" in kept  # although the flow that it asks in goes, or comes back
    for there in (meanwhile, after):
        assert {name: there.get(name) for name in kept} == {name: before[name] for name in kept}


def test_destroy(
    killing: Killing, record_figure: Callable[..., None], request: pytest.FixtureRequest
) -> None:
    killing.destroyed()
    goal = 2 + sum(
        item.name.startswith("test_edits[") for item in request.session.items if item.path == request.path
    )
    record_figure("test", twelve_apps_kill_points_converged=(len(killing.converged), goal))
    assert len(killing.converged) == goal, killing.converged
