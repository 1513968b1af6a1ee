"""The one error that an operator sees: what is wrong, and what to do about it; and how commands end."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended, for whoever called it; documented in docs/commands.md."""

    DONE = 0
    """Nothing was to be changed, or all was."""
    FAILED = 1
    MISUSED = 2
    """The command line is wrong: what it names is not there, or does not fit together."""
    PENDING = 3
    """`--expect-no-changes`, and something would change."""
    INTERRUPTED = 130


class OperatorError(Exception):
    """Something that the operator has to put right.

    `what` names the thing and its place (a file, a stack, a host), `remedy` says what to do.
    """

    code = ExitCode.FAILED

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}\n  {remedy}" if remedy else what)
        self.what = what
        self.remedy = remedy


class UsageError(OperatorError):
    """The command line is wrong."""

    code = ExitCode.MISUSED


class PendingError(OperatorError):
    """Something would change where nothing should."""

    code = ExitCode.PENDING
