"""What an operator with many stack files relies on before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.project import Project
from operations import doctor, new, shared_settings
from operations.errors import OperatorError
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


def test_the_operators_own_key_is_taken_unless_another_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(OperatorError, match="--ssh-key"):
        new.public_key(None)
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_rsa.pub").write_text("ssh-rsa AAAA sam\n")
    (tmp_path / ".ssh" / "id_ed25519.pub").write_text("ssh-ed25519 AAAA sam\n")
    assert new.public_key(None) == "ssh-ed25519 AAAA sam"
    assert new.public_key("~/.ssh/id_rsa.pub") == "ssh-rsa AAAA sam"
    assert new.public_key("ssh-ed25519 BBBB kim") == "ssh-ed25519 BBBB kim"
    with pytest.raises(OperatorError, match=r"no file \S+/elsewhere\.pub"):
        new.public_key(f"{tmp_path}/elsewhere.pub")


@pytest.mark.parametrize(
    ("said", "fine"), [("v3.258.0", False), ("v2.300.0", False), ("v3.259.0", True), ("v4.0.0", True)]
)
def test_an_engine_that_is_too_old_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, fine: bool
) -> None:
    (tmp_path / "pulumi").write_text(f"#!/bin/sh\necho {said}\n")
    (tmp_path / "pulumi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    found = doctor.engine()
    assert found.refuses is not fine
    assert said in found.what


def test_a_root_secret_that_was_copied_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_settings, "STACKS", tmp_path)
    text = "config:\n  gatehouse:rootSecret:\n    secure: v1:{}\n"
    for name, sealed in (("acme", "one"), ("beta", "one"), ("other", "two")):
        (tmp_path / f"Pulumi.{name}.yaml").write_text(text.format(sealed))

    def looked_at(name: str) -> list[str]:
        stack = Stack(name)
        stack.file = tmp_path / stack.file.name
        return [each.what for each in shared_settings.shared_root_secret(stack)]

    assert "stacks/Pulumi.beta.yaml has the same" in looked_at("acme")[0]
    assert "stacks/Pulumi.acme.yaml has the same" in looked_at("beta")[0]
    assert looked_at("other") == []
