"""A client with 12 apps and 60 other objects: each edit of its stack file previews, and is made, as itself alone."""

from __future__ import annotations

import copy
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml

from bench.plain import PlainWorld
from components.identity.kinds import ReleaseLine
from tests.operations.client import BenchClient

pytestmark = pytest.mark.engine

Settings = dict[str, Any]
Edit = Callable[[Settings], object]
Steps = dict[tuple[str, str, str], set[str]]
"""(what is done, kind, name in state) -> changed fields; for what is made or deleted: none."""

LINE = ReleaseLine("2026.8")
GROUP, USER, BINDING = "authentik_core.group", "authentik_core.user", "authentik_policies.policybinding"
ACCESS = "gatehouse.access"
OAUTH2, PROXY = "authentik_providers_oauth2.oauth2provider", "authentik_providers_proxy.proxyprovider"
APP, OUTPOST = "authentik_core.application", "authentik_outposts.outpost"
PROMPT, QUESTIONS = "authentik_stages_prompt.prompt", "authentik_stages_prompt.promptstage"
EXPRESSION, FLOW = "authentik_policies_expression.expressionpolicy", "authentik_flows.flow"
STEP, BRAND = "authentik_flows.flowstagebinding", "authentik_brands.brand"
WRITE, DENY = "authentik_stages_user_write.userwritestage", "authentik_stages_deny.denystage"
NEW = {
    "everyone": True,
    "protocol": "oidc",
    "url": "https://new.acme.example",
    "redirectUris": ["https://new.acme.example/cb"],
}


def person(username: str, /, **fields: Any) -> Edit:
    """Change somebody's settings."""
    return lambda s: next(each for each in s["people"] if each["username"] == username).update(fields)


def app(key: str, /, **fields: Any) -> Edit:
    """Change an app's settings."""
    return lambda s: s["apps"][key].update(fields)


def raw(name: str, /, **fields: Any) -> Edit:
    """Change fields of a raw object."""
    return lambda s: raw_fields(s, name).update(fields)


