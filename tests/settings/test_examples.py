"""What docs/apps.md shows is a good stack file."""

from __future__ import annotations

import re

import pytest
import yaml

from components.settings import parse
from tests.settings.files import good, laid_over
from tools.settings_page import ROOT

BLOCKS = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs" / "apps.md").read_text(), re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_an_example_is_good(block: str) -> None:
    found = parse(laid_over(good(), yaml.safe_load(block)), sealed=True)
    assert not [
        each for each in found.warnings if each.where.startswith(("gatehouse:apps", "gatehouse:login"))
    ]


def test_there_are_examples() -> None:
    assert len(BLOCKS) == 8
