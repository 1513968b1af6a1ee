"""Times of runs, and ratios that hold on a busy machine: both sides in turn, medians of both."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

RUNS = 7
"""How often each side runs; at least 5, so that a median means something."""


@dataclass
class Times:
    """Seconds on the clock, and seconds of processor time of everything that a run started."""

    wall: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def take(self, run: Callable[[], object]) -> None:
        """Run once and note how long it took."""
        used, began = _used(), time.monotonic()
        run()
        self.wall.append(time.monotonic() - began)
        self.processor.append(_used() - used)

    @property
    def seconds(self) -> float:
        """The median on the clock."""
        return median(self.wall)

    @property
    def spread(self) -> tuple[float, float]:
        """The fastest and the slowest."""
        return min(self.wall), max(self.wall)


@dataclass
class Pair:
    """gatehouse and what it is measured against."""

    ours: Times = field(default_factory=Times)
    naive: Times = field(default_factory=Times)

    @property
    def ratio(self) -> float:
        """The ratio of the medians on the clock."""
        return self.ours.seconds / self.naive.seconds

    @property
    def processor_ratio(self) -> float:
        """The ratio of the medians of processor time: what the same would be on a machine of our own."""
        return median(self.ours.processor) / median(self.naive.processor)


def paired(
    ours: Callable[[], object],
    naive: Callable[[], object],
    runs: int = RUNS,
    *,
    before: tuple[Callable[[int], object], Callable[[int], object]] = (lambda _: None, lambda _: None),
    warm: bool = True,
) -> Pair:
    """Run both in turn, with `warm` each once unmeasured first. `before` (ours, naive) makes ready for a run, whose
    number it is given; not measured."""
    pair = Pair()
    for number in range(-1 if warm else 0, runs):
        for times, run, ready in ((pair.ours, ours, before[0]), (pair.naive, naive, before[1])):
            ready(number)
            (times if number >= 0 else Times()).take(run)
    return pair


def _used() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime
