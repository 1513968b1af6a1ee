"""The pytest plugin of all tests, the product's and the bench's: their marks, who runs what, and the score.

With several workers a file's tests are one worker's, and so are all files with a test that boots a Debian.

It keeps score of cases and of runs that were healed, from run to run, and of what a test counted, and prints at the end
which figures this run has found.

A test says which case it is of by `@pytest.mark.case("polmode")`. A case is right while all of its tests that have
been run pass; one that has no test is not (out/figures/cases.json). Likewise, a test says by
`@pytest.mark.heals("power_cut")` that it ends a run badly in a way of its own, and that one `gatehouse up` puts it
right (out/figures/healed.json).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler.loadfile import LoadFileScheduling

from bench.figures import FIGURES, record
from bench.paths import ROOT

MARKERS = (
    "case(name): a case of tests/cases/README.md that the test holds",
    "heals(way): the test ends a run badly in this way, and one `gatehouse up` puts it right",
    "engine: runs the real Pulumi engine, or the real restic (seconds)",
    "nginx: runs a real nginx (seconds)",
    "box: boots a real Debian in a namespace of the bench (root; minutes)",
    "nightly: repeats at length what a shorter test shows; `make test-nightly` runs it",
)
"""All marks of the product's tests and the bench's."""
MARKS = ("case", "heals")
"""Those that are kept score of."""
HEALED = 20
"""Ways to end a run badly that are to be healed, at the least."""
Figures = dict[str, tuple[float | int, float | int | None]]
"""Name -> value and goal."""
FOUND = pytest.StashKey[Figures]()
"""The figures that tests of this process have found."""


class Scoring:
    """Collects what tests with a mark said and which figures were found, in the process that gets all reports."""

    def __init__(self, config: pytest.Config) -> None:
        self._found: Figures = config.stash.setdefault(FOUND, {})
        self._ended: dict[str, dict[str, dict[str, bool]]] = {mark: {} for mark in MARKS}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for mark, name in report.user_properties:
            if mark in MARKS and (report.when == "call" or report.failed):
                tests = self._ended[mark].setdefault(str(name), {})
                tests[report.nodeid] = report.passed and tests.get(report.nodeid, True)

    def pytest_sessionfinish(self) -> None:
        if self._ended["case"]:
            known, wanted = self._known("case"), list(cases())
            right = [case for case in wanted if known.get(case) and all(known[case].values())]
            self._record("cases", cases_right=(len(right), len(wanted)), cases_all=(len(wanted), None))
        if self._ended["heals"]:
            healed = [way for way, tests in self._known("heals").items() if all(tests.values())]
            self._record("healed", runs_healed=(len(healed), HEALED))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """A worker has ended."""
        self._found.update(getattr(node, "workeroutput", {}).get("figures", {}))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._found:
            terminalreporter.section("figures")
        for name, (value, goal) in sorted(self._found.items()):
            terminalreporter.line(f"{name} {value}" + ("" if goal is None else f" (goal {goal})"))

    def _record(self, run: str, **figures: tuple[float | int, float | int | None]) -> None:
        record(run, **figures)
        self._found.update(figures)

    def _known(self, mark: str) -> dict[str, dict[str, bool]]:
        """What tests with the mark said in this run and in those before."""
        FIGURES.mkdir(parents=True, exist_ok=True)
        file = FIGURES / f"{mark}-by-test.json"
        known: dict[str, dict[str, bool]] = json.loads(file.read_text()) if file.exists() else {}
        for name, tests in self._ended[mark].items():
            known[name] = known.get(name, {}) | tests
        file.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
        return known


def cases() -> Iterator[str]:
    """The names of all cases, as the tables of tests/cases/README.md list them."""
    for row in (ROOT / "tests" / "cases" / "README.md").read_text().splitlines():
        if (found := re.match(r"\| ([a-z0-9]+) \|", row)) and found[1] != "case":
            yield found[1]


@pytest.fixture(scope="session")
def record_figure(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Keeps numbers that a test found, each with its goal: `record_figure("test", doors_open=(0, 0))`."""

    def keep(run: str, **figures: tuple[float | int, float | int | None]) -> None:
        record(run, **figures)
        request.config.stash.setdefault(FOUND, {}).update(figures)

    return keep


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let the process that prints know which figures a worker has found."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["figures"] = session.config.stash.get(FOUND, {})


def pytest_configure(config: pytest.Config) -> None:
    """Keep score in the one process that hears of all tests."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Scoring(config), "scoring")


class Files(LoadFileScheduling):  # type: ignore[misc]  # xdist brings no types
    """Gives each file to one worker, and all files that boot a Debian to the same one.

    Groups of tests (`--dist loadgroup`) would say that too, but xdist 3.8 marks them where pytest 9.2 does not look.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = str(super()._split_scope(nodeid))
        return "box" if _boots(self.config.rootpath / file) else file


@cache
def _boots(file: Path) -> bool:
    return "pytest.mark.box" in file.read_text()


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Files:
    """Have xdist spread tests by file."""
    return Files(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the reports of each test say what it is marked with."""
    for item in items:
        for mark in MARKS:
            for each in item.iter_markers(mark):
                item.user_properties.extend((mark, str(name)) for name in each.args)
