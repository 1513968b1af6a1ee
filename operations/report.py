"""What a run of the engine did, or would do: its events, collected and put into the operator's words."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from pulumi.automation import EngineEvent, OpType
from pulumi.automation.events import DiagnosticEvent, StepEventMetadata

from components.identity.access import FOREIGN
from components.objects.state import META
from operations.impacts import ResourceChange, interruptions
from operations.resource_labels import ROOMS, ResourceLabel, edits, label_resource


class OperationWords(NamedTuple):
    """How an operation is spoken of."""

    sign: str
    done: str
    to_do: str


OPERATIONS = {
    OpType.CREATE: OperationWords("+", "made", "to make"),
    OpType.UPDATE: OperationWords("~", "changed", "to change"),
    OpType.REPLACE: OperationWords("±", "made anew", "to make anew"),
    OpType.IMPORT: OperationWords("=", "taken over", "to take over where it is there"),
    OpType.DELETE: OperationWords("-", "deleted", "to delete"),
}
# A replacement comes as several steps, of which one stands for all: the plan's own, and the one that ends it.
_PLANNED = {OpType.REPLACE: OpType.REPLACE}
_CARRIED_OUT = {OpType.CREATE_REPLACEMENT: OpType.REPLACE}
# What cannot be done, by the step that failed.
_TRIED = {
    OpType.CREATE: "be made",
    OpType.CREATE_REPLACEMENT: "be made anew",
    OpType.UPDATE: "be changed",
    OpType.DELETE: "be deleted",
    OpType.DELETE_REPLACED: "be deleted",
    OpType.REFRESH: "be looked at",
    OpType.READ: "be looked at",
    OpType.IMPORT: "be taken over",
}
# What the engine adds when something has failed: it says nothing new.
_ECHOES = re.compile(r"(update|preview|destroy|refresh) failed|Resource monitor has terminated")
_OURS = re.compile(r"^(?:[\w.]*\.)?ObjectError: ")
_LIBRARY = re.compile(r"^(?:[\w.]*\.)?[A-Z]\w*Error: ")
# What it puts before an objection of a provider's, the value among it.
_CHECKED = re.compile(r"^\S+ resource '[^']*'(?:: property \S+ value \{.*?\})? has a problem: ", re.DOTALL)
_AGAIN = "Put right what it names, then run the same command again: it goes on from here."


@dataclass(frozen=True)
class Change:
    """One thing that changes."""

    operation: OpType
    label: ResourceLabel
    details: tuple[str, ...] = ()
    """What changes in it, a text for each property."""
    fields: frozenset[str] = frozenset()
    given_back: bool = False
    """The operation is a delete for the engine only: the thing was there before this stack, and stays."""

    def __lt__(self, other: Change) -> bool:
        return self._order < other._order

    @property
    def _order(self) -> tuple[int, str, str]:
        return ROOMS.index(self.label.room), self.label.name, self.label.what

    @property
    def detail(self) -> str:
        """What changes in it, to be put behind its name."""
        return f": {'; '.join(self.details)}" if self.details else ""

    @property
    def changed(self) -> ResourceChange:
        """The same, as the table of interruptions is asked about it."""
        return ResourceChange(self.operation, self.label.type, self.label.name, self.fields)


@dataclass(frozen=True)
class Failure:
    """Something that went wrong."""

    what: str
    why: str
    remedy: str
    words: str = ""
    """The engine's own, where they say more."""


