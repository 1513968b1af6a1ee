"""Every remedy is tried: followed to the letter, or listed with why that can't be done here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.figures import record
from tests.remedies.collect import remedies
from tests.remedies.following import FOLLOWED, OBJECTS, findings, follow
from tests.settings.files import BAD

HERE = Path(__file__).resolve().parent
UNTRIED: dict[str, str] = yaml.safe_load((HERE / "untried.yaml").read_text())
"""Why a remedy can't be followed in a test, by its template."""


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_stack_file_is_right_when_its_remedies_were_followed(path: Path) -> None:
    before, after = follow(path)
    assert before
    assert after == []


@pytest.mark.parametrize("number", range(len(OBJECTS)))
def test_raw_objects_are_right_when_their_remedies_were_followed(number: int) -> None:
    case = OBJECTS[number]
    assert findings(case, "wrong")
    assert findings(case, "right") == []


def test_followed_files_exist() -> None:
    assert FOLLOWED.keys() <= {path.stem for path in BAD}


def test_every_remedy_is_tried() -> None:
    """By the two tests above, by a test that names it (`@pytest.mark.remedy`), or there is a reason in untried.yaml."""
    texts = {problem.remedy for path in BAD for problem in follow(path)[0]}
    texts |= {finding.remedy for case in OBJECTS for finding in findings(case, "wrong")}
    marked = set(_marked())
    every = remedies()
    stale = [
        name for name in {*marked, *UNTRIED} if not any(each.template.startswith(name) for each in every)
    ]
    assert not stale, "no remedy begins so any more"
    tried, untried, missing = [], [], []
    for each in every:
        if any(each.fits(text) for text in texts) or any(each.template.startswith(name) for name in marked):
            tried.append(each)
        elif any(each.template.startswith(name) for name in UNTRIED):
            untried.append(each)
        else:
            missing.append(f"{each.file}:{each.line}: {each.template}")
    record("test", remedies_harmless=(len(tried), len(every)), remedies_untried=(len(untried), None))
    assert not missing, "\n".join(["neither tried nor said why not:", *missing])


def _marked() -> Iterator[str]:
    """What tests name as the beginning of a remedy that they follow."""
    for path in HERE.parent.rglob("test_*.py"):
        for arguments in re.findall(r"mark\.remedy\(((?:[^()\"]|\"[^\"]*\")*)\)", path.read_text()):
            yield from re.findall(r"\"([^\"]+)\"", arguments)


def test_marks_are_read() -> Any:
    assert list(_marked())
