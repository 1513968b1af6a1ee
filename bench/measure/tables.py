"""What was measured, as tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import psutil
from rich.console import Console
from rich.table import Table

from bench.measure.timing import Pair, Times
from bench.measure.traffic import Traffic
from bench.measure.watch import Seen

_console = Console(highlight=False, width=110)
_MEGABYTE = 1024 * 1024


def quiet(_: str) -> None:
    """Progress that nobody needs to see."""


@dataclass
class Size:
    """What was measured of a client of so many apps: gatehouse against the naive, and the first up's processes."""

    apps: int
    previews: Pair
    refreshes: Pair
    edits: Pair
    ups: Pair
    skipped: float
    """Seconds of an up that writes its state once, at the end."""
    seen: Sequence[Seen]

    @property
    def written(self) -> float:
        """The share of an up that the engine spends on writing its state after each step."""
        return max(0.0, 1 - self.skipped / self.ups.ours.seconds)

    def processor(self, *roles: str) -> float:
        """Seconds of processor time."""
        return sum(each.processor for each in self.seen if each.role in roles)

    def memory(self, *roles: str) -> int:
        """The most that one of these processes had, in bytes."""
        return max(each.peak for each in self.seen if each.role in roles)


def opening(runs: int, long_runs: int, long: int) -> None:
    """What the reader has to know first."""
    cores, load = psutil.cpu_count(), psutil.getloadavg()[0]
    _console.print(
        f"Ratios of medians over {runs} runs of each side (ups of {long} and more apps: {long_runs}), in turn "
        "(A B A B), after one unmeasured run of each. "
        f"This machine has {cores} cores and a load of {load:.1f}: trust the ratios, not the seconds. "
        "The processor's ratio counts processor time alone, which other work on the machine hardly disturbs. "
        "Previews are measured of a whole client where a box can be made, and of one without a box; everything else "
        "of the latter alone: Hetzner, Docker and NPM cost what they cost."
    )


def without_box(reasons: Sequence[str]) -> None:
    """What is not measured, and why."""
    _console.print("No whole client is measured, since no box can be made here: " + "; ".join(reasons))


def ratio(title: str, pair: Pair, goal: float, naive: str) -> None:
    """gatehouse against something."""
    table = Table(title=title, title_justify="left")
    for column in ("", "median", "fastest", "slowest", "processor"):
        table.add_column(column, justify="right" if column else "left")
    for name, times in (("gatehouse", pair.ours), (naive, pair.naive)):
        table.add_row(name, *_row(times))
    met = "met" if pair.ratio <= goal else "NOT met"
    table.add_section()
    table.add_row("ratio", f"{pair.ratio:.2f}", "", "", f"{pair.processor_ratio:.2f}", end_section=True)
    _console.print(table)
    _console.print(f"  goal: at most {goal}: {met}\n")


def figure(name: str, value: float) -> None:
    """What is kept of a measurement, by its name in out/figures."""
    _console.print(f"  {name} {value}\n")


def _row(times: Times) -> tuple[str, ...]:
    fastest, slowest = times.spread
    used = sorted(times.processor)[len(times.processor) // 2]
    return tuple(f"{seconds:.2f} s" for seconds in (times.seconds, fastest, slowest, used))


def processes(title: str, seen: Sequence[Seen]) -> None:
    """Processes of one run, watched from outside."""
    table = Table(title=title, title_justify="left")
    for column in ("", "from", "to", "processor", "most memory"):
        table.add_column(column, justify="right" if column else "left")
    for each in seen:
        times = (f"{seconds:.2f} s" for seconds in (each.began, each.ended, each.processor))
        table.add_row(each.role, *times, f"{each.peak / _MEGABYTE:.0f} MB")
    _console.print(table)


def seconds(title: str, rows: Mapping[str, float]) -> None:
    """Names and seconds."""
    table = Table(title=title, title_justify="left", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in rows.items():
        table.add_row(name, f"{value:.2f} s")
    _console.print(table)


def imports(by: Mapping[str, Counter[str]]) -> None:
    """Milliseconds of importing, by package."""
    whole: Counter[str] = Counter()
    for spent in by.values():
        whole |= spent
    table = Table(title="Imports, in milliseconds", title_justify="left")
    table.add_column()
    for name in by:
        table.add_column(name, justify="right")
    for package, most in whole.most_common(12):
        if most:
            table.add_row(package, *(str(spent[package]) for spent in by.values()))
    table.add_section()
    table.add_row("all", *(str(spent.total()) for spent in by.values()))
    _console.print(table)


def traffic(title: str, seen: Mapping[str, Traffic]) -> None:
    """Calls and bytes."""
    table = Table(title=title, title_justify="left")
    for column in ("", "calls", "at the door", "lists", "kinds", "single reads", "writes", "kB"):
        table.add_column(column, justify="right" if column else "left")
    for name, found in seen.items():
        numbers = (
            len(found.entries), found.door, found.lists.total() + found.pages, len(found.lists),
            len(found.singles), len(found.writes), round(found.size / 1000),
        )  # fmt: skip
        table.add_row(name, *(str(number) for number in numbers))
    _console.print(table)


def sizes(measured: Sequence[Size]) -> None:
    """How what was measured grows with the number of apps."""
    table = Table(title="What it is for clients of several sizes", title_justify="left")
    table.add_column("")
    for size in measured:
        table.add_column(f"{size.apps} apps", justify="right")
    for title, value in _GROWTH:
        table.add_row(title, *(value(size) for size in measured))
    _console.print(table)


_OURS = ("program", "provider of REST objects")
_GROWTH: tuple[tuple[str, Callable[[Size], str]], ...] = (
    ("no-op preview, ratio", lambda size: f"{size.previews.ratio:.2f}"),
    ("preview --refresh, ratio", lambda size: f"{size.refreshes.ratio:.2f}"),
    ("one edit, ratio", lambda size: f"{size.edits.ratio:.2f}"),
    ("up from nothing, ratio", lambda size: f"{size.ups.ratio:.2f}"),
    ("up from nothing", lambda size: f"{size.ups.ours.seconds:.1f} s"),
    ("of that, the engine's writing of its state", lambda size: f"{size.written:.0%}"),
    ("processor time of program and provider, an app", lambda size: f"{_an_app(size, *_OURS):.0f} ms"),
    ("that of the CLI and engine, an app", lambda size: f"{_an_app(size, 'CLI and engine'):.0f} ms"),
    ("most memory of the program or provider", lambda size: f"{size.memory(*_OURS) / _MEGABYTE:.0f} MB"),
    ("that of the CLI and engine", lambda size: f"{size.memory('CLI and engine') / _MEGABYTE:.0f} MB"),
)


def _an_app(size: Size, *roles: str) -> float:
    return size.processor(*roles) / size.apps * 1000
