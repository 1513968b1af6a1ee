"""Replacing a resource, renaming it or moving it in the tree takes nothing away from authentik."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bench.plain import PlainWorld
from tests.operations.client import BenchClient

pytestmark = pytest.mark.engine

# The program, with the names and places of its resources in the state as moves.json says.
PROGRAM = """
from __future__ import annotations
import json
import runpy
from pathlib import Path
import pulumi
from components.identity import registration
from components.identity.plan import Plan

moves = json.loads(Path("moves.json").read_text())
whole, class_of = Plan.add, registration.resource_class


def add(self, kind, name, fields, **options):
    move = moves.get(kind, {})
    if "suffix" in move:
        options["logical_name"] = (options.get("logical_name") or name) + move["suffix"]
    whole(self, kind, name, fields, **options | {key: move[key] for key in ("adopt",) if key in move})


def placed(kind):
    def make(*args, opts, **more):
        if "parent" in moves.get(kind, {}):
            place = pulumi.ComponentResource("test:place:Place", kind.replace(".", "-"))
            opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(parent=place))
        return class_of(kind)(*args, opts=opts, **more)
    return make


registration.resource_class = placed
Plan.add = add
runpy.run_path("program.py", run_name="__main__")
"""
KINDS = {
    "authentik_core.group": ("group", "staff"),
    "authentik_core.user": ("user", "jane"),
    "authentik_providers_oauth2.oauth2provider": ("provider", "grafana"),
    "authentik_core.application": ("application", "grafana"),
    "authentik_policies.policybinding": ("binding", "grafana/staff"),
}
JANE = {"username": "jane", "name": "Jane Doe", "email": "jane@acme.example", "groups": ["staff"]}
GRAFANA = {"preset": "grafana", "url": "https://grafana.acme.example", "groups": ["staff"]}


class Moving(BenchClient):
    """A client whose program can be told to name or place its resources otherwise."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.moves: dict[str, dict[str, Any]] = {}
        program = self.project.folder / "__main__.py"
        program.rename(program.with_name("program.py"))
        program.write_text(PROGRAM)
        self.move()

    def move(self, kind: str = "", **how: Any) -> None:
        """Name or place the resources of this kind otherwise from now on."""
        if kind:
            self.moves.setdefault(kind, {}).update(how)
        (self.project.folder / "moves.json").write_text(json.dumps(self.moves))

    def urn(self, kind: str) -> str:
        """The URN of the one resource of a kind that is named in KINDS."""
        token = f"pulumi-python:dynamic/{kind.replace('.', ':')}"
        (urn,) = [each["urn"] for each in self.latest()["resources"] if each["type"] == token]
        return str(urn)

    def pks(self) -> dict[str, list[str]]:
        """What there is in authentik, by what tells one object from another."""
        return {word: sorted(str(each["pk"]) for each in self.all(word)) for word, _ in KINDS.values()}

    def whole(self) -> None:
        """See that all objects are there once and hang together."""
        assert {word: len(self.all(word)) for word, _ in KINDS.values()} == dict.fromkeys(self.pks(), 1)
        (group,), (user,), (provider,), (application,), (binding,) = (
            self.all(word) for word, _ in KINDS.values()
        )
        assert [each["name"] for each in user["groups_obj"]] == ["staff"]
        assert application["provider"] == provider["pk"]
        assert (binding["group"], binding["target"]) == (group["pk"], application["pk"])
        assert provider["client_id"] == self.secrets.value("app/grafana/client-id")
        assert self.can_log_in("jane")


@pytest.fixture(scope="module")
def moving(tmp_path_factory: pytest.TempPathFactory, world: PlainWorld) -> Iterator[Moving]:
    client = Moving(
        tmp_path_factory.mktemp("replace") / "project", world,
        groups=["staff"], people=[JANE], apps={"grafana": GRAFANA},
    )  # fmt: skip
    client.pulumi("up")
    yield client
    client.pulumi("destroy", "--run-program")
    client.end()


@pytest.mark.parametrize("kind", KINDS)
def test_replace(moving: Moving, kind: str) -> None:
    said = moving.pulumi("up", "--replace", moving.urn(kind))
    assert "replaced" in said
    moving.whole()


def test_after_that_nothing_is_to_be_done(moving: Moving) -> None:
    moving.pulumi("preview", "--refresh", "--expect-no-changes")


@pytest.mark.parametrize("kind", KINDS)
def test_another_logical_name_is_refused_until_it_may_take_over(moving: Moving, kind: str) -> None:
    before = moving.pks()
    moving.move(kind, suffix="-renamed")
    said = moving.pulumi("up", check=False)
    assert "is there already" in said
    assert "`adopt: true`" in said
    assert moving.pks() == before
    moving.move(kind, adopt=True)
    assert "kept: this run has just taken it over under another name" in moving.pulumi("up")
    assert moving.pks() == before
    assert moving.urn(kind).endswith("-renamed")
    moving.whole()


@pytest.mark.parametrize("kind", KINDS)
def test_another_parent(moving: Moving, kind: str) -> None:
    before = moving.pks()
    moving.move(kind, parent=True)
    assert "kept: this run has just taken it over under another name" in moving.pulumi("up")
    assert moving.pks() == before
    assert "test:place:Place$" in moving.urn(kind)
    moving.whole()


def test_after_all_that_nothing_is_to_be_done(moving: Moving) -> None:
    moving.pulumi("preview", "--refresh", "--expect-no-changes")
