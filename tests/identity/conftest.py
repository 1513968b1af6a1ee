"""An authentik of the bench for the tests of this room."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from bench.authentik.testing import Running, serve

TOKEN = "derived-token-0123456789-derived-token"


@pytest.fixture(autouse=True)
def _event_loop() -> Iterator[None]:
    """Outputs need a loop, and `pulumi.runtime.test` takes the present one away."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    loop.close()
    asyncio.set_event_loop(asyncio.new_event_loop())


@pytest.fixture
def server() -> Iterator[Running]:
    """A fresh authentik 2026.8.3."""
    with serve(version="2026.8.3") as running:
        yield running


@pytest.fixture
def admin(server: Running) -> Iterator[httpx.Client]:
    """Somebody who works by hand."""
    headers = {"Authorization": f"Bearer {server.token}"}
    with httpx.Client(base_url=f"{server.url}/api/v3", headers=headers) as client:
        yield client
