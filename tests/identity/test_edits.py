"""A client with 12 apps and 60 other objects: each edit of its stack file previews as itself and as nothing else."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.figures import record
from bench.plain import PlainWorld
from components.identity.kinds import Line
from components.objects.provider import META
from tests.operations.client import BenchClient

pytestmark = pytest.mark.engine

Settings = dict[str, Any]
Edit = Callable[[Settings], object]
Steps = dict[tuple[str, str, str], set[str]]
"""(what is done, kind, name in state) -> changed fields; for what is made or deleted: none."""

GROUP, USER, BINDING = "authentik_core.group", "authentik_core.user", "authentik_policies.policybinding"
OAUTH2, PROXY = "authentik_providers_oauth2.oauth2provider", "authentik_providers_proxy.proxyprovider"
APP, OUTPOST = "authentik_core.application", "authentik_outposts.outpost"
PROMPT, QUESTIONS = "authentik_stages_prompt.prompt", "authentik_stages_prompt.promptstage"
EXPRESSION, FLOW = "authentik_policies_expression.expressionpolicy", "authentik_flows.flow"
STEP, BRAND = "authentik_flows.flowstagebinding", "authentik_brands.brand"
WRITE, DENY = "authentik_stages_user_write.userwritestage", "authentik_stages_deny.denystage"
NEW = {"protocol": "oidc", "url": "https://new.acme.example", "redirectUris": ["https://new.acme.example/cb"]}
ROTATED = {"generations": {"app/wiki/client-secret": 2}}


def person(username: str, /, **fields: Any) -> Edit:
    """Change somebody's settings."""
    return lambda s: next(each for each in s["people"] if each["username"] == username).update(fields)


def app(key: str, /, **fields: Any) -> Edit:
    """Change an app's settings."""
    return lambda s: s["apps"][key].update(fields)


def raw(name: str, /, **fields: Any) -> Edit:
    """Change fields of a raw object."""
    return lambda s: raw_fields(s, name).update(fields)


def unset(name: str, field: str) -> Edit:
    """Take a field out of a raw object."""
    return lambda s: raw_fields(s, name).pop(field)


def raw_fields(settings: Settings, name: str) -> Settings:
    found: Settings = next(each for each in settings["objects"] if each["name"] == name)["fields"]
    return found


def added(to: str, what: Any) -> Edit:
    """One more in a list of settings."""
    return lambda s: s[to].append(what)


def renamed_app(settings: Settings) -> None:
    settings["apps"]["handbook"] = {"id": "wiki", **settings["apps"].pop("wiki")}
    settings["objects"] = [
        json.loads(json.dumps(each).replace('"wiki"', '"handbook"').replace('"wiki/', '"handbook/'))
        for each in settings["objects"]
    ]


