"""What an operator with many stack files relies on before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.project import Project
from operations.stack import Stack


def test_the_state_lies_in_the_checkout_unless_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    found = Stack("acme").state_directory
    assert found is not None and found.parts[-2:] == (".gatehouse", "state")
    monkeypatch.setenv("PULUMI_BACKEND_URL", "file:///elsewhere")
    assert Stack("acme").state_directory == Path("/elsewhere")


@pytest.mark.engine
def test_a_new_client_needs_no_backend_to_be_named(tmp_path: Path) -> None:
    project = Project(tmp_path / "checkout")
    del project.environment["PULUMI_BACKEND_URL"]
    project.gatehouse(
        "new", "acme", "--domain", "acme.example", "--operator", "sam", "--email", "sam@agency.example",
        "--authentik-url", "https://sso.acme.example",
    )  # fmt: skip
    # The engine and our own look at its files agree on where they are.
    assert (project.folder / ".gatehouse/state/.pulumi/stacks/gatehouse/acme.json").is_file()
    assert "acme" in project.pulumi("stack", "ls")
