"""What a check of doctor's says: that something is right, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from components.problems import Problem


@dataclass(frozen=True)
class Right:
    """Something that was looked at, and is as it should be."""

    where: str
    what: str
    refuses: ClassVar[bool] = False


Finding = Right | Problem


def errors(findings: Iterable[Finding]) -> list[Problem]:
    """Those that have to be put right before anything is done."""
    return [each for each in findings if isinstance(each, Problem) and each.refuses]