SLUG = "an app gets another slug"
EDITS: dict[str, tuple[Edit, Steps]] = {
    "a group gets its own group of administrators": (
        lambda s: s["groups"].__setitem__(2, {"name": "board", "superuser": True}),
        {("update", GROUP, "board"): {"is_superuser"}},
    ),
    "a group is added": (added("groups", "guests"), {("create", GROUP, "guests"): set()}),
    "a person is called something else": (
        person("jane", name="Jane Roe"),
        {("update", USER, "jane"): {"name"}},
    ),
    "a person's address changes": (
        person("max", email="m.roe@acme.example"),
        {("update", USER, "max"): {"email"}},
    ),
    "a person is locked out": (person("wei", active=False), {("update", USER, "wei"): {"is_active"}}),
    "a person joins a group": (
        person("ben", groups=["staff"]),
        {("update", USER, "ben"): {"groups"}},
    ),
    "a person's groups in another order": (person("jane", groups=["engineering", "staff"]), {}),
    "a person is added": (
        added("people", {"username": "lea", "name": "Lea", "email": "lea@acme.example", "groups": ["staff"]}),
        {("create", USER, "lea"): set()},
    ),
    "a person goes": (lambda s: s["people"].pop(7), {("delete", USER, "tim"): set()}),
    "a person's first password is made anew": (
        lambda s: s.update(secrets={"generations": {"person/jane/password": 2}}),
        {("update", USER, "jane"): {"password"}},
    ),
    "an app moves": (
        app("grafana", url="https://graphs.acme.example"),
        {("update", OAUTH2, "grafana"): {"redirect_uris"}, ("update", APP, "grafana"): {"meta_launch_url"}},
    ),
    "an app is called something else": (app("wiki", name="Handbook"), {("update", APP, "wiki"): {"name"}}),
    "an app is opened to a group": (
        app("tickets", groups=["support", "board"]),
        {("create", BINDING, "tickets/board"): set()},
    ),
    "an app is closed to a group": (
        app("wiki", groups=["staff"]),
        {("delete", BINDING, "wiki/board"): set()},
    ),
    "an app may ask for more": (
        app("chat", scopes=["openid", "email", "profile", "offline_access"]),
        {("update", OAUTH2, "chat"): {"property_mappings", "grant_types"}},
    ),
    "an app's secret is made anew": (
        lambda s: s.update(secrets=ROTATED),
        {("update", OAUTH2, "wiki"): {"client_secret"}},
    ),
    "an app without login moves to another machine": (
        app("dash", upstream="http://dash2:8080"),
        {("update", PROXY, "dash"): {"internal_host"}},
    ),
    "an app is added": (
        lambda s: s["apps"].update(new=NEW),
        {("create", OAUTH2, "new"): set(), ("create", APP, "new"): set()},
    ),
    "an app without login goes": (
        lambda s: s["apps"].pop("printer"),
        {
            ("delete", PROXY, "printer"): set(),
            ("delete", APP, "printer"): set(),
            ("delete", BINDING, "printer/staff"): set(),
            ("update", OUTPOST, "authentik Embedded Outpost"): {"providers"},
        },
    ),
    SLUG: (
        renamed_app,
        {
            ("update", OAUTH2, "wiki"): {"name"},
            ("update", APP, "wiki"): {"name", "slug", "provider"},
            ("update", BINDING, "wiki/staff"): {"target"},
            ("update", BINDING, "wiki/board"): {"target"},
            ("update", "authentik_core.applicationentitlement", "wiki editors"): {"app"},
            ("update", BINDING, "wiki editors"): {"target"},
            ("update", BRAND, "authentik-default"): {"default_application"},
        },
    ),
    "a flow's title": (raw("acme-join", title="Come in"), {("update", FLOW, "acme-join"): {"title"}}),
    "blanks around an expression": (
        raw("acme-hours", expression="\n  return 8 <= ak_client_ip.version <= 18\n"),
        {},
    ),
    "an expression": (
        raw("acme-hours", expression="return True"),
        {("update", EXPRESSION, "acme-hours"): {"expression"}},
    ),
    "prompts in another order": (
        lambda s: raw_fields(s, "acme-questions")["fields"].reverse(),
        {},
    ),
    "one prompt less": (
        lambda s: raw_fields(s, "acme-questions")["fields"].remove("acme-email"),
        {("update", QUESTIONS, "acme-questions"): {"fields"}},
    ),
    "a step of a flow comes later": (raw("join 4", order=50), {("update", STEP, "join 4"): {"order"}}),
    "a field is left to authentik again": (
        unset("acme-deny", "deny_message"),
        {("update", DENY, "acme-deny"): {"deny_message"}},
    ),
    "new accounts get another group": (
        raw("acme-write", create_users_group="support"),
        {("update", WRITE, "acme-write"): {"create_users_group"}},
    ),
    "a member of a nested object": (
        lambda s: raw_fields(s, "auditors")["attributes"].update(weight=0.75),
        {("update", GROUP, "auditors"): {"attributes"}},
    ),
    "an adopted object": (
        raw("authentik-default", branding_title="Acme Inc."),
        {("update", BRAND, "authentik-default"): {"branding_title"}},
    ),
}
exact: set[str] = set()
UNWRITTEN = {
    ("update", BINDING, "wiki/staff"),
    ("update", BINDING, "wiki/board"),
    ("update", BINDING, "wiki editors"),
    ("update", "authentik_core.applicationentitlement", "wiki editors"),
    ("update", BRAND, "authentik-default"),
}
"""These only name what gets another name, and authentik knows it by its pk."""


@pytest.fixture(scope="module")
def declared() -> Settings:
    settings: Settings = yaml.safe_load((Path(__file__).parent / "twelve_apps.yaml").read_text())
    assert len(settings["apps"]) == 12
    assert sum(len(settings[name]) for name in ("groups", "people", "objects")) == 60
    return settings


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, declared: Settings) -> Iterator[BenchClient]:
    folder = tmp_path_factory.mktemp("edits")
    with PlainWorld(folder / "world", lambda _: None, memory=True).running() as world:
        client = BenchClient(folder / "project", world, **copy.deepcopy(declared), secrets={})
        client.pulumi("up")
        yield client


def test_a_second_up_changes_nothing(client: BenchClient) -> None:
    client.pulumi("up", "--expect-no-changes")
    client.pulumi("preview", "--refresh", "--expect-no-changes")


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_previewed_as_itself(client: BenchClient, declared: Settings, name: str) -> None:
    edit, expected = EDITS[name]
    settings = {"secrets": {}, **copy.deepcopy(declared)}
    edit(settings)
    client.edit(**settings)
    assert previewed(client) == expected
    exact.add(name)


def test_every_edit_was_exact() -> None:
    """Counts what has passed before it in this module."""
    assert len(EDITS) == 30
    record("test", single_edits_exact=(len(exact), len(EDITS)))
    assert exact == EDITS.keys()


