"""Ends what the replays keep running between their calls."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _worlds_end() -> Iterator[None]:
    yield
    for plugin in ("hcloud", "cloudflare"):
        module = sys.modules.get(f"bench.tests.plugins.replay_{plugin}")
        for world in module.WORLDS if module else []:
            world.stack.close()
