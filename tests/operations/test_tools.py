"""Doctor says whose language host and plugins run, so that nobody takes a stand-in for the official one."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path

import pytest

from bench.engine import launchers
from operations.tools import HOST, PLUGINS, tools


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder in PATH, with a `pulumi` in it; beside it is PULUMI_HOME."""
    made = tmp_path / "bin"
    made.mkdir()
    monkeypatch.setenv("PATH", str(made))
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    program(made / "pulumi")
    return made


def program(path: Path, text: str = "\x7fELF") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_official_ones_are_named_by_their_place(folder: Path) -> None:
    host = program(folder / HOST)
    version = metadata.version("pulumi-hcloud")
    cached = program(
        folder.parent / "home/plugins" / f"resource-hcloud-v{version}" / "pulumi-resource-hcloud"
    )
    in_path = program(folder / "pulumi-resource-docker")
    found = {each.where: each for each in tools()}
    assert not any(each.refuses for each in found.values())
    assert found["Pulumi's Python"].what == str(host)
    assert found["plugin hcloud"].what == str(cached) and found["plugin docker"].what == str(in_path)
    assert (
        found["plugin command"].what
        == f"Pulumi fetches {metadata.version('pulumi-command')} when it is first needed"
    )


def test_stand_ins_are_named_as_such(folder: Path) -> None:
    launchers.hosts(folder)
    launchers.plugins(folder.parent / "home", {"PATH": os.environ["PATH"], "PULUMI_HOME": "/nonexistent"})
    found = {each.where: each.what for each in tools()}
    for subject in ("Pulumi's Python", *(f"plugin {name}" for name in PLUGINS)):
        assert found[subject].startswith("a stand-in of the bench ("), found


def test_a_missing_host_is_a_finding(folder: Path) -> None:
    (found,) = [each for each in tools() if each.refuses]
    assert HOST in found.what and "Install Pulumi anew" in found.remedy
