"""Who may use an app: groups and people are alternatives, policies are conditions, and both must hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.plain import PlainWorld
from tests.operations.client import BenchClient

pytestmark = pytest.mark.engine

FILES = Path(__file__).parent / "files"
PEOPLE = [
    {"username": name, "name": name.title(), "email": f"{name}@acme.example", "groups": groups}
    for name, groups in (("ina", ["p-staff"]), ("bo", ["board"]), ("out", []))
]
POLICIES = [
    {
        "kind": "authentik_policies_expression.expressionpolicy",
        "name": name,
        "fields": {"expression": expression},
    }
    for name, expression in (("open", "return True"), ("closed", "return False"))
]
MEMBERS = ["p-staff", "board"]


def app(**who: Any) -> dict[str, Any]:
    return {"protocol": "oidc", "redirectUris": ["https://x.acme.example/cb"], **who}


WHO: dict[str, tuple[dict[str, Any], set[str]]] = {
    "group": ({"groups": ["p-staff"], "policies": ["open"]}, {"ina"}),
    "groups": ({"groups": MEMBERS, "policies": ["open"]}, {"ina", "bo"}),
    "people": ({"groups": ["board"], "users": ["out"], "policies": ["open"]}, {"bo", "out"}),
    "nobody": ({"groups": MEMBERS, "policies": ["open", "closed"]}, set()),
    "either": ({"groups": ["board"], "policies": ["closed"], "require": "any"}, {"bo"}),
    "plain": ({"groups": MEMBERS, "users": ["out"]}, {"ina", "bo", "out"}),
    "all": ({"everyone": True}, {"ina", "bo", "out"}),
    "none": ({"everyone": True, "policies": ["closed"]}, set()),
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BenchClient]:
    folder = tmp_path_factory.mktemp("access")
    with PlainWorld(folder / "world", lambda _: None, memory=True).running() as world:
        client = BenchClient(folder / "project", world)
        yield client
        client.end()


def admitted(client: BenchClient, slug: str) -> set[str]:
    """Whom authentik lets in, of the file's people."""
    found = set()
    for person in client.all("user"):
        answer = client.api.get(
            f"/api/v3/core/applications/{slug}/check_access/", params={"for_user": person["pk"]}
        )
        if answer.raise_for_status().json()["passing"]:
            found.add(person["username"])
    return found


@pytest.mark.case("polmode")
def test_raw_bindings_of_policies_are_conditions(client: BenchClient) -> None:
    settings = yaml.safe_load((FILES / "polmode.yaml").read_text())
    client.edit(**{name.removeprefix("gatehouse:"): value for name, value in settings.items()})
    client.pulumi("up")
    assert admitted(client, "wiki") == {"ina"}
    assert admitted(client, "crm") == set()


@pytest.mark.case("polmode")
def test_groups_are_alternatives_and_policies_conditions(client: BenchClient) -> None:
    apps = {key: app(url=f"https://{key}.acme.example", **who) for key, (who, _) in WHO.items()}
    client.edit(groups=MEMBERS, people=PEOPLE, objects=POLICIES, apps=apps)
    client.pulumi("up")
    assert {key: admitted(client, key) for key in WHO} == {key: people for key, (_, people) in WHO.items()}
    client.pulumi("preview", "--refresh", "--expect-no-changes")
