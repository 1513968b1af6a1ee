"""The worker: makes the default objects at the first start and applies blueprints."""

from __future__ import annotations

import contextlib
import threading
import time

from bench.authentik import defaults
from bench.authentik.blueprints import BLUEPRINTS, apply_waiting
from bench.authentik.catalog import line_of, load
from bench.authentik.context import Context
from bench.authentik.mails import send_waiting
from bench.authentik.settings import Settings
from bench.authentik.store import Store, StoreUnavailableError

TICK = 0.2


class Worker:
    """One emulated worker."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store, self.settings = store, settings
        self.context = Context(load(line_of(settings.version)), store)
        self.started = time.monotonic()

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop; a database that is away is waited for.

        Tables are made once, at the start: were they made whenever they are missing, a restore that is under way would
        find them in its place.
        """
        migrated = self.store.backend is None
        while not stop.wait(TICK):
            with contextlib.suppress(StoreUnavailableError):
                if not migrated and self.store.backend is not None:
                    self.store.backend.migrate()
                migrated = True
                self.run_once()

    def run_once(self, everything: bool = False) -> None:
        """One round: what the time since the start allows, or all of it at once."""
        self.store.beat()
        with self.store.reading():
            made = self.store.get("_meta", "blueprints") is not None
            waiting = any(row.get("_apply") for row in self.store.all(BLUEPRINTS))
        if not made or waiting:
            with self.store.writing():
                self.first_start(time.monotonic() - self.started, everything)
                apply_waiting(self.context)
        send_waiting(self.store, self.settings.mail)

    def first_start(self, age: float, everything: bool) -> None:
        """Make what a new database lacks; once there is an administrator, bootstrap values change nothing."""
        if not everything and age < self.settings.token_after:
            return
        defaults.install(self.context)
        defaults.bootstrap(self.context, self.settings.bootstrap)
        if self.store.get("_meta", "blueprints") is not None:
            return
        defaults.embedded_outpost(self.context)
        if everything or age >= self.settings.objects_after:
            defaults.certificate(self.context, self.settings.version)
            defaults.blueprints(self.context)
