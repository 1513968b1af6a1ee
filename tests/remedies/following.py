"""Follows remedies of stack files to the letter: "Write x" and "Take it out" as they stand, others as a person would.

What a person would do is in followed.yaml (settings that are laid over a file of tests/settings/bad) and in
followed_objects.yaml and followed_advice.yaml (raw objects, and settings that are warned of, before and after).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from components.apps import declare
from components.identity.plan import Plan
from components.problems import Problem, Problems
from components.settings import Settings, parse
from tests.settings.files import decrypted, good, laid_over, read

HERE = Path(__file__).resolve().parent
FOLLOWED: dict[str, dict[str, Any]] = yaml.load((HERE / "followed.yaml").read_text(), Loader=yaml.CSafeLoader)
ADVICE: list[dict[str, Any]] = yaml.load((HERE / "followed_advice.yaml").read_text(), Loader=yaml.CSafeLoader)
OBJECTS: list[dict[str, Any]] = yaml.load(
    (HERE / "followed_objects.yaml").read_text(), Loader=yaml.CSafeLoader
)


def mistakes(settings: dict[str, Any], *, sealed: bool) -> list[Problem]:
    """All that is wrong with a stack file, as checking it or planning its objects says."""
    raw = settings if sealed else decrypted(settings)
    try:
        found = parse(raw, sealed=sealed)
    except Problems as error:
        return error.problems
    return [] if sealed else list(_planned(found))


def advice(changes: dict[str, Any]) -> list[Problem]:
    """What is advised against in the good file with these changes; not what is advised against in the good file."""
    usual = {each.what for each in parse(decrypted(good())).warnings}
    return [each for each in parse(decrypted(laid_over(good(), changes))).warnings if each.what not in usual]


def findings(case: dict[str, Any], side: str) -> list[Problem]:
    """What a plan of these raw objects objects to, warnings included."""
    plan = Plan(case.get("line", "2026.8"))
    for kind, name, fields in case[side]:
        plan.add(f"authentik_{kind}", name, dict(fields))
    return plan.problems()


def _planned(settings: Settings) -> Iterator[Problem]:
    plan = Plan(settings.authentik.line)
    declare(plan, settings, settings.derived())
    yield from (each for each in plan.problems() if each.refuses)


@cache
def follow(path: Path) -> tuple[list[Problem], list[Problem]]:
    """What is wrong with a bad file, and what is still wrong once all its remedies were followed."""
    case = read(path)
    sealed = bool(case.get("sealed"))
    settings = laid_over(good(), case["config"])
    before = mistakes(settings, sealed=sealed)
    done = sorted(before, key=lambda problem: problem.where, reverse=True)  # later list members first
    for problem in done:
        to_the_letter(settings, problem)
    return before, mistakes(laid_over(settings, FOLLOWED.get(path.stem, {})), sealed=sealed)


def to_the_letter(settings: dict[str, Any], problem: Problem) -> None:
    """Do what a remedy says, where it says a value, a name or to take something out; and nothing otherwise."""
    steps = _steps(problem.where)
    *way, last = steps
    place: Any = settings
    for step in way:
        place = place[step]
    if written := re.fullmatch(r"Write (\S+)", problem.remedy):
        if re.search(rf"no (setting|secret) {re.escape(repr(last))}", problem.what):
            place[written[1]] = place.pop(last)
        else:
            place[last] = written[1]
    elif problem.remedy == "Take it out":
        del place[last]


def _steps(path: str) -> list[str | int]:
    """`gatehouse:people[0].email` as ["people", 0, "email"]."""
    parts = re.findall(r"""\["([^"]+)"\]|\[(\d+)\]|([^.\[\]]+)""", path.removeprefix("gatehouse:"))
    return [int(number) if number else quoted or name for quoted, number, name in parts]
