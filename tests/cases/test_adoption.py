"""What was there before is taken over, and keeps all that the stack file does not say itself."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.plain import PlainWorld
from tests.operations.client import BenchClient

pytestmark = pytest.mark.engine

FILES = Path(__file__).parent / "files"
BY_HAND = "Provider for Grafana"
ADMINS = "authentik Admins"
VOLATILE = {"last_updated", "last_login", "password_change_date"}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[BenchClient]:
    with PlainWorld(tmp_path / "world", lambda _: None, memory=True).running() as world:
        world.wait_for_flows()  # by which things are made by hand
        client = BenchClient(tmp_path / "project", world)
        yield client
        client.end()


def file(case: str) -> dict[str, Any]:
    """The settings of a case's file."""
    settings = yaml.safe_load((FILES / f"{case}.yaml").read_text())
    return {name.removeprefix("gatehouse:"): value for name, value in settings.items()}


def held(client: BenchClient) -> dict[str, dict[str, Any]]:
    """Groups, people, providers, applications, bindings and outposts, with every field that the server keeps."""
    whole = client.api.get("/_bench/state").raise_for_status().json()
    kinds = ("core/groups", "core/users", "providers/oauth2", "providers/saml", "core/applications",
             "policies/bindings", "outposts/instances")  # fmt: skip
    return {
        f"{kind} {pk}": {name: value for name, value in item.items() if name not in VOLATILE}
        for kind in kinds
        for pk, item in whole.get(f"/{kind}/", {}).items()
    }


