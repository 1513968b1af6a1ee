"""What an operator reads of previews, runs and failures."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from pulumi.automation import CommandError, CommandResult, EngineEvent, OpType
from pulumi.automation.events import DiagnosticEvent, ResOpFailedEvent, StepEventMetadata

from bench.paths import ROOT
from bench.plain import PlainWorld
from operations.output import Output
from operations.resource_labels import TYPES, edits, label_resource
from operations.screen import Screen
from tests.operations.client import BenchClient

GRAFANA = {"preset": "grafana", "url": "https://grafana.acme.example", "groups": ["eng"]}
JANE = {"username": "jane", "name": "Jane", "email": "jane@acme.example", "groups": ["staff"]}


def test_an_objection_is_shown_without_the_engines_words_and_the_value(
    capsys: pytest.CaptureFixture[str],
) -> None:
    type_ = "pulumi-python:dynamic/authentik_core:group"
    before = f"{type_} resource 'staff': property name value {{staff {{1}}}} has a problem: "
    urn = f"urn:pulumi:acme::gatehouse::{type_}::staff"
    with pytest.raises(CommandError), Screen(Output(), planning=True) as screen:
        for begin in (before, f"{type_} resource 'other' has a problem: "):
            event = DiagnosticEvent(f"{begin}it is there ({begin[-40:-30]})", "", "error", urn=urn)
            screen.listen(EngineEvent(1, 1, diagnostic_event=event))
        raise CommandError(CommandResult("", "", 1))
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "Failed after 0 s:"
    assert said[1::3] == ["  group staff cannot be brought to what is wanted"] * 2
    assert all(line.startswith("    it is there") for line in said[2::3])
    assert all(line.startswith("    → Put right what it names") for line in said[3::3])
    assert len(said) == 7


def test_a_failure_says_what_why_and_what_to_do_with_the_engines_words_below(
    capsys: pytest.CaptureFixture[str],
) -> None:
    inside = "urn:pulumi:acme::gatehouse::gatehouse:client:Client$"
    container = f"{inside}docker:index/container:Container::npm"
    with pytest.raises(CommandError), Screen(Output()) as screen:
        for severity, urn, text in (
            ("warning", "", "something is advised against"),
            ("warning", "", "something is advised against"),
            ("error", container, "container exited immediately\nits last log lines: no space left\n"),
            (
                "error",
                f"{inside}pulumi:pulumi:Stack::acme",
                "Traceback (most recent call last):\n  x\nKeyError: 'y'",
            ),
            ("error", "", "update failed"),
        ):
            screen.listen(EngineEvent(1, 1, diagnostic_event=DiagnosticEvent(text, "", severity, urn=urn)))
        step = StepEventMetadata(OpType.CREATE, container, "docker:index/container:Container", "")
        screen.listen(EngineEvent(2, 2, res_op_failed_event=ResOpFailedEvent(step, 1, 0)))
        raise CommandError(CommandResult("", "", 1))
    assert (
        capsys.readouterr().out
        == """\
Warnings:
  something is advised against

Failed after 0 s:
  container npm cannot be made
    container exited immediately
    → Put right what it names, then run the same command again: it goes on from here.
  the program stopped
    KeyError: 'y'
    → This is a mistake of gatehouse, not of the stack file: show these words to who maintains it.

  In Pulumi's own words:
    container exited immediately
    its last log lines: no space left
    Traceback (most recent call last):
      x
    KeyError: 'y'