@dataclass
class Report:
    """Takes the events of one run in. With `planning`, they are of a preview."""

    planning: bool = False
    heard: set[str] = field(default_factory=set)
    """Warnings and notes that were shown already, by this run or an earlier one of the same command."""
    began: float = field(default_factory=time.monotonic)
    under_way: dict[str, tuple[OpType, ResourceLabel, float]] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    """Bindings of apps that the stack file does not have, as what they do."""
    _errors: list[DiagnosticEvent] = field(default_factory=list)
    _failed: dict[str, OpType] = field(default_factory=dict)

    def add(self, event: EngineEvent) -> Change | str | None:
        """Take an event in; what it says is done, or a note."""
        if event.diagnostic_event:
            return self._add_diagnostic(event.diagnostic_event)
        if event.resource_pre_event:
            step = event.resource_pre_event.metadata
            if self.planning:
                return self._note(step)
            if step.op not in (OpType.SAME, OpType.REFRESH) and (what := _label(step)):
                self.under_way[step.urn] = (step.op, what, time.monotonic())
        elif event.res_outputs_event and not self.planning:
            self.under_way.pop(event.res_outputs_event.metadata.urn, None)
            return self._note(event.res_outputs_event.metadata)
        elif event.res_op_failed_event:
            step = event.res_op_failed_event.metadata
            self.under_way.pop(step.urn, None)
            self._failed[step.urn] = step.op
        return None

    def counts(self) -> dict[str, int]:
        """How many things changed, by what was or will be done with them."""
        done = [each for each in self.changes if not each.given_back]
        numbers = {
            words.to_do if self.planning else words.done: sum(each.operation is operation for each in done)
            for operation, words in OPERATIONS.items()
        }
        numbers["given back"] = len(self.changes) - len(done)
        return {words: number for words, number in numbers.items() if number}

    def interruptions(self) -> list[str]:
        """What the changes interrupt."""
        return interruptions(each.changed for each in sorted(self.changes) if not each.given_back)

    def failures(self) -> list[Failure]:
        """What failed, each once."""
        return list(dict.fromkeys(self._failure(each) for each in self._errors))

    def _note(self, step: StepEventMetadata) -> Change | None:
        operation = (_PLANNED if self.planning else _CARRIED_OUT).get(step.op, step.op)
        what = _label(step)
        if what is None or operation not in OPERATIONS or (step.op is OpType.REPLACE and not self.planning):
            return None
        fields, details = _edits(step, operation)
        foreign = ((step.old and step.old.inputs) or {}).get(FOREIGN, [])
        self.foreign += [f"{what.name}: {each}" for each in foreign]
        if foreign and not details:
            return None  # said already, by what the binding does
        given_back = operation is OpType.DELETE and _is_adopted(step)
        if operation is OpType.CREATE and _is_adopted(step, planned=self.planning):
            operation = OpType.IMPORT
        change = Change(operation, what, details, fields, given_back)
        self.changes.append(change)
        return change

    def _add_diagnostic(self, said: DiagnosticEvent) -> str | None:
        text = _plain(said.message)
        if (
            said.severity == "debug"
            or said.ephemeral
            or not text
            or text in self.heard
            or _ECHOES.match(text)
        ):
            return None
        self.heard.add(text)
        if said.severity == "error":
            self._errors.append(said)
        elif said.severity == "warning":
            self.warnings.append(text)
        else:
            return text
        return None

    def _failure(self, said: DiagnosticEvent) -> Failure:
        named = label_resource(said.urn) if said.urn else None
        text = _plain(said.message)
        if named is None:
            trace = text.startswith("Program failed") or "Traceback (most recent call last)" in text
            if not trace:  # what the program objects to, with what to do about it
                return Failure("", text, "")
            last = text.strip().splitlines()[-1]
            wrong = (
                "This is a mistake of gatehouse, not of the stack file: show these words to who maintains it."
            )
            return Failure("the program stopped", last, wrong, text)
        tried = _TRIED.get(self._failed.get(said.urn or "", OpType.SAME), "be brought to what is wanted")
        what = f"{named} cannot {tried}"
        if _OURS.match(said.message.strip()):
            why, _, remedy = text.partition("\n")
            return Failure(what, why, remedy.strip())
        first, *rest = text.splitlines()
        return Failure(what, first, _AGAIN, text if rest else "")


def _label(step: StepEventMetadata) -> ResourceLabel | None:
    state = step.new or step.old
    return label_resource(step.urn, state.inputs if state else None)


def _plain(message: str) -> str:
    return _CHECKED.sub("", _LIBRARY.sub("", message.strip()))


def _edits(step: StepEventMetadata, operation: OpType) -> tuple[frozenset[str], tuple[str, ...]]:
    """The properties that change, and how."""
    if operation not in (OpType.UPDATE, OpType.REPLACE) or step.old is None or step.new is None:
        return frozenset(), ()
    named = {
        re.split(r"[.\[]", each, maxsplit=1)[0] for each in (*(step.diffs or ()), *(step.detailed_diff or {}))
    }
    found = dict(edits(step.old.inputs or {}, step.new.inputs or {}, named))
    return frozenset(found), tuple(found.values())


def _is_adopted(step: StepEventMetadata, *, planned: bool = False) -> bool:
    """Whether the object was there before us: what the state says of it, or with `planned` what the program allows."""
    state = step.old or step.new
    values = state and (state.inputs if planned and state is step.new else state.outputs)
    meta: Any = (values or {}).get(META)
    return isinstance(meta, dict) and bool(meta.get("adopt" if planned and state is step.new else "adopted"))


def losses(resources: Iterable[Mapping[str, Any]]) -> Iterator[Change]:
    """What a destroy of everything in the state's `resources` deletes or gives back."""
    for each in resources:
        what = label_resource(str(each["urn"]), each.get("inputs"))
        if what is not None and not each.get("delete"):
            adopted = bool(((each.get("outputs") or {}).get(META) or {}).get("adopted"))
            yield Change(OpType.DELETE, what, given_back=adopted)
