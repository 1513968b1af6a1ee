"""What a provider says to the operator, and waits that it does not keep from them."""

from __future__ import annotations

import os
import sys
import threading
import time

FIRST_WORD = 3.0
"""Seconds of waiting that need no word."""
NEXT_WORD = 30.0
"""Seconds between two words about the same wait."""


def patience() -> float:
    """Seconds for which a server that has answered before may be away: authentik restarts in 70, a box in 60."""
    return float(os.environ.get("GATEHOUSE_PATIENCE", "300"))


def say(text: str) -> None:
    """Tell the operator: what a provider says to standard error is shown with the run's diagnostics."""
    print(text, file=sys.stderr, flush=True)


class Outage:
    """One wait for one server, shared by all objects of a process: they wait together, not one after the other."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._lock = threading.Lock()
        self._began: float | None = None
        self._next_word = 0.0
        self._spoken = False
        self.happened = False
        """Whether anybody ever had to wait."""

    def seconds_left(self, reason: str, seconds: float) -> float:
        """How long it is still worth waiting, of `seconds` in all since the server was first seen to be away."""
        with self._lock:
            now = time.monotonic()
            if self._began is None:
                self._began, self._next_word, self.happened = now, now + FIRST_WORD, True
            waited = now - self._began
            if seconds > waited and now >= self._next_word:
                say(f"{self._where}: {reason}; waited for {waited:.0f} s so far, up to {seconds:.0f} s")
                self._next_word, self._spoken = now + NEXT_WORD, True
            return seconds - waited

    def end(self) -> None:
        """The server has answered."""
        with self._lock:
            if self._spoken and self._began is not None:
                say(f"{self._where}: answers again, after {time.monotonic() - self._began:.0f} s")
            self._began, self._spoken = None, False
