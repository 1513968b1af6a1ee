"""Every mistake that is kept in bad/ is named by its path, with what would be right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from components.problems import Problems
from components.settings import parse
from tests.settings.files import BAD, decrypted, good, laid_over, read


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_exactly_these_mistakes_are_reported(path: Path) -> None:
    case = read(path)
    assert found(path) == [
        (expected["path"], expected["what"], expected["remedy"])
        for expected in sorted(case["expect"], key=lambda each: str(each["path"]))
    ]


def found(path: Path) -> list[tuple[str, str, str]]:
    """The problems of a file, each text cut down to what the file expects of it where it is in there."""
    case = read(path)
    raw = laid_over(good(), case["config"])
    with pytest.raises(Problems) as caught:
        parse(raw if case.get("sealed") else decrypted(raw), sealed=bool(case.get("sealed")))
    expected = {each["path"]: each for each in case["expect"]}
    result = []
    for problem in caught.value.problems:
        wanted = expected.get(problem.where, {"what": "", "remedy": ""})
        what = wanted["what"] if wanted["what"] and wanted["what"] in problem.what else problem.what
        remedy = (
            wanted["remedy"] if wanted["remedy"] and wanted["remedy"] in problem.remedy else problem.remedy
        )
        result.append((problem.where, what, remedy))
    return sorted(result)


def test_the_number_of_bad_stack_files(record_figure: Callable[..., None]) -> None:
    named = sum(
        found(path) == sorted((each["path"], each["what"], each["remedy"]) for each in read(path)["expect"])
        for path in BAD
    )
    record_figure("test", bad_stack_files=(named, 25))
    assert named == len(BAD) >= 25


def test_a_report_has_one_line_for_each_mistake_and_no_secret() -> None:
    raw = decrypted(laid_over(good(), {"rootSecret": "ghr1_not-the-secret", "hetznerToken": "not-a-token"}))
    with pytest.raises(Problems) as caught:
        parse(raw)
    text = str(caught.value)
    assert text.splitlines()[0] == "The stack file has 2 mistakes:"
    assert len(text.splitlines()) == 3
    assert "not-the-secret" not in text
    assert "not-a-token" not in text
