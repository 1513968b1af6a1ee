"""`login-check` goes by what authentik says, whatever lists the stack file has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from bench.plain import PlainWorld
from tests.cases.test_index import HERE
from tests.operations.client import BenchClient

pytestmark = pytest.mark.engine
NESTED: dict[str, Any] = {
    name.removeprefix("gatehouse:"): value
    for name, value in yaml.safe_load((HERE / "files" / "nested.yaml").read_text()).items()
}
OUTSIDE = {"username": "mike", "name": "Mike", "email": "mike@acme.example"}
GONE = {
    "username": "olga",
    "name": "Olga",
    "email": "olga@acme.example",
    "groups": ["users"],
    "active": False,
}


@pytest.fixture(scope="module")
def client(world: PlainWorld, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BenchClient]:
    # The group above is of the stack; that of the person is a raw object.
    people = [*NESTED["people"], OUTSIDE, GONE]
    dash = {
        "protocol": "proxy",
        "url": "https://dash.acme.example",
        "upstream": "http://dash",
        "groups": ["users"],
    }
    settings = {**NESTED, "people": people, "apps": {**NESTED["apps"], "dash": dash}}
    client = BenchClient(tmp_path_factory.mktemp("client"), world, **settings)
    client.up()
    yield client
    client.end()


@pytest.mark.case("nested")
def test_a_person_in_a_group_below_gets_in(client: BenchClient) -> None:
    said = client.project.gatehouse("login-check", "acme")
    assert "as declared  cloud: jane2 may log in; logged in" in said
    assert "as declared  cloud: mike may not; refused" in said
    assert "as declared  cloud: olga may not, being not active; refused" in said
    assert "NOT" not in said
    assert "not checked  dash: with `box: none`, gatehouse has no proxy in front of it" in said
    # A policy beside the group lets everybody in: that is authentik's word, and not the file's.
    policy = {"name": "everybody", "expression": "return True"}
    made = client.api.post("/api/v3/policies/expression/", json=policy).raise_for_status().json()
    binding = {"target": client.one("application", "cloud")["pk"], "policy": made["pk"], "order": 5}
    client.api.post("/api/v3/policies/bindings/", json=binding).raise_for_status()
    said = client.project.gatehouse("login-check", "acme", check=False)
    assert "NOT as declared  cloud: mike may not; logged in" in said
    client.api.delete(f"/api/v3/policies/expression/{made['pk']}/").raise_for_status()
    # Shut by hand: somebody whom the file lets in stays outside.
    target = client.one("application", "cloud")["pk"]
    (bound,) = [each for each in client.all("binding") if each["target"] == target]
    shut = {**{name: bound[name] for name in ("target", "group", "order")}, "negate": True}
    client.api.patch(f"/api/v3/policies/bindings/{bound['pk']}/", json=shut).raise_for_status()
    said = client.project.gatehouse("login-check", "acme", check=False)
    assert "NOT as declared  cloud: jane2 may log in; refused" in said
    open_again = {**shut, "negate": False}
    client.api.patch(f"/api/v3/policies/bindings/{bound['pk']}/", json=open_again).raise_for_status()


def test_what_the_file_does_not_decide_is_as_authentik_says(client: BenchClient) -> None:
    """A policy beside the group is a condition, and what it says is known to authentik alone."""
    objects = [
        *NESTED["objects"],
        {
            "kind": "authentik_policies_expression.expressionpolicy", "name": "not-nora",
            "fields": {"expression": "return request.user.username != 'nora'"},
        },
        {
            "kind": "authentik_policies.policybinding", "name": "cloud: not-nora",
            "fields": {"target": "authentik_core.application:cloud", "order": 9, "policy": "not-nora"},
        },
    ]  # fmt: skip
    nora = {**NESTED["people"][0], "username": "nora", "email": "nora@acme.example"}
    client.edit(objects=objects, people=[*NESTED["people"], nora])
    client.up()
    said = client.project.gatehouse("login-check", "acme")
    assert "as authentik says  cloud: jane2 may log in; logged in" in said
    assert "as authentik says  cloud: nora may not; refused" in said
    assert "NOT" not in said
