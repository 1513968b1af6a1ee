"""What only the real engine shows: how it hands settings out, and what it refuses by itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from bench.engine import ensure
from bench.paths import ROOT
from components.secrets import Secrets, new_root_secret
from tests.settings.files import good

pytestmark = pytest.mark.engine

PROGRAM = """\
from __future__ import annotations
import pulumi
from components.settings import load
from components.problems import Problems
try:
    settings = load()
except Problems as error:
    raise pulumi.RunError(str(error)) from None
secrets = settings.derived()
pulumi.export("apps", [app.key for app in settings.apps])
pulumi.export("clientId", secrets.value("app/grafana/client-id"))
pulumi.export("password", pulumi.Output.secret(secrets.value("postgres/password")))
"""


class Project:
    """A program that only reads its settings, on the real engine."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.root = folder, new_root_secret()
        self.file = folder / "stacks" / "Pulumi.acme.yaml"
        shutil.copytree(
            ROOT / "components", folder / "components", ignore=shutil.ignore_patterns("__pycache__")
        )
        shutil.copy(ROOT / "Pulumi.yaml", folder)
        (folder / "__main__.py").write_text(PROGRAM)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        (folder / "stacks").mkdir()
        (folder / "state").mkdir()
        self.environment = ensure().env(os.environ) | {
            "PULUMI_BACKEND_URL": f"file://{folder}/state", "PULUMI_CONFIG_PASSPHRASE": "test",
        }  # fmt: skip
        self.pulumi("stack", "init", "acme")

    def pulumi(self, *arguments: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pulumi", "--non-interactive", *arguments], cwd=self.folder, env=self.environment, input=given,
            text=True, capture_output=True, check=False,
        )  # fmt: skip

    def write(self) -> None:
        """The good stack file, its secrets encrypted."""
        settings = good()
        sealed = {"rootSecret": self.root, "email.password": "something", "email.username": "someone"}
        settings["rootSecret"], settings["email"]["password"], settings["email"]["username"] = "", "", ""
        settings.pop("secrets")
        document = yaml.safe_load(self.file.read_text()) if self.file.exists() else {}
        document["config"] = {f"gatehouse:{name}": value for name, value in settings.items()}
        self.file.write_text(yaml.safe_dump(document))
        for path, value in sealed.items():
            done = self.pulumi("config", "set", "--secret", "--path", f"gatehouse:{path}", given=value)
            assert done.returncode == 0, done.stderr
        self.whole = self.file.read_text()

    def edit(self, name: str, value: object) -> None:
        document = yaml.safe_load(self.file.read_text())
        document["config"][f"gatehouse:{name}"] = value
        self.file.write_text(yaml.safe_dump(document))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("project"))
    project.write()
    return project


@pytest.fixture(autouse=True)
def fresh(project: Project) -> None:
    project.file.write_text(project.whole)


def test_settings_arrive_whole_and_secrets_leave_encrypted(project: Project) -> None:
    done = project.pulumi("up", "--yes", "--skip-preview")
    assert done.returncode == 0, done.stdout + done.stderr
    told = project.pulumi("stack", "output", "apps").stdout
    assert json.loads(told) == ["dashboard", "files", "grafana", "wiki"]
    derived = Secrets(project.root)
    assert project.pulumi("stack", "output", "clientId").stdout.strip() == derived.value(
        "app/grafana/client-id"
    )
    state = project.pulumi("stack", "export").stdout
    assert project.root not in state
    assert derived.value("postgres/password") not in state + done.stdout
    shown = project.pulumi("stack", "output", "password", "--show-secrets").stdout.strip()
    assert shown == derived.value("postgres/password")


def test_a_root_secret_in_clear_is_refused(project: Project) -> None:
    project.edit("rootSecret", project.root)
    done = project.pulumi("preview")
    assert done.returncode != 0
    assert "'rootSecret' must be encrypted" in done.stdout + done.stderr
    assert project.root not in done.stdout + done.stderr


def test_a_password_in_clear_is_refused(project: Project) -> None:
    document = yaml.safe_load(project.file.read_text())
    document["config"]["gatehouse:email"]["password"] = "something"
    project.file.write_text(yaml.safe_dump(document))
    done = project.pulumi("preview")
    assert done.returncode != 0
    assert "gatehouse:email.password: this secret is in clear" in done.stdout + done.stderr


def test_mistakes_are_listed_without_a_traceback(project: Project) -> None:
    project.edit("domain", "acme")
    project.edit("people", [{"username": "jane"}])
    done = project.pulumi("preview")
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "The stack file has 3 mistakes:" in said
    assert "gatehouse:people[0].email: it is missing" in said
    assert "Traceback" not in said
