"""The reference page of all kinds, and its examples."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter

from bench.plain import PlainWorld
from components.identity import catalog
from components.identity.kinds import ReleaseLine
from components.identity.plan import Plan
from components.settings.forms import Kind
from tests.operations.client import BenchClient
from tools.kinds_page import load_examples, page


@pytest.mark.parametrize("line", catalog.lines())
def test_every_kind_and_field_is_there(line: str) -> None:
    sections = {part.partition("\n")[0]: part.partition("\n## ")[0] for part in page().split("\n### ")[1:]}
    known = ReleaseLine(line)
    for label in known.declarable():
        rows = {row.split("`")[1] for row in sections[label].splitlines() if row.startswith("| `")}
        assert known.fields(label).keys() <= rows, label


@pytest.mark.parametrize("line", catalog.lines())
def test_a_stack_file_may_name_every_kind(line: str) -> None:
    form: TypeAdapter[str] = TypeAdapter(Kind)
    for label in ReleaseLine(line).declarable():
        assert form.validate_python(label) == label


def test_links_lead_somewhere() -> None:
    text = page()
    anchors = {
        line.removeprefix("### ").replace(".", "") for line in text.splitlines() if line.startswith("### ")
    }
    linked = {part.partition(")")[0] for part in text.split("](#")[1:]}
    assert linked == anchors


def test_the_examples_are_right_for_the_newest_line() -> None:
    examples = load_examples()
    assert len({each["kind"] for each in examples}) == len(examples) >= 30
    plan = Plan(catalog.newest_line())
    for each in examples:
        plan.add(each["kind"], each["name"], each.get("fields", {}), adopt=each.get("adopt", False))
    assert plan.problems() == []
    text = page()
    for each in examples:
        assert f"- kind: {each['kind']}\n  name: {each['name']}" in text


@pytest.mark.engine
def test_the_examples_can_be_made_together(tmp_path: Path) -> None:
    with PlainWorld(tmp_path / "world", lambda _: None, memory=True).running() as world:
        client = BenchClient(tmp_path / "project", world, objects=load_examples())
        client.project.pulumi(
            "config", "set", "--path", "gatehouse:authentik.geoip", "true", "--stack", "acme"
        )
        said = client.pulumi("up")
        assert (
            f"+ {len(load_examples()) + 4} created" in said
        )  # with stack, client, provider, and an app's access
        client.pulumi("preview", "--refresh", "--expect-no-changes")
        client.pulumi("destroy")
