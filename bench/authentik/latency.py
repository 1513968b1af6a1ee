"""The real server's pace, for benchmarks: the times that were measured on two cores, and its two lanes."""

from __future__ import annotations

import threading
import time

# Milliseconds by kind and method (median of 20); "" is any other kind.
MEASURED: dict[str, dict[str, float]] = {
    "/providers/oauth2/": {"POST": 296, "GET": 76, "PATCH": 101, "PUT": 101, "DELETE": 183},
    "/core/applications/": {"POST": 257, "GET": 195, "PATCH": 197, "PUT": 197, "DELETE": 279},
    "/policies/bindings/": {"POST": 255, "GET": 100, "PATCH": 112, "PUT": 112, "DELETE": 112},
    "/core/groups/": {"POST": 148, "GET": 60, "PATCH": 100, "PUT": 100, "DELETE": 110},
    "": {"POST": 180, "GET": 60, "PATCH": 110, "PUT": 110, "DELETE": 120},
}
# 20 x (provider + application + binding), 16.2 s of work by the table above, took 6.6 / 5.9 / 6.2 / 5.5 s with
# 2 / 4 / 8 / 16 clients: about three requests are worked on at a time, whatever the number of clients.
LANES = 3


class Pace:
    """Waits as long as the real server would have worked; not at all unless switched on."""

    def __init__(self, on: bool) -> None:
        self.on = on
        self._lanes = threading.BoundedSemaphore(LANES)

    def wait(self, method: str, kind: str) -> None:
        """Spend the time that `method` takes on objects of a kind, in one of the lanes."""
        if not self.on:
            return
        times = MEASURED.get(kind, MEASURED[""])
        with self._lanes:
            time.sleep(times.get(method, 0) / 1000)
