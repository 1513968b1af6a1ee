"""Ties a process's life to that of the one that started it."""

from __future__ import annotations

import os
import threading


def end_with_parent(interval: float = 0.5) -> None:
    """End this process when its parent is gone.

    A killed engine then leaves nothing behind. Linux's own parent-death signal would not do: it fires when
    the *thread* that started the process ends, and the engine's threads come and go. `interval` in seconds.
    """
    parent = os.getppid()

    def watch() -> None:
        pause = threading.Event()
        while os.getppid() == parent:
            pause.wait(interval)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
