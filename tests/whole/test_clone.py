"""A clone that has never seen `make setup`, used with Pulumi's own commands alone."""

from __future__ import annotations

import os
import site
import subprocess
import venv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from bench.engine import ensure
from bench.paths import ROOT
from bench.plain import PlainWorld
from components.secrets import new_root_secret

pytestmark = [pytest.mark.engine, pytest.mark.case("22")]

Pulumi = Callable[..., str]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[PlainWorld]:
    with PlainWorld(tmp_path / "authentik", lambda _: None, memory=True).running() as running:
        yield running


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    if not (ROOT / ".git").exists():
        pytest.skip("this checkout is no clone that could be cloned")
    folder = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    return folder


@pytest.fixture
def pulumi(clone: Path) -> Pulumi:
    environment = {**ensure().env(os.environ), "PULUMI_CONFIG_PASSPHRASE": "a passphrase for tests"}
    for name in ("PULUMI_BACKEND_URL", "PYTHONPATH", "VIRTUAL_ENV"):
        environment.pop(name, None)

    def run(*args: str, given: str | None = None, ok: bool = True) -> str:
        done = subprocess.run(
            ["pulumi", "--non-interactive", *args], cwd=clone, env=environment, text=True, input=given,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        assert (done.returncode == 0) is ok, done.stdout
        return done.stdout

    return run


def test_a_fresh_clone_works_the_pulumi_way(clone: Path, pulumi: Pulumi, world: PlainWorld) -> None:
    # What would be fetched from the registry is there already, in this checkout's own environment.
    venv.create(clone / ".venv", with_pip=True)
    (packages,) = (clone / ".venv").glob("lib/python*/site-packages")
    (packages / "tests.pth").write_text("\n".join(site.getsitepackages()))
    assert "Requirement already satisfied: pulumi==" in pulumi("install")

    pulumi("stack", "init", "acme")
    stack_file = clone / "stacks" / "Pulumi.acme.yaml"
    document = yaml.safe_load(stack_file.read_text())
    document["config"] = {
        "gatehouse:client": "acme",
        "gatehouse:domain": "acme.example",
        "gatehouse:box": "none",
        "gatehouse:authentik": {"version": world.version, "url": world.issuer},
        "gatehouse:groups": ["staff"],
        "gatehouse:apps": {
            "grafana": {"preset": "grafana", "url": "https://grafana.acme.example", "groups": ["staff"]}
        },
    }
    stack_file.write_text(yaml.safe_dump(document, sort_keys=False))
    for path, value in {"rootSecret": new_root_secret(), "authentik.token": world.token}.items():
        pulumi("config", "set", "--secret", "--path", f"gatehouse:{path}", given=value)
    assert "to create" in pulumi("preview")
    pulumi("up", "--yes", "--skip-preview")
    pulumi("preview", "--expect-no-changes")
    assert world.issuer in pulumi("stack", "output", "apps", "--json")
    # What lies in the state is nobody else's to read, and nothing of it is git's.
    assert (clone / ".gatehouse").stat().st_mode & 0o777 == 0o700
    status = subprocess.run(
        ["git", "status", "--short"], cwd=clone, capture_output=True, text=True, check=True
    )
    assert status.stdout.split() == ["??", "stacks/Pulumi.acme.yaml"]
    pulumi("destroy", "--yes", "--skip-preview")