def changed(before: dict[str, dict[str, Any]], after: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What is not as it was: fields of objects with their values now, new objects whole, None for one that is gone."""
    found: dict[str, Any] = {}
    for key in {*before, *after}:
        if key not in after or key not in before:
            found[key] = after.get(key)
        elif before[key] != after[key]:
            names = {*before[key], *after[key]}
            found[key] = {
                name: after[key].get(name) for name in names if before[key].get(name) != after[key].get(name)
            }
    return found


def make(client: BenchClient, path: str, /, **fields: Any) -> dict[str, Any]:
    """Make an object by hand."""
    answer = client.api.post(f"/api/v3/{path}/", json=fields)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def first(client: BenchClient, path: str, /, **filters: str) -> Any:
    return client.api.get(f"/api/v3/{path}/", params=filters).raise_for_status().json()["results"][0]["pk"]


def made_by_hand(client: BenchClient) -> dict[str, Any]:
    """A group, a person who is locked out, and an app as authentik's wizard makes it, each with settings of its own."""
    others = make(client, "core/groups", name="others")
    group = make(client, "core/groups", name="engineering", attributes={"floor": 3}, is_superuser=False)
    jane = make(
        client, "core/users", username="jane", name="Jane D.", email="jane@old.example", is_active=False,
        path="users/old", attributes={"telephone": "1"}, groups=[others["pk"]],
    )  # fmt: skip
    mapping = make(
        client, "propertymappings/provider/scope", name="roles", scope_name="roles", expression="return {}"
    )
    flow = first(client, "flows/instances", slug="default-provider-authorization-explicit-consent")
    provider = make(
        client, "providers/oauth2", name=BY_HAND, authorization_flow=flow,
        invalidation_flow=first(client, "flows/instances", slug="default-provider-invalidation-flow"),
        redirect_uris=[{"matching_mode": "regex", "url": "https://grafana.acme.example/.*"}],
        sub_mode="user_email", property_mappings=[mapping["pk"]], access_token_validity="minutes=7",
        client_type="confidential", grant_types=["authorization_code", "client_credentials"],
    )  # fmt: skip
    make(
        client, "core/applications", name="Grafana of old", slug="grafana", provider=provider["pk"],
        meta_description="Dashboards", meta_launch_url="https://grafana.acme.example/d/1",
    )  # fmt: skip
    return {"group": group, "jane": jane, "provider": provider}


def follow(client: BenchClient, said: str, answer: str) -> None:
    """Type each command that a refusal names as it stands, and answer the one that asks for something."""
    command = r"pulumi config set --secret --path '[^']+' --stack acme(?: [A-Za-z0-9]+)?"
    commands = list(dict.fromkeys(re.findall(command, said)))
    assert len(commands) == 2, said
    for each in commands:
        asks = f"{each} (it asks for the client_secret" in said
        client.project.pulumi(*shlex.split(each)[1:], given=answer if asks else None)


@pytest.mark.case("adopt")
def test_what_was_there_keeps_all_that_the_file_does_not_say(client: BenchClient) -> None:
    by_hand = made_by_hand(client)
    before = held(client)
    client.edit(**file("adopt"))

    plain = client.project.gatehouse("preview", "acme")
    assert "takes over group 'engineering', if it is there (--refresh shows what that changes)" in plain
    refused = client.project.gatehouse("preview", "acme", "--refresh", check=False)
    assert f"OAuth2 provider '{BY_HAND}' is there and has another client_id and client_secret" in refused
    assert "another client_id and client_secret" in client.up(check=False)
    assert held(client) == before
    provider = by_hand["provider"]
    assert provider["client_secret"] not in refused
    follow(client, refused, provider["client_secret"])

    shown = client.project.gatehouse("preview", "acme", "--refresh")
    assert f"takes over OAuth2 provider '{BY_HAND}'" in shown
    assert 'email: "jane@old.example" => "jane@acme.example"' in shown
    assert 'groups: ["others"] => ["engineering"]' in shown
    assert "takes over group 'engineering' (pk " in shown
    client.up()
    jane = f"core/users {by_hand['jane']['pk']}"
    after = changed(before, held(client))
    assert after.pop(jane) == {
        "name": "Jane Doe",
        "email": "jane@acme.example",
        "groups": [by_hand["group"]["pk"]],
    }
    [(binding, made)] = after.items()
    assert binding.startswith("policies/bindings ")
    assert made["group"] == by_hand["group"]["pk"]
    told = client.project.gatehouse("outputs", "acme", "--json")
    assert provider["client_id"] in told
    client.project.gatehouse("preview", "acme", "--refresh", "--expect-no-changes")

    client.project.gatehouse("destroy", "acme", "--confirm", "acme")
    assert changed(before, held(client)) == {}


@pytest.mark.case("admins")
def test_a_person_joins_the_administrators_and_no_right_is_taken_away(client: BenchClient) -> None:
    before = held(client)
    written = file("admins")
    client.edit(**written | {"groups": ["staff"]})
    said = client.up(check=False)
    assert f"there is no group '{ADMINS}'" in said
    assert f"Add {{name: {ADMINS}, adopt: true}} to gatehouse:groups" in said
    client.edit(groups=["staff", ADMINS])
    said = client.project.gatehouse("preview", "acme", "--refresh", check=False)
    assert "take over what is there with `adopt: true`" in said
    assert held(client) == before
    client.edit(**written)
    client.up()
    [lee, staff] = changed(before, held(client)).values()
    assert {lee.get("username"), staff.get("username")} == {"lee", None}
    assert "lee" in [each["username"] for each in administrators(client)]

    takes_away = {"name": ADMINS, "adopt": True, "superuser": False}
    after = held(client)
    client.edit(groups=["staff", takes_away])
    for refused in (
        client.project.gatehouse("preview", "acme", "--refresh", check=False),
        client.up(check=False),
    ):
        assert "Nothing was touched:" in refused
        assert "the account that this stack works with, 'akadmin', would lose its rights" in refused
        assert f"group '{ADMINS}' would no longer make its people administrators" in refused
    assert "would lose its rights" in client.pulumi("up", check=False)
    assert held(client) == after
    client.edit(**written)
    client.project.gatehouse("preview", "acme", "--refresh", "--expect-no-changes")
    client.project.gatehouse("destroy", "acme", "--confirm", "acme")
    assert changed(before, held(client)) == {}


def administrators(client: BenchClient) -> list[dict[str, Any]]:
    """Everybody whom authentik itself calls a superuser."""
    found = client.api.get("/api/v3/core/users/", params={"page_size": 100}).json()["results"]
    return [each for each in found if each["is_superuser"]]
