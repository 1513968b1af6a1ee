"""The program of docs/own-program: typed classes without a stack file, as docs/own-program.md says to run it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.authentik.testing import Running
from bench.engine import ensure
from bench.paths import ROOT

pytestmark = pytest.mark.engine

PAGE = ROOT / "docs" / "own-program.md"
WEBHOOK = "https://chat.agency.example/hooks/1"


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., str]:
    """A command in a copy of the program, with the environment that the page exports."""
    folder = tmp_path / "docs" / "own-program"
    shutil.copytree(ROOT / "docs" / "own-program", folder)
    for name in ("components", ".venv"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "state").mkdir()
    environment = {
        **ensure().env(os.environ),
        "PULUMI_CONFIG_PASSPHRASE": "only for tests",
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
        "PYTHONPATH": "../..",
    }

    def command(*argv: str, given: str = "") -> str:
        done = subprocess.run(
            [argv[0], "--non-interactive", *argv[1:]], cwd=folder, env=environment, input=given, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout
        return done.stdout

    return command


def test_a_program_of_ones_own_comes_up_stays_and_goes(
    run: Callable[..., str], server: Running, admin: httpx.Client
) -> None:
    settings = {"https://auth.acme.example": server.url, WEBHOOK: WEBHOOK}
    commands = re.findall(r"^(pulumi .*?)(?: {2,}#.*)?$", PAGE.read_text(), re.MULTILINE)
    assert commands[-1] == "pulumi up"
    for command in commands[:-1]:
        words = [settings.get(word, word) for word in command.split()]
        run(*words, given=server.token if "--secret" in words else "")
    run("pulumi", "up", "--yes", "--skip-preview")

    def all_(path: str) -> dict[str, dict[str, Any]]:
        found = admin.get(f"{path}/", params={"page_size": 100}).raise_for_status().json()["results"]
        return {each.get("name", each["pk"]): each for each in found}

    transports, rule = all_("/events/transports"), all_("/events/rules")["failed logins"]
    assert transports["agency chat"]["webhook_url"] == WEBHOOK
    named = {transports[name]["pk"] for name in ("agency chat", "default-local-transport")}
    assert set(rule["transports"]) == named
    policy = all_("/policies/event_matcher")["a login failed"]
    assert any(
        (each["target"], each["policy"]) == (rule["pk"], policy["pk"])
        for each in all_("/policies/bindings").values()
    )

    run("pulumi", "preview", "--refresh", "--expect-no-changes")
    run("pulumi", "destroy", "--yes", "--skip-preview")
    assert "failed logins" not in all_("/events/rules")
    assert "agency chat" not in all_("/events/transports")
    assert "default-local-transport" in all_("/events/transports")
