"""The JSON document of `--json`. Its schema is docs/run.schema.json (`tools/run_schema.py`).

A change that a reader of the document would stumble over takes another version.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from pulumi.automation import OpType
from pydantic import BaseModel, ConfigDict, Field

from components.problems import Problems
from operations.errors import ExitCode, OperatorError
from operations.report import Change, Failure, Report
from operations.version import VERSION

_NAMES = {
    OpType.CREATE: "create",
    OpType.UPDATE: "update",
    OpType.REPLACE: "replace",
    OpType.IMPORT: "adopt",
    OpType.DELETE: "delete",
}


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ChangeRow(_Model):
    """One thing that changed, or would."""

    operation: Literal["create", "update", "replace", "adopt", "delete", "give back"]
    room: str = Field(description="Where it belongs: Server, DNS, Containers, Apps …")
    what: str = Field(description="What it is: application, container …")
    name: str
    details: list[str] = Field(description="What changes in it, a text for each property; no secret's value")


class FailureRow(_Model):
    """One thing that went wrong."""

    what: str = Field(description="What failed; empty where `why` says it")
    why: str
    remedy: str = Field(description="What to do about it; may be empty where `why` says it")


class Document(_Model):
    """What `gatehouse preview`, `up` or `destroy` did, or would do."""

    schema_version: Literal[1] = 1
    gatehouse: str = Field(description="The version of gatehouse")
    command: Literal["preview", "up", "destroy"]
    client: str
    exit_code: int = Field(description="0 no change or done, 1 failed, 2 used wrongly, 3 changes are pending")
    result: str = Field(description="The last line of the screen; empty where the command failed")
    seconds: float
    planned: bool = Field(description="Whether `changes` are what would be done, not what was")
    changes: list[ChangeRow]
    interrupts: list[str] = Field(description="What the changes interrupt, in sentences")
    notes: list[str]
    warnings: list[str]
    failures: list[FailureRow]


def document(
    command: str, client: str, code: ExitCode, error: Exception | None, *,
    reports: Sequence[Report], result: str,
    notes: Iterable[str], warnings: Iterable[str], seconds: float,
) -> Document:  # fmt: skip
    """The document of one command, of the reports of its runs: what they did, or what was planned if none did."""
    done = [each for each in reports if not each.planning] or list(reports)
    failures = [failure for each in reports for failure in each.failures()]
    return Document(
        gatehouse=VERSION,
        command=command,  # type: ignore[arg-type]
        client=client,
        exit_code=code,
        result=result,
        seconds=round(seconds, 1),
        planned=all(each.planning for each in done),
        changes=[_change(change) for each in done for change in each.changes],
        interrupts=[sentence for each in done for sentence in each.interruptions()],
        notes=[*notes],
        warnings=[*warnings],
        failures=[_failure(each) for each in failures or _said(error)],
    )


def _change(change: Change) -> ChangeRow:
    thing = change.label
    return ChangeRow(
        operation="give back" if change.given_back else _NAMES[change.operation],  # type: ignore[arg-type]
        room=thing.room, what=thing.what, name=thing.name, details=[*change.details],
    )  # fmt: skip


def _failure(failure: Failure) -> FailureRow:
    return FailureRow(what=failure.what, why=failure.why, remedy=failure.remedy)


def _said(error: Exception | None) -> list[Failure]:
    if isinstance(error, OperatorError):
        return [Failure("", error.what, error.remedy)]
    if isinstance(error, Problems):
        return [Failure(each.where, each.what, each.remedy) for each in error.problems if each.refuses]
    return [Failure("", str(error), "")] if error else []
