"""Shows one run of the engine: what changes, in the operator's words; nothing of what does not.

It is made of the engine's events (Pulumi's Automation API), which `operations.report` collects. On a terminal, what is
under way is a table that is drawn in place; elsewhere it is named now and then.
"""

from __future__ import annotations

import textwrap
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypedDict

from pulumi.automation import CommandError, EngineEvent, OpType
from rich.live import Live

from operations.output import Manner, Output
from operations.plan_rows import rows
from operations.progress import Rooms, under_way
from operations.report import OPERATIONS, Change, Failure, Report
from operations.resource_labels import ROOMS
from operations.stack import known_error

PULSE = 15.0
"""Seconds after which what is still under way is named again."""
STYLES = {OpType.CREATE: "green", OpType.UPDATE: "yellow", OpType.REPLACE: "magenta", OpType.DELETE: "red"}


class Callbacks(TypedDict):
    """What the calls of the Automation API take to be listened to."""

    on_output: Callable[[str], Any]
    on_error: Callable[[str], Any]
    on_event: Callable[[EngineEvent], Any]


@dataclass
class Screen:
    """Shows one run of the engine: hand its `callbacks` over, within a `with` that holds the run.

    With `planning`, changes are shown together at the end, by room; else each as it is done. With `silent`, only what
    fails is shown.
    """

    out: Output
    title: str = ""
    """What is done, for the line above the table of what is under way."""
    planning: bool = False
    silent: bool = False
    report: Report = field(init=False)
    _unread: list[str] = field(default_factory=list)
    _ended: threading.Event = field(default_factory=threading.Event)
    _shown: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.report = Report(self.planning, set() if self.silent else self.out.heard)

    @property
    def pulumi(self) -> bool:
        """Whether the engine speaks for itself."""
        return self.out.manner is Manner.PULUMI and not self.silent

    @property
    def callbacks(self) -> Callbacks:
        """Arguments for a call of the Automation API."""
        return {"on_output": self.read, "on_error": self.read, "on_event": self.listen}

    def read(self, line: str) -> None:
        """Take in what the engine's command line prints: its `on_output` and `on_error`."""
        if self.pulumi:
            print(line, flush=True)  # as it is, however wide
        else:
            self._unread.append(line)

    def listen(self, event: EngineEvent) -> None:
        """Take an event in: its `on_event`."""
        if self.pulumi and event.diagnostic_event:
            return
        seen = self.report.add(event)
        if self.pulumi or self.silent or seen is None:
            return
        if isinstance(seen, str):
            self.out.say(f"  {seen}")
        elif (
            not (self.planning or seen.given_back) and self.out.manner is Manner.WORDS
        ):  # a note says what is given back
            self._time(_done(seen), STYLES.get(seen.operation, ""))

    def __enter__(self) -> Screen:
        if self.out.live and self.title:
            rooms = Rooms(self.report, self.title)
            self._shown.enter_context(
                Live(rooms, console=self.out.console, transient=True, refresh_per_second=4)
            )
        elif self.out.manner is Manner.WORDS and not (self.planning or self.silent):
            threading.Thread(target=self._pulse, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._shown.close()
        if not self.silent:
            self.out.reports.append(self.report)
            if self.planning:
                self._show_plan()
            self.out.warnings += self.report.warnings
        if isinstance(error, CommandError) and not self.pulumi:
            self._show_failure(error)

    def _show_plan(self) -> None:
        given_back = sorted(str(each.label) for each in self.report.changes if each.given_back)
        if self.pulumi:
            if given_back:
                names = ", ".join(given_back)
                self.out.print(
                    f"Shown as deleted, but only given back, with the values that it had before: {names}."
                )
            return
        if self.out.manner is Manner.WORDS:
            for room in ROOMS:
                changes = [each for each in self.report.changes if each.label.room == room]
                if changes:
                    self.out.print(room, "bold")
                for sign, text, operation in rows(changes):
                    self.out.print(f"  {sign} {text}", STYLES.get(operation, ""))
            if self.report.changes:
                self.out.print("")
        show_interruptions(self.out, self.report.interruptions())
        if counts := self.report.counts():
            self.out.print(", ".join(f"{number} {words}" for words, number in counts.items()))

    def _show_failure(self, error: CommandError) -> None:
        """One block: what failed, why, what to do; then the engine's own words where they say more."""
        if known_error(error):
            return  # it is raised as an error in words
        failures = self.report.failures()
        words = [each.words for each in failures if each.words]
        if not failures:
            failures = [Failure("the run ended before anything was looked at", "", "")]
            words = ["\n".join(self._unread).strip() or str(error)]
        self.out.show_warnings()
        self.out.head(f"Failed after {time.monotonic() - self.report.began:.0f} s:", "bold red")
        for each in failures:
            for first, text in (("  ", each.what), ("    ", each.why), ("    → ", each.remedy)):
                if text:
                    self.out.print(first + textwrap.indent(text, " " * len(first)).lstrip())
        if words:
            self.out.head("  In Pulumi's own words:", "dim")
            for text in words:
                self.out.print(textwrap.indent(text, "    "), "dim")
        if not self.planning and any(self.report.counts()):
            self.out.print("  What was done until then stays; the next run goes on from there.")

    def _pulse(self) -> None:
        while not self._ended.wait(PULSE):
            waiting = under_way(self.report, longer_than=PULSE)
            if waiting and not self._ended.is_set():
                self._time(f"under way: {'; '.join(waiting)}")

    def _time(self, text: str, style: str = "") -> None:
        self.out.print(f"{time.monotonic() - self.report.began:4.0f} s  {text}", style)


def show_interruptions(out: Output, sentences: list[str], heading: str = "What this interrupts:") -> None:
    """Say what changes interrupt: before they are asked about, or once they are made where nobody is asked."""
    if sentences and out.manner is not Manner.QUIET:
        out.print(heading, "bold")
        for sentence in sentences:
            out.print(f"  {sentence}")
        out.print("")


def _done(change: Change) -> str:
    return f"{change.label} {OPERATIONS[change.operation].done}{change.detail}"
