"""What the operator's commands tell people to do, done to the letter."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from bench.plain import PlainWorld
from bench.project import Project
from components.problems import Problem, Problems
from components.settings import check_file
from components.settings.loading import read
from operations import passphrase
from tests.operations.client import BenchClient

ASKED = ("--domain", "acme.example", "--operator", "sam", "--email", "sam@agency.example")
ELSEWHERE = ("--authentik-url", "https://sso.acme.example")
JANE = {"username": "jane", "name": "Jane", "email": "jane@acme.example", "groups": ["staff"]}
MIKE = {"username": "mike", "name": "Mike", "email": "mike@acme.example"}
GRAFANA = {"preset": "grafana", "url": "https://grafana.acme.example", "groups": ["staff"]}


@pytest.mark.engine
def test_a_client_that_is_not_there_is_made(tmp_path: Path) -> None:
    project = Project(tmp_path / "project")
    said = project.gatehouse("preview", "beta", check=False)
    assert "Make one with: ./gatehouse new beta" in said
    project.gatehouse("new", "beta", *ASKED, *ELSEWHERE)
    said = project.gatehouse("new", "beta", *ASKED, *ELSEWHERE, check=False)
    assert "Choose another name" in said
    project.gatehouse("new", "gamma", *ASKED, *ELSEWHERE)
    said = project.gatehouse("new", "delta", *ASKED, "--ssh-key", str(tmp_path / "none.pub"), check=False)
    assert "ssh-keygen -t ed25519" in said
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"],
        check=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    project.gatehouse("new", "delta", *ASKED, "--ssh-key", str(tmp_path / "key.pub"))
    made = {path.name for path in (project.folder / "stacks").iterdir()}
    assert made >= {"Pulumi.beta.yaml", "Pulumi.gamma.yaml", "Pulumi.delta.yaml"}


@pytest.mark.engine
def test_a_run_that_is_refused_goes_on_once_its_remedy_was_followed(
    tmp_path: Path, world: PlainWorld
) -> None:
    client = BenchClient(tmp_path / "p", world, groups=["staff"], people=[JANE], apps={"grafana": GRAFANA})
    project = client.project

    def refused(*args: str, **environment: str) -> str:
        return project.gatehouse(*args, check=False, **environment)

    try:
        assert "and bring it up" in refused("login-check", "acme")
        client.up()
        project.gatehouse("login-check", "acme")

        said = refused("preview", "acme", PULUMI_CONFIG_PASSPHRASE="not this passphrase")
        assert "set the right one and run the command again" in said
        project.gatehouse("preview", "acme", "--expect-no-changes")

        assert "Apps: grafana" in refused("login-check", "acme", "--app", "wiki")
        project.gatehouse("login-check", "acme", "--app", "grafana")

        client.edit(people=[])
        client.up()
        assert "Add people to gatehouse:people, and bring it up" in refused("login-check", "acme")
        client.edit(people=[{**MIKE, "groups": ["staff"]}])
        client.up()
        project.gatehouse("login-check", "acme")

        assert "Type the client's name exactly" in refused("destroy", "acme", "--confirm", "acne")
        project.gatehouse("destroy", "acme", "--confirm", "acme")
        assert client.names("application") == []
    finally:
        client.end()


def test_a_stack_file_that_cannot_be_read_is_read_once_its_remedy_was_followed(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.acme.yaml"

    def remedy() -> str:
        with pytest.raises(Problems) as caught:
            read(file)
        return str(caught.value.problems[0].remedy)

    file.write_bytes("config:\n  gatehouse:client: acmé\n".encode("latin-1"))
    command = remedy().removeprefix("Save it as UTF-8: ").partition(", and put that in its place")[0]
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    (tmp_path / "new").replace(file)
    assert read(file) == {"client": "acmé"}

    file.write_text("config:\n\tgatehouse:client: acme\n")
    assert "no tabs" in remedy()
    file.write_text(file.read_text().replace("\t", "  "))
    assert read(file) == {"client": "acme"}

    file.write_text("gatehouse:client: acme\n")
    assert remedy() == "Put the settings below `config:`"
    file.write_text(f"config:\n  {file.read_text()}")
    assert read(file) == {"client": "acme"}


def test_a_file_that_names_another_client_is_right_with_its_own_name(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.acme.yaml"
    file.write_text("config:\n  gatehouse:client: beta\n")

    def remedies() -> list[str]:
        with pytest.raises(Problems) as caught:
            check_file(file)
        return [problem.remedy for problem in caught.value.problems if problem.where == "gatehouse:client"]

    (said,) = remedies()
    written = re.match(r"Write (\w+);", said)
    assert written
    file.write_text(f"config:\n  gatehouse:client: {written[1]}\n")
    assert remedies() == []


def test_a_passphrase_is_taken_once_its_remedy_was_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "passphrase"
    monkeypatch.delenv(passphrase.TEXT, raising=False)
    monkeypatch.delenv(passphrase.FILE, raising=False)

    def wrong() -> list[Problem]:
        return [each for each in passphrase.passphrase() if isinstance(each, Problem)]

    (unset,) = wrong()
    assert passphrase.MAKE in unset.remedy
    made = tmp_path / "made"
    subprocess.run(passphrase.MAKE.replace("FILE", str(made)), shell=True, check=True)
    monkeypatch.setenv(passphrase.FILE, str(made))
    assert wrong() == []

    monkeypatch.setenv(passphrase.TEXT, "")
    (empty,) = wrong()
    assert f"take {passphrase.TEXT} out" in empty.remedy
    monkeypatch.delenv(passphrase.TEXT)
    assert wrong() == []

    file.touch(mode=0o600)
    monkeypatch.setenv(passphrase.FILE, str(file))
    (nothing,) = wrong()
    assert f"into {file}" in nothing.remedy
    file.write_text("correct horse battery")
    file.chmod(0o644)
    (open_to_all,) = wrong()
    subprocess.run(open_to_all.remedy, shell=True, check=True)
    assert wrong() == []