@pytest.mark.parametrize("first", range(0, 30, 10))
def test_what_is_written_is_what_was_previewed(client: BenchClient, declared: Settings, first: int) -> None:
    """Ten edits at a time, since most have nothing to do with each other; back again afterwards."""
    settings = {"secrets": {}, **copy.deepcopy(declared)}
    expected = set()
    edits = list(EDITS.items())[first : first + 10]
    for _, (edit, steps) in edits:
        edit(settings)
        expected |= steps.keys()
    expected -= {("update", *step[1:]) for step in expected if step[0] == "delete"}
    client.edit(**settings)
    assert previewed(client).keys() == expected
    assert written(client) == expected - (UNWRITTEN if SLUG in dict(edits) else set())
    client.pulumi("preview", "--expect-no-changes")
    client.edit(**copy.deepcopy(declared), secrets={})
    client.pulumi("up")


def test_what_a_plain_preview_cannot_know_shows_when_it_looks(
    client: BenchClient, declared: Settings
) -> None:
    settings = copy.deepcopy(declared)
    raw("partner.acme.example", flow_recovery="nowhere")(settings)
    settings["objects"] += [
        {
            "kind": "authentik_flows.flow",
            "name": "default-invalidation-flow",
            "fields": {"title": "Bye"},
            "adopt": True,
        },
        {"kind": BRAND, "name": "shop.acme.example", "fields": {"flow_unenrollment": "hand-made"}},
    ]
    flow = {"slug": "hand-made", "name": "x", "title": "x", "designation": "unenrollment"}
    client.api.post("/api/v3/flows/instances/", json=flow).raise_for_status()
    client.edit(**settings, secrets={})
    said = client.project.gatehouse("preview", "acme")
    assert "'nowhere' is neither declared here nor a default object" in said
    assert "'hand-made' is neither declared here nor a default object" in said
    said = client.project.gatehouse("preview", "acme", "--refresh", check=False)
    assert "flow_recovery names 'nowhere', and there is no such flow" in said
    assert "flow_unenrollment names" not in said

    unset("partner.acme.example", "flow_recovery")(settings)
    client.edit(**settings)
    said = client.project.gatehouse("preview", "acme", "--refresh")
    assert "takes over flow 'default-invalidation-flow'" in said
    assert 'changes title: "Default Invalidation Flow" => "Bye"' in said
    assert "2 to create" in said


def previewed(client: BenchClient) -> Steps:
    """What a preview says that it would do."""
    said = client.pulumi("preview", "--json")
    document = json.loads(said[said.index("{\n") :])
    told = "\n".join(each["message"] for each in document.get("diagnostics", ()))
    steps: Steps = {}
    for step in document["steps"]:
        if step["op"] == "same":
            continue
        old, new = (step.get(state, {}).get("inputs", {}) for state in ("oldState", "newState"))
        changed = {field for field in {*old, *new} if old.get(field) != new.get(field)}
        _, _, token, logical = step["urn"].split("::", 3)
        kind = token.rpartition("dynamic/")[2].replace(":", ".")
        changed.update(re.findall(rf"^{re.escape(logical)}: (\w+) changes; the value is secret", told, re.M))
        steps[step["op"], kind, logical] = changed if step["op"] == "update" else set()
    return steps


def written(client: BenchClient) -> set[tuple[str, str, str]]:
    """Bring the client up; what authentik was asked to write, in the words of a preview."""
    before = held(client)
    client.api.delete("/_bench/journal")
    client.pulumi("up")
    known = before | held(client)
    made = {("create", *each) for each in set(known.values()) - set(before.values())}
    steps, posts = set(), 0
    for each in client.api.get("/_bench/journal").json():
        if each["method"] == "GET" or each["path"].startswith("/_bench/"):
            continue
        place, one = each["path"].removeprefix("/api/v3"), ""
        posts += any(place == path for path, _ in known)
        while (place, one) not in known and place.count("/") > 2:  # the object itself, or a call of its own
            place, _, one = place.rstrip("/").rpartition("/")
            place += "/"
        if (place, one) in known:
            steps.add(("delete" if each["method"] == "DELETE" else "update", *known[place, one]))
    assert posts == len(made)
    return {step for step in steps if ("create", *step[1:]) not in made} | made


def held(client: BenchClient) -> dict[tuple[str, str], tuple[str, str]]:
    """(list, what names it in a URL) -> (kind, name in the state) of everything that the state has."""
    line = Line("2026.8")
    found = {}
    for each in client.latest()["resources"]:
        if META in each.get("outputs", {}):
            kind = line.kind(each["outputs"][META]["kind"])
            one = each["id"] if kind.url == kind.pk else each["outputs"][kind.url]
            found[kind.path, str(one)] = (kind.name, each["outputs"][META]["logical"])
    return found
