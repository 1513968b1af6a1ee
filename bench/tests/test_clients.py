"""The folders of authentik's own clients: there whole, or not at all."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bench import clients


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(clients, "CACHE", tmp_path)
    return tmp_path / "authentik-client"


def test_an_installation_that_fails_leaves_nothing_and_is_tried_again(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = [True]

    def pip(command: list[str], *, check: bool) -> None:
        folder = Path(command[command.index("--target") + 1])
        folder.mkdir()
        (folder / "half").touch()
        if fails.pop():
            raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(subprocess, "run", pip)
    with pytest.raises(subprocess.CalledProcessError):
        clients.ensure("2026.8.3")
    assert list(cache.iterdir()) == []
    fails.append(False)
    assert clients.ensure("2026.8.3") == cache / "2026.8.3"
    assert [each.name for each in cache.iterdir()] == ["2026.8.3"]
    assert clients.ensure("2026.8.3").exists()  # asks pip no more: `fails` is empty
