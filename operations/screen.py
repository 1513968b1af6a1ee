"""What an operator sees of a run: what changes, in their own words; nothing of what does not, and each warning once.

It is made of the engine's events (Pulumi's Automation API). `--pulumi` shows the engine's own words instead.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, NamedTuple, TypedDict

from pulumi.automation import CommandError, EngineEvent, OpType
from pulumi.automation.events import DiagnosticEvent, StepEventMetadata

from components.identity.access import FOREIGN
from components.objects.provider import META
from operations.words import ROOMS, Thing, edits, thing

Say = Callable[[str], None]
PULSE = 15.0
"""Seconds after which what is still under way is named again."""


class Callbacks(TypedDict):
    """What the calls of the Automation API take to be listened to."""

    on_output: Callable[[str], Any]
    on_error: Callable[[str], Any]
    on_event: Callable[[EngineEvent], Any]


class _Words(NamedTuple):
    sign: str
    done: str
    to_do: str


OPERATIONS = {
    OpType.CREATE: _Words("+", "made", "to make"),
    OpType.UPDATE: _Words("~", "changed", "to change"),
    OpType.REPLACE: _Words("±", "made anew", "to make anew"),
    OpType.IMPORT: _Words("=", "taken over", "to take over where it is there"),
    OpType.DELETE: _Words("-", "deleted", "to delete"),
}
# A replacement comes as several steps, of which one stands for all: the plan's own, and the one that ends it.
_PLANNED = {OpType.REPLACE: OpType.REPLACE}
_CARRIED_OUT = {OpType.CREATE_REPLACEMENT: OpType.REPLACE}
# What the engine adds when something has failed: it says nothing new.
_ECHOES = re.compile(r"(update|preview|destroy|refresh) failed|Resource monitor has terminated")
_LIBRARY = re.compile(r"^(?:[\w.]*\.)?[A-Z]\w*Error: ")
# What it puts before an objection of a provider's, the value among it.
_CHECKED = re.compile(r"^\S+ resource '[^']*'(?:: property \S+ value \{.*?\})? has a problem: ", re.DOTALL)


@dataclass
class Screen:
    """Shows one run of the engine: hand its `callbacks` over, within a `with` that holds the run.

    With `planning`, changes are shown together at the end, by room; else each as it is done. `told` has the warnings
    and notes that were shown already: give that of one run to the next one of the same command.
    """

    say: Say
    planning: bool = False
    pulumi: bool = False
    """Show the engine's own words as they come."""
    told: set[str] = field(default_factory=set)
    foreign: list[str] = field(default_factory=list)
    """Bindings of apps that the stack file does not have, as what they do."""
    _began: float = field(default_factory=time.monotonic)
    _under_way: dict[str, tuple[Thing, float]] = field(default_factory=dict)
    _steps: list[tuple[OpType, Thing, str]] = field(default_factory=list)
    _given_back: list[Thing] = field(default_factory=list)
    _warnings: list[str] = field(default_factory=list)
    _errors: list[str] = field(default_factory=list)
    _unread: list[str] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)

    @property
    def callbacks(self) -> Callbacks:
        """Arguments for a call of the Automation API."""
        return {"on_output": self.read, "on_error": self.read, "on_event": self.listen}

    def read(self, line: str) -> None:
        """Take in what the engine's command line prints: its `on_output` and `on_error`."""
        (self.say if self.pulumi else self._unread.append)(line)

    def __enter__(self) -> Screen:
        if not (self.planning or self.pulumi):
            threading.Thread(target=self._pulse, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self.planning:
            self._show_plan()
        if self.pulumi:
            return
        if isinstance(error, CommandError) and not self._errors:
            self._errors.append("\n".join(self._unread).strip() or str(error))
        for title, texts in (("Warnings", self._warnings), ("Failed", self._errors)):
            if texts:
                self.say(f"\n{title}:")
                for text in texts:
                    self.say("\n".join(f"  {line}" for line in text.splitlines()))

    def counts(self) -> str:
        """How many things changed, by what was or will be done with them; empty if none did."""
        numbers = {each: sum(step[0] is each for step in self._steps) for each in OPERATIONS}
        counts = [
            f"{number} {OPERATIONS[each].to_do if self.planning else OPERATIONS[each].done}"
            for each, number in numbers.items()
            if number
        ]
        return ", ".join([*counts, *([f"{len(self._given_back)} given back"] if self._given_back else [])])

    # Steps ---------------------------------------------------------------------------------------------------------

    def listen(self, event: EngineEvent) -> None:
        """Take an event in: its `on_event`."""
        if event.diagnostic_event and not self.pulumi:
            self._hear(event.diagnostic_event)
        elif event.resource_pre_event:
            step = event.resource_pre_event.metadata
            if self.planning:
                self._note(step)
            elif step.op not in (OpType.SAME, OpType.REFRESH) and (what := thing(step.urn)):
                self._under_way[step.urn] = (what, time.monotonic())
        elif event.res_outputs_event and not self.planning:
            self._under_way.pop(event.res_outputs_event.metadata.urn, None)
            self._note(event.res_outputs_event.metadata)
        elif event.res_op_failed_event:
            self._under_way.pop(event.res_op_failed_event.metadata.urn, None)

    def _note(self, step: StepEventMetadata) -> None:
        operation = (_PLANNED if self.planning else _CARRIED_OUT).get(step.op, step.op)
        what = thing(step.urn)
        if what is None or operation not in OPERATIONS or (step.op is OpType.REPLACE and not self.planning):
            return
        if operation is OpType.DELETE and _is_adopted(step):
            self._given_back.append(what)
            return
        if operation is OpType.CREATE and _is_adopted(step, planned=self.planning):
            operation = OpType.IMPORT
        detail = "; ".join(_details(step, operation))
        foreign = ((step.old and step.old.inputs) or {}).get(FOREIGN, [])
        self.foreign += [f"{what.name}: {each}" for each in foreign]
        if foreign and not detail:
            return  # said already, by what the binding does
        self._steps.append((operation, what, detail))
        if not (self.planning or self.pulumi):
            self._time(f"{what} {OPERATIONS[operation].done}{f': {detail}' if detail else ''}")

    def _show_plan(self) -> None:
        if self.pulumi:
            if self._given_back:
                names = ", ".join(sorted(str(each) for each in self._given_back))
                self.say(
                    f"Shown as deleted, but only given back, with the values that it had before: {names}."
                )
            return
        for room in ROOMS:
            steps = [each for each in self._steps if each[1].room == room]
            given = [each for each in self._given_back if each.room == room]
            if steps or given:
                self.say(room)
            for operation, what, detail in steps:
                self.say(f"  {OPERATIONS[operation].sign} {what}{f': {detail}' if detail else ''}")
            for what in given:
                self.say(f"  · {what}: given back, with the values that it had before it was taken over")
        if counts := self.counts():
            self.say(f"\n{counts}")

    def _pulse(self) -> None:
        while not self._ended.wait(PULSE):
            now = time.monotonic()
            waiting = [
                f"{what} ({now - began:.0f} s)"
                for what, began in list(self._under_way.values())
                if now - began > PULSE
            ]
            if waiting and not self._ended.is_set():
                self._time(f"under way: {', '.join(waiting)}")

    def _time(self, text: str) -> None:
        self.say(f"{time.monotonic() - self._began:4.0f} s  {text}")

    # Words ---------------------------------------------------------------------------------------------------------

    def _hear(self, said: DiagnosticEvent) -> None:
        text = _CHECKED.sub("", _LIBRARY.sub("", said.message.strip()))
        if said.severity == "debug" or said.ephemeral or not text or text in self.told or _ECHOES.match(text):
            return
        self.told.add(text)
        if said.severity == "error":
            named = thing(said.urn) if said.urn else None
            self._errors.append(f"{named}: {text}" if named and named.name not in text else text)
        elif said.severity == "warning":
            self._warnings.append(text)
        else:
            self.say(f"  {text}")


def _details(step: StepEventMetadata, operation: OpType) -> Iterator[str]:
    if operation not in (OpType.UPDATE, OpType.REPLACE) or step.old is None or step.new is None:
        return
    named = {
        re.split(r"[.\[]", each, maxsplit=1)[0] for each in (*(step.diffs or ()), *(step.detailed_diff or {}))
    }
    yield from edits(step.old.inputs or {}, step.new.inputs or {}, named)


def _is_adopted(step: StepEventMetadata, *, planned: bool = False) -> bool:
    """Whether the object was there before us: what the state says of it, or with `planned` what the program allows."""
    state = step.old or step.new
    values = state and (state.inputs if planned and state is step.new else state.outputs)
    meta: Any = (values or {}).get(META)
    return isinstance(meta, dict) and bool(meta.get("adopt" if planned and state is step.new else "adopted"))
