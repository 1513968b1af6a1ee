"""What is generated is what it is made from says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import __main__ as tools
from tools import settings_page


def test_making_all_again_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert tools.main(["--check"]) == 0, capsys.readouterr().out


def test_what_is_stale_is_named_and_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(tools, "GENERATORS", (settings_page.files,))
    monkeypatch.setattr(settings_page, "PAGE", tmp_path / "settings.md")
    assert tools.main(["--check"]) == 1
    assert (
        capsys.readouterr().out
        == f"{tmp_path}/settings.md is not what it is made from says: run python -m tools\n"
    )
    assert not (tmp_path / "settings.md").exists()
    assert tools.main([]) == 0
    assert (tmp_path / "settings.md").read_text() == settings_page.page()
    assert tools.main(["--check"]) == 0
