"""Where the words of a command go: to the screen in one of several manners, or into one JSON document."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

from pulumi.automation import CommandError
from rich.console import Console
from rich.text import Text

from components.problems import Problems, Weight
from operations.document import Document, document
from operations.errors import ExitCode, OperatorError
from operations.report import Report


class Manner(Enum):
    """How a command speaks."""

    WORDS = "words"
    QUIET = "quiet"
    """Warnings, what failed, and the last line."""
    PULUMI = "pulumi"
    """The engine's own words as they come."""
    JSON = "json"
    """Nothing but one document at the end."""


@dataclass
class Output:
    """What one command shows. `heard` has what was shown already, so that no run of the command says it again."""

    manner: Manner = Manner.WORDS
    console: Console = field(default_factory=lambda: Console(highlight=False))
    heard: set[str] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)
    """Those that are still to be shown: see `show_warnings`."""
    reports: list[Report] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    result: str = ""
    began: float = field(default_factory=time.monotonic)
    _warned: list[str] = field(default_factory=list)
    _begun: bool = False
    """Whether anything is on the screen."""

    @property
    def live(self) -> bool:
        """Whether what is under way can be shown in place."""
        seen = self.console.is_terminal and not self.console.is_dumb_terminal
        return seen and self.manner is Manner.WORDS

    def say(self, text: str, style: str = "") -> None:
        """Something that the operator should know while the command runs."""
        self.notes.append(text.strip())
        if self.manner is not Manner.QUIET:
            self.print(text, style)

    def print(self, text: str, style: str = "") -> None:
        """Lines of the screen, broken between words where it is a terminal."""
        if self.manner is not Manner.JSON:
            print_lines(self.console, text, style)
            self._begun = True

    def head(self, text: str, style: str = "bold") -> None:
        """The first line of a block, set off from what is above it."""
        self.print(f"\n{text}" if self._begun else text, style)

    def warn(self, text: str) -> None:
        """Something that is advised against; shown once, at the end."""
        if text not in self.heard:
            self.heard.add(text)
            self.warnings.append(text)

    def show_warnings(self) -> None:
        """Show the warnings that came since."""
        if self.warnings:
            self.head("Warnings:", "bold yellow")
            for text in self.warnings:
                self.print(textwrap.indent(text, "  "))
            self._warned += self.warnings
            self.warnings.clear()

    def end(self, result: str) -> None:
        """The last line: what the command has come to."""
        self.result = result
        self.print(result, "bold green")

    def document(self, command: str, client: str, code: ExitCode, error: Exception | None) -> Document:
        """All of it as the JSON document."""
        return document(
            command, client, code, error,
            reports=self.reports, result=self.result,
            notes=self.notes, warnings=[*self._warned, *self.warnings], seconds=time.monotonic() - self.began,
        )  # fmt: skip


@contextmanager
def output(command: str, client: str, manner: Manner) -> Iterator[Output]:
    """The output of a command; with `Manner.JSON`, the document is printed however the command ends."""
    out = Output(manner)
    error: Exception | None = None
    code = ExitCode.DONE
    try:
        yield out
    except (OperatorError, Problems, CommandError) as failed:
        error, code = failed, getattr(failed, "code", ExitCode.FAILED)
        if isinstance(failed, Problems):
            out.warnings += [str(each) for each in failed.problems if each.weight is Weight.WARNING]
        raise
    finally:
        out.show_warnings()
        if manner is Manner.JSON:
            print(out.document(command, client, code, error).model_dump_json(indent=2), flush=True)


def print_lines(console: Console, text: str, style: str = "") -> None:
    """Print lines, broken between words where it is a terminal: what can be copied stays whole."""
    for line in text.split("\n"):
        for part in _broken(line, console.width) if console.is_terminal else [line]:
            console.print(Text(part, style), soft_wrap=True)


def _broken(line: str, width: int) -> list[str]:
    indent = line[: len(line) - len(line.lstrip())]
    return textwrap.wrap(
        line, width, subsequent_indent=f"{indent}    ", break_long_words=False, break_on_hyphens=False
    ) or [""]
