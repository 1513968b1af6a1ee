"""In which manner a command speaks (--quiet, --json, --version), and how it ends: docs/commands.md."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from rich.console import Console

from bench.paths import ROOT
from bench.plain import PlainWorld
from operations import stack
from operations.cli import COMMANDS
from operations.errors import ExitCode
from operations.options import complete_client
from operations.output import Output
from operations.version import VERSION
from tests.operations.client import BenchClient
from tools.run_schema import SCHEMA

GRAFANA = {"preset": "grafana", "url": "https://grafana.acme.example", "groups": ["eng"]}


def test_exit_codes_are_documented() -> None:
    page = (SCHEMA.parent / "commands.md").read_text()
    for code in ExitCode:
        assert f"| {code.value} |" in page


def test_every_command_is_documented() -> None:
    pages = "".join(page.read_text() for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")))
    assert [name for name in COMMANDS if f"gatehouse {name}" not in pages] == []


def test_the_shell_completes_commands_for_the_launcher() -> None:
    """In a real bash, with the script that gatehouse prints for it, and the path that an operator types."""
    script = """
        eval "$(./gatehouse --show-completion bash)"
        COMP_WORDS=(./gatehouse prev) COMP_CWORD=1
        _gatehouse_completion ./gatehouse && echo "${COMPREPLY[@]}"; complete -p gatehouse
    """
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    first, registered = done.stdout.splitlines()
    assert first == "preview"
    assert registered.endswith("gatehouse")


def test_the_shell_completes_names_of_clients(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(stack, "STACKS", tmp_path)
    for name in ("acme", "agency", "other"):
        (tmp_path / f"Pulumi.{name}.yaml").touch()
    assert complete_client("a") == ["acme", "agency"]
    assert complete_client("") == ["acme", "agency", "other"]


def test_colours_are_shown_on_a_terminal_that_wants_them_and_lines_are_broken_between_words() -> None:
    def shown(**environment: str) -> str:
        console = Console(file=io.StringIO(), force_terminal=True, width=40, _environ=environment)
        Output(console=console).print(
            "  ~ launch URL: https://grafana.acme.example/login → https://g.acme.example", "red"
        )
        assert isinstance(console.file, io.StringIO)
        return console.file.getvalue()

    plain = shown(NO_COLOR="1", TERM="xterm")
    assert "\x1b" not in plain
    assert plain.splitlines() == [
        "  ~ launch URL:", "      https://grafana.acme.example/login", "      → https://g.acme.example",
    ]  # fmt: skip
    assert "\x1b[31m" in shown(TERM="xterm")


@pytest.mark.engine
def test_a_command_ends_as_it_is_documented(tmp_path: Path, world: PlainWorld) -> None:
    client = BenchClient(tmp_path / "p", world, groups=["eng"], apps={"grafana": GRAFANA})
    validator = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))

    def ended(code: ExitCode, *args: str) -> tuple[str, str]:
        found, out, err = client.project.ended(*args, GATEHOUSE_PULUMI="")
        assert found == code, out + err
        return out, err

    def document(code: ExitCode, *args: str) -> dict[str, Any]:
        out, _ = ended(code, *args, "--json")
        found: dict[str, Any] = json.loads(out)
        validator.validate(found)
        assert found["exit_code"] == code
        for secret in (client.root, world.token, client.secrets.value("app/grafana/client-secret")):
            assert secret not in out
        return found

    try:
        assert ended(ExitCode.DONE, "--version")[0].startswith(f"gatehouse {VERSION}")
        assert "exclude each other" in ended(ExitCode.MISUSED, "preview", "acme", "--json", "--quiet")[1]
        assert "No such option" in ended(ExitCode.MISUSED, "preview", "acme", "--nothing")[1]
        assert "no stack file" in ended(ExitCode.MISUSED, "preview", "nobody")[1]
        assert "Give --yes" in document(ExitCode.MISUSED, "up", "acme")["failures"][0]["remedy"]
        assert "--confirm acme" in document(ExitCode.MISUSED, "destroy", "acme")["failures"][0]["remedy"]

        planned = document(ExitCode.DONE, "preview", "acme")
        assert planned["planned"]
        assert {"create"} == {each["operation"] for each in planned["changes"]}
        done = document(ExitCode.DONE, "up", "acme", "--yes")
        assert not done["planned"]
        assert len(done["changes"]) == len(planned["changes"])
        assert done["result"] == f"Done: {len(done['changes'])} made."
        assert ended(ExitCode.DONE, "preview", "acme", "--quiet", "--expect-no-changes") == (
            "No change.\n",
            "",
        )

        client.edit(apps={"grafana": GRAFANA | {"launchUrl": "https://grafana.acme.example/d"}})
        pending = document(ExitCode.PENDING, "preview", "acme", "--expect-no-changes")
        (change,) = pending["changes"]
        assert (change["operation"], change["room"], change["name"]) == ("update", "Apps", "grafana")
        assert change["details"][0].startswith("launch URL: https://")
        out, _ = ended(ExitCode.PENDING, "preview", "acme", "--quiet", "--expect-no-changes")
        assert out.split() == ["1", "to", "change"]

        client.fault("PATCH", "/core/applications/", status=500, times=9)
        (failure,) = document(ExitCode.FAILED, "up", "acme", "--yes")["failures"]
        client.no_faults()
        assert failure["what"] == "application grafana cannot be changed"
        assert failure["remedy"].startswith("See the logs of its server")
        gone = document(ExitCode.DONE, "destroy", "acme", "--confirm", "acme")
        assert gone["interrupts"] == [
            "what the group eng lets people into is closed to them",
            "nobody can log in to grafana any more",
        ]
        assert client.names("application") == []
    finally:
        client.end()
