"""The worker: makes the default objects at the first start and applies blueprints."""

from __future__ import annotations

import threading
import time

from bench.authentik import defaults
from bench.authentik.blueprints import apply_waiting
from bench.authentik.catalog import line_of, load
from bench.authentik.context import Context
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
        """Work until told to stop; a database that is away is waited for."""
        migrated = False
        while not stop.wait(TICK):
            try:
                if not migrated and self.store.backend is not None:
                    self.store.backend.migrate()
                migrated = True
                self.run_once()
            except StoreUnavailableError:
                migrated = False

    def run_once(self, everything: bool = False) -> None:
        """One round: what the time since the start allows, or all of it at once."""
        age = time.monotonic() - self.started
        self.store.beat()
        with self.store.writing():
            if everything or age >= self.settings.token_after:
                defaults.install(self.context)
                defaults.bootstrap(self.context, self.settings.bootstrap)
                first = self.store.get("_meta", "blueprints") is None
                if first:
                    defaults.embedded_outpost(self.context)
                if everything or age >= self.settings.objects_after:
                    defaults.certificate(self.context, self.settings.version) if first else None
                    defaults.blueprints(self.context)
            apply_waiting(self.context)