"""
    )


@pytest.mark.engine
def test_the_life_of_a_client_on_the_screen(tmp_path: Path, world: PlainWorld) -> None:
    by_hand = {"kind": "authentik_core.group", "name": "by-hand", "adopt": True}
    client = BenchClient(
        tmp_path / "p", world, groups=["staff", "eng"], people=[JANE], apps={"grafana": GRAFANA}, objects=[by_hand]
    )  # fmt: skip
    client.api.post("/api/v3/core/groups/", json={"name": "by-hand"}).raise_for_status()

    def screen(*args: str, check: bool = True) -> list[str]:
        said = client.project.gatehouse(*args, check=check, GATEHOUSE_PULUMI="")
        assert not re.search(r"urn:|pulumi-python|pulumi:|@ updating", said)
        return said.splitlines()

    try:
        plan = screen("preview", "acme")
        app = "  + grafana: OAuth2 provider, application, access for eng"
        assert {"  + group staff", "  = group by-hand", "  + user jane", app} <= {*plan}
        assert plan.index("People and groups") < plan.index("Apps")
        done = screen("up", "acme", "--yes")
        assert re.fullmatch(r"Done: \d+ made, 1 taken over.", done[-1])
        assert any(re.fullmatch(r" *\d+ s  group by-hand taken over", line) for line in done)
        assert screen("preview", "acme") == ["No change."]
        assert screen("up", "acme", "--yes") == ["No change."]

        moved = GRAFANA | {"url": "https://g.acme.example"}
        client.edit(people=[], objects=[], apps={"grafana": moved})
        plan = screen("preview", "acme")
        path = "/login/generic_oauth"
        change = f"{GRAFANA['url']}{path} → {moved['url']}{path}"
        assert f"  ~ application grafana: launch URL: {change}" in plan
        (provider,) = [line for line in plan if line.startswith("  ~ OAuth2 provider grafana: ")]
        after = f"URL: {GRAFANA['url']}/login → {moved['url']}/login"
        assert provider.endswith(f"redirect URIs: URL: {change}, {after}")
        assert "  - user jane" in plan
        assert "  · group by-hand: given back, with the values that it had before it was taken over" in plan

        interrupted = plan[plan.index("What this interrupts:") :]
        assert "  deletes the account jane and what it owns" in interrupted

        client.fault("PATCH", "/core/applications/", status=500, times=9)
        failed = screen("up", "acme", "--yes", check=False)
        client.no_faults()
        block = failed[failed.index("  application grafana cannot be changed") :]
        assert re.fullmatch(r"Failed after \d+ s:", failed[-len(block) - 1])
        assert "cannot update application 'grafana' (HTTP 500)" in block[1]
        assert block[2].startswith("    → See the logs of its server")
        rest = "  What was done until then stays; the next run goes on from there."
        assert block[3:] in ([], [rest])  # it may be the first thing that is changed

        client.edit(apps={})
        gone = screen("up", "acme", "--yes")  # without a preview, what it interrupts is said at the end
        assert "  nobody can log in to grafana any more" in gone[gone.index("What this interrupted:") :]
        assert re.fullmatch(
            r"Done: \d+ deleted(, 1 given back)?.", screen("destroy", "acme", "--confirm", "acme")[-1]
        )
    finally:
        client.end()


@pytest.mark.engine
def test_an_engine_that_fails_before_it_says_anything_is_quoted(tmp_path: Path, world: PlainWorld) -> None:
    client = BenchClient(tmp_path / "p", world)
    try:
        (client.project.folder / "__main__.py").write_text("raise SystemExit('no program here')\n")
        said = client.project.gatehouse("preview", "acme", check=False, GATEHOUSE_PULUMI="")
        assert "no program here" in said
    finally:
        client.end()


def test_every_type_that_the_program_declares_has_words() -> None:
    """The SDK's classes that are called in components, against the table's types."""
    known = {type_.rpartition(":")[2] for type_ in TYPES}
    called = set()
    for path in (ROOT / "components").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                target = ast.unparse(node.func)
                if re.fullmatch(r"(hcloud|docker|command\.local)\.[A-Z]\w+", target):
                    called.add(target.rpartition(".")[2])
    arguments = {name for name in called if name.endswith("Args")} | {"Provider", "Logging"}
    assert called - arguments <= known
    assert len(called & known) > 8


def test_what_only_the_engine_needs_is_not_spoken_of() -> None:
    for type_ in ("pulumi:pulumi:Stack", "gatehouse:client:Client", "pulumi:providers:hcloud"):
        assert label_resource(f"urn:pulumi:acme::gatehouse::{type_}::x") is None
    group = label_resource(
        "urn:pulumi:a::gatehouse::gatehouse:client:Client$pulumi-python:dynamic/authentik_core:group::x"
    )
    assert str(group) == "group x"


def test_edits_show_what_changes_and_no_secret() -> None:
    assert edits({"a": 1, "b": [1, 2]}, {"a": 2, "b": [2, 3]}) == {"a": "a: 1 → 2", "b": "b: −1 +3"}
    assert edits({"a": "[secret]"}, {"a": "[secret]"}) == {}
    assert edits({"a": "[secret]"}, {"a": "[secret]"}, {"a"}) == {"a": "a: changes (secret)"}
    assert edits({"a": None}, {"a": "x" * 99}) == {"a": f"a: set to {'x' * 59}…"}
    assert edits({"a": "x"}, {}) == {"a": "a: x is taken out"}
    assert edits({"a": [1, 2]}, {"a": [2, 1]}) == {"a": "a: another order"}
    pairs = [{"a": [{"kind": 1, "url": f"{n}{each}"} for n in (1, 2)]} for each in "xy"]
    assert edits(*pairs) == {"a": "a: URL: 1x → 1y, URL: 2x → 2y"}
    (name, words), *_ = edits({"meta_launch_url": "a", "publicNets": 1}, {"meta_launch_url": "b"}).items()
    assert (name, words) == ("meta_launch_url", "launch URL: a → b")
