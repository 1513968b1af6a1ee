"""What a check found: the one form in which settings, plans and commands speak of what is not right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Weight(StrEnum):
    """What follows from a problem."""

    ERROR = "error"
    """Nothing is done before it is put right."""
    WARNING = "warning"
    """It works, and is hardly meant or dangerous: every command says so."""
    HINT = "hint"
    """It works, and could be better: doctor says so."""


@dataclass(frozen=True, order=True)
class Problem:
    """One thing that is not right.

    `where` is as the operator knows it: a path in the stack file (`gatehouse:apps.grafana.url`), an object of
    authentik's, a program, a cloud. `what` is wrong there, and `remedy` says what would be right or what to do.
    """

    where: str
    what: str
    remedy: str
    weight: Weight = Weight.ERROR

    @property
    def refuses(self) -> bool:
        """Whether nothing may be done because of it."""
        return self.weight is Weight.ERROR

    def __str__(self) -> str:
        # The remedy comes last and as it is, since it may end with a command to copy.
        return f"{self.where}: {self.what}. {self.remedy}"


def warning(where: str, what: str, remedy: str) -> Problem:
    """A problem that every command speaks of, and that keeps nothing from being done."""
    return Problem(where, what, remedy, Weight.WARNING)


def hint(where: str, what: str, remedy: str) -> Problem:
    """A problem that only doctor speaks of."""
    return Problem(where, what, remedy, Weight.HINT)


class Problems(Exception):  # noqa: N818  (several things that are not right, found together)
    """Something is not done, because of an error among these problems. Its text has the warnings too."""

    def __init__(self, problems: Iterable[Problem], heading: str = "") -> None:
        """`heading`: what the errors mean; that the stack file has mistakes if nothing is said."""
        self.problems = [*problems]
        errors = [each for each in self.problems if each.refuses]
        warnings = [each for each in self.problems if each.weight is Weight.WARNING]
        many = len(errors)
        heading = heading or f"The stack file has {'one mistake' if many == 1 else f'{many} mistakes'}:"
        text = "\n  ".join([heading, *map(str, errors)])
        super().__init__("\n  ".join([f"{text}\nWarnings:", *map(str, warnings)]) if warnings else text)


def refuse(problems: Iterable[Problem], heading: str = "") -> None:
    """Raise Problems where one of these is an error."""
    found = [*problems]
    if any(each.refuses for each in found):
        raise Problems(found, heading)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """`Write …` with the known name that is nearest, or None where none is near. Case does not count."""
    from difflib import get_close_matches  # noqa: PLC0415  (for mistakes alone)

    choices = {choice.lower(): choice for choice in known}
    found = get_close_matches(name.lower(), choices, n=1, cutoff=0.6)
    return f"Write {choices[found[0]]}" if found else None
