"""The index of cases agrees with the files and with the tests."""

from __future__ import annotations

import re
from pathlib import Path

from bench.paths import ROOT
from bench.pytest_plugin import cases

HERE = Path(__file__).resolve().parent


def test_every_file_is_in_the_index() -> None:
    files = {path.stem for path in (HERE / "files").glob("*.yaml")}
    assert files == {case for case in cases() if not case.isdigit()}


def test_tests_name_cases_of_the_index() -> None:
    known = set(cases())
    for path in (path for folder in ("tests", "bench/tests") for path in (ROOT / folder).rglob("test_*.py")):
        for marks in re.findall(r"mark\.case\(([^)]*)\)", path.read_text()):
            named = set(re.findall(r"[\"']([a-z0-9]+)[\"']", marks))
            assert named <= known, (path, named - known)
