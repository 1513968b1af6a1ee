"""Every remedy is tried: followed to the letter, or listed in remedies.yaml with the test that does so, or why not."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.remedies.collect import ROOT, remedies
from tests.remedies.following import ADVICE, FOLLOWED, OBJECTS, advice, findings, follow
from tests.settings.files import BAD

HERE = Path(__file__).resolve().parent
TABLE: dict[str, dict[str, list[str]]] = yaml.load(
    (HERE / "remedies.yaml").read_text(), Loader=yaml.CSafeLoader
)


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


@pytest.mark.parametrize("number", range(len(ADVICE)))
def test_nothing_is_advised_against_when_the_advice_was_followed(number: int) -> None:
    assert advice(ADVICE[number]["wrong"])
    assert advice(ADVICE[number]["right"]) == []


def test_followed_files_exist() -> None:
    assert FOLLOWED.keys() <= {path.stem for path in BAD}


def test_the_tests_that_the_table_names_exist() -> None:
    for name in TABLE["followed"]:
        file, _, function = name.partition("::")
        tree = ast.parse((ROOT / file).read_text())
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, name


def test_every_remedy_is_tried(record_figure: Callable[..., None]) -> None:
    texts = {problem.remedy for path in BAD for problem in follow(path)[0]}
    texts |= {finding.remedy for case in OBJECTS for finding in findings(case, "wrong")}
    texts |= {problem.remedy for case in ADVICE for problem in advice(case["wrong"])}
    listed = {name: {each for rows in TABLE[name].values() for each in rows} for name in TABLE}
    every = remedies()
    stale = {
        each
        for beginnings in listed.values()
        for each in beginnings
        if not any(remedy.template.startswith(each) for remedy in every)
    }
    assert not stale, "no remedy begins so any more"
    tried, marked, missing = 0, 0, []
    for remedy in every:
        begins = {
            name for name, beginnings in listed.items() if remedy.template.startswith(tuple(beginnings))
        }
        if "followed" in begins or any(remedy.fits(text) for text in texts):
            tried += 1
        elif begins:
            marked += 1
        else:
            missing.append(f"{remedy.file}:{remedy.line}: {remedy.template}")
    record_figure("test", remedies_harmless=(tried, len(every)), remedies_marked=(marked, None))
    assert not missing, "\n".join(["neither tried nor said why not:", *missing])
