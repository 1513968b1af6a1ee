"""docs/how-to.md names files that are there, and no more of them than promised."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "how-to.md").read_text()
WALKS = {
    title: re.findall(r"^- `([^`]+)`", body, re.MULTILINE)
    for title, body in re.findall(r"^## (An? .+?)\n(.*?)(?=^## )", TEXT, re.MULTILINE | re.DOTALL)
}


def test_every_file_is_there() -> None:
    paths = set(re.findall(r"`((?:bench|components|docs|operations|tests|tools)/[^`*]+)`", TEXT))
    assert len(paths) > 30
    for path in paths:
        assert list(ROOT.glob(re.sub("<[^>]+>", "*", path))), path


def test_little_is_touched() -> None:
    assert len(WALKS["A preset"]) == 1
    assert len(WALKS["A setting"]) <= 3  # followed by tests/settings/test_new_setting.py
    assert len(WALKS["A container"]) <= 4  # followed by tests/containers/test_new_container.py
    assert len(WALKS["A kind's fact"]) == 1
    assert len(WALKS["A protocol"]) <= 4  # followed by tests/apps/test_new_protocol.py
