"""A pytest plugin that keeps, from run to run, which cases of tests/cases are right: out/figures/cases.json.

A test says which case it is of by `@pytest.mark.case("polmode")`. A case is right while all of its tests that have been
run pass; one that has no test is not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from bench.figures import FIGURES, record
from bench.paths import ROOT

_RESULTS = FIGURES / "cases-by-test.json"


class Scoring:
    """Collects what tests of cases said, in the process that gets all reports."""

    def __init__(self) -> None:
        self._ended: dict[str, dict[str, bool]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, case in report.user_properties:
            if name == "case" and (report.when == "call" or report.failed):
                tests = self._ended.setdefault(str(case), {})
                tests[report.nodeid] = report.passed and tests.get(report.nodeid, True)

    def pytest_sessionfinish(self) -> None:
        if not self._ended:
            return
        FIGURES.mkdir(parents=True, exist_ok=True)
        known: dict[str, dict[str, bool]] = json.loads(_RESULTS.read_text()) if _RESULTS.exists() else {}
        for case, tests in self._ended.items():
            known[case] = known.get(case, {}) | tests
        _RESULTS.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
        wanted = list(cases())
        right = [case for case in wanted if known.get(case) and all(known[case].values())]
        record("cases", cases_right=(len(right), len(wanted)), cases_all=(len(wanted), None))


def cases() -> Iterator[str]:
    """The names of all cases, as the tables of tests/cases/README.md list them."""
    for row in (ROOT / "tests" / "cases" / "README.md").read_text().splitlines():
        if (found := re.match(r"\| ([a-z0-9]+) \|", row)) and found[1] != "case":
            yield found[1]


def pytest_configure(config: pytest.Config) -> None:
    """In the one process that hears of all tests."""
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Scoring(), "scoring")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let a test's reports say which cases it is of."""
    for item in items:
        for mark in item.iter_markers("case"):
            item.user_properties.extend(("case", str(name)) for name in mark.args)
