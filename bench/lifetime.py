"""Ties a process's life to that of the one that started it."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable


def end_with_parent(last: Callable[[], None] = lambda: None, interval: float = 0.5) -> None:
    """End this process when its parent is gone.

    A killed engine then leaves nothing behind. Linux's own parent-death signal would not do: it fires when
    the *thread* that started the process ends, and the engine's threads come and go. `last` is called before;
    `interval` in seconds.
    """
    parent = os.getppid()

    def watch() -> None:
        pause = threading.Event()
        while os.getppid() == parent:
            pause.wait(interval)
        last()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