def anew(secret: str) -> Edit:
    """Make a derived secret anew."""
    return lambda s: s["secrets"]["generations"].update({secret: 2})


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
    "a person goes": (lambda s: s["people"].pop(), {("delete", USER, "tim"): set()}),
    "a person's first password is made anew": (
        anew("person/jane/password"),
        {("update", USER, "jane"): {"password"}},
    ),
    "an app moves": (
        app("grafana", url="https://graphs.acme.example"),
        {
            ("update", OAUTH2, "grafana"): {"redirect_uris", "logout_uri"},
            ("update", APP, "grafana"): {"meta_launch_url"},
        },
    ),
    "an app is called something else": (app("wiki", name="Handbook"), {("update", APP, "wiki"): {"name"}}),
    "an app is opened to a group": (
        app("tickets", groups=["support", "board"]),
        {("create", BINDING, "tickets/board"): set(), ("update", ACCESS, "tickets"): {"bindings"}},
    ),
    "an app is closed to a group": (
        app("wiki", groups=["staff"]),
        {("delete", BINDING, "wiki/board"): set(), ("update", ACCESS, "wiki"): {"bindings"}},
    ),
    "an app may ask for more": (
        app("chat", scopes=["openid", "email", "profile", "offline_access"]),
        {("update", OAUTH2, "chat"): {"property_mappings", "grant_types"}},
    ),
    "an app's secret is made anew": (
        anew("app/wiki/client-secret"),
        {("update", OAUTH2, "wiki"): {"client_secret"}},
    ),
    "an app without login moves to another machine": (
        app("dash", upstream="http://dash2:8080"),
        {("update", PROXY, "dash"): {"internal_host"}},
    ),
    "an app is added": (
        lambda s: s["apps"].update(new=NEW),
        {("create", OAUTH2, "new"): set(), ("create", APP, "new"): set(), ("create", ACCESS, "new"): set()},
    ),
    "an app without login goes": (
        lambda s: s["apps"].pop("printer"),
        {
            ("delete", PROXY, "printer"): set(),
            ("delete", APP, "printer"): set(),
            ("delete", ACCESS, "printer"): set(),
            ("delete", BINDING, "printer/staff"): set(),
            ("update", OUTPOST, "authentik Embedded Outpost"): {"providers"},
        },
    ),
    "an app gets another slug": (
        renamed_app,
        {
            ("update", OAUTH2, "wiki"): {"name"},
            ("update", APP, "wiki"): {"name", "slug"},
            ("update", ACCESS, "wiki"): {"application", "provider"},
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
FOLLOWS: dict[str, Steps] = {
    "an app gets another slug": {
        ("update", ACCESS, "wiki"): {"application", "provider"},
        ("update", BINDING, "wiki/staff"): {"target"},
        ("update", BINDING, "wiki/board"): {"target"},
        ("update", "authentik_core.applicationentitlement", "wiki editors"): {"app"},
        ("update", BINDING, "wiki editors"): {"target"},
        ("update", BRAND, "authentik-default"): {"default_application"},
    },
}
"""What is previewed since it names something that is renamed: authentik has a pk there, which stays as it is."""
RETIRING = {
    "a person's first password is made anew": "person/jane/password",
    "an app's secret is made anew": "app/wiki/client-secret",
    "a person goes": "person/tim/password",
}
"""What is retired by an edit: nobody gets in with it again, so that the way back has the next one."""
LASTING = ("a person's first password is made anew", "an app's secret is made anew")
"""Edits without a way back."""
BOOKKEEPING = "gatehouse"
"""The input that says of a resource what nobody wrote; it changes too when a setting is first written."""
CLOCKS = {"last_updated", "password_change_date"}
"""What authentik changes by itself at a write."""
ROUNDS = 5
"""Every fifth edit in one run: none of these undoes, hides or contains another."""
UNDOING = {"create": "delete", "delete": "create", "update": "update"}
exact: set[str] = set()
applied: set[str] = set()


@pytest.fixture(scope="module")
def declared() -> Settings:
    settings: Settings = yaml.safe_load((Path(__file__).parent / "twelve_apps.yaml").read_text())
    assert len(settings["apps"]) == 12
    assert sum(len(settings[name]) for name in ("groups", "people", "objects")) == 60
    return {**settings, "secrets": {"generations": {}}}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, declared: Settings) -> Iterator[BenchClient]:
    folder = tmp_path_factory.mktemp("edits")
    with PlainWorld(folder / "world", lambda _: None, memory=True).running() as world:
        client = BenchClient(folder / "project", world, **copy.deepcopy(declared))
        client.pulumi("up")
        yield client


def test_a_second_up_changes_nothing(client: BenchClient) -> None:
    client.pulumi("up", "--expect-no-changes")
    client.pulumi("preview", "--refresh", "--expect-no-changes")


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_is_previewed_as_itself(client: BenchClient, declared: Settings, name: str) -> None:
    edit, expected = EDITS[name]
    settings = copy.deepcopy(declared)
    edit(settings)
    client.edit(**settings)
    assert previewed(client) == expected
    exact.add(name)


def test_every_edit_was_exact(record_figure: Callable[..., None]) -> None:
    """Counts what has passed before it in this module."""
    assert len(EDITS) == 30
    record_figure("test", single_edits_exact=(len(exact), len(EDITS)))
    assert exact == EDITS.keys()


@pytest.mark.parametrize("number", range(ROUNDS))
def test_edits_write_what_was_previewed_and_nothing_else(
    client: BenchClient, declared: Settings, number: int
) -> None:
    """Several edits in one run, and the way back."""
    names = list(EDITS)[number::ROUNDS]
    settings = copy.deepcopy(declared)
    expected: Steps = {}
    back: Steps = {}
    for name in names:
        edit, steps = EDITS[name]
        edit(settings)
        for step, fields in steps.items():
            follows = FOLLOWS.get(name, {}).get(step, set())
            if step[1] != ACCESS and (not fields or fields - follows):  # an access is no object of its own
                expected.setdefault(step, set()).update(fields - follows)
                if name not in LASTING:
                    back.setdefault((UNDOING[step[0]], *step[1:]), set()).update(fields - follows)
    declared["secrets"]["generations"] |= {RETIRING[name]: 2 for name in names if name in RETIRING}
    try:
        assert written(client, settings) == expected
        client.pulumi("preview", "--refresh", "--expect-no-changes")
    finally:
        undone = written(client, declared)
    assert undone == back
    applied.update(names)


def test_every_edit_wrote_what_it_should(client: BenchClient, record_figure: Callable[..., None]) -> None:
    """Counts what has passed before it in this module."""
    record_figure("test", edits_applied_exact=(len(applied), len(EDITS)))
    assert applied == EDITS.keys()
    client.pulumi("preview", "--refresh", "--expect-no-changes")


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
    client.edit(**settings)
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


def written(client: BenchClient, settings: Settings) -> Steps:
    """Bring the client to these settings; what authentik was told to do meanwhile, to each object once."""
    before, names = state(client), in_state(client)
    client.edit(**copy.deepcopy(settings))
    client.api.delete("/_bench/journal").raise_for_status()
    client.pulumi("up")
    journal = client.api.get("/_bench/journal").raise_for_status().json()
    after, names = state(client), names | in_state(client)
    done: list[tuple[str, str, str]] = []
    for entry in journal:
        if entry["method"] == "GET":
            continue
        assert entry["status"] < 300, entry
        path = entry["path"].removeprefix("/api/v3")
        label = next(each for each in LINE.labels() if path.startswith(LINE.path(each)))
        kind, old, new = LINE.kind(label), before.get(LINE.path(label), {}), after.get(LINE.path(label), {})
        part = unquote(path.removeprefix(kind.path).partition("/")[0])
        if not part:  # which one was made is not in the request
            done.append(("create", label, ""))
            continue
        (pk,) = {pk for items in (old, new) for pk, item in items.items() if str(item[kind.url]) == part}
        deleted = entry["method"] == "DELETE"
        if pk in old and (
            pk in new or deleted
        ):  # not the second step for one that was made, or the first for one gone
            done.append(("delete" if deleted else "update", label, pk))
    assert all(times == 1 for (what, *_), times in Counter(done).items() if what != "create"), done
    steps: Steps = {}
    for what, label, pk in done:
        old, new = before.get(LINE.path(label), {}), after.get(LINE.path(label), {})
        if what == "update":
            fields = {name for name in {*old[pk], *new[pk]} if old[pk].get(name) != new[pk].get(name)}
            steps[what, label, names[label, pk]] = {name.lstrip("_") for name in fields - CLOCKS}
        elif what == "delete":
            steps[what, label, names[label, pk]] = set()
        else:
            made = new.keys() - old.keys()
            assert len(made) == done.count((what, label, pk))
            steps |= {(what, label, names[label, each]): set() for each in made}
    return steps


def state(client: BenchClient) -> dict[str, dict[str, Settings]]:
    """All that authentik holds: kind's path -> pk -> object."""
    found: dict[str, dict[str, Settings]] = client.api.get("/_bench/state").raise_for_status().json()
    return found


def in_state(client: BenchClient) -> dict[tuple[str, str], str]:
    """(kind, pk) -> name in state."""
    names = {}
    for each in client.latest()["resources"]:
        if "dynamic/" in each["type"]:
            kind = each["type"].rpartition("dynamic/")[2].replace(":", ".")
            names[kind, each["id"]] = each["urn"].split("::", 3)[3]
    return names


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
        changed = {field for field in {*old, *new} - {BOOKKEEPING} if old.get(field) != new.get(field)}
        _, _, token, logical = step["urn"].split("::", 3)
        kind = token.rpartition("dynamic/")[2].replace(":", ".")
        changed.update(re.findall(rf"^{re.escape(logical)}: (\w+) changes; the value is secret", told, re.M))
        steps[step["op"], kind, logical] = changed if step["op"] == "update" else set()
    return steps
