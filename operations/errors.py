"""The one error that an operator sees: what is wrong, and what to do about it."""

from __future__ import annotations


class OperatorError(Exception):
    """Something that the operator has to put right.

    `what` names the thing and its place (a file, a stack, a host), `remedy` says what to do.
    """

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}\n  {remedy}" if remedy else what)
        self.what = what
        self.remedy = remedy
