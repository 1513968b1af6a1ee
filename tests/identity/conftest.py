"""An authentik of the bench for the tests of this room."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Generator, Iterator

import httpx
import pytest

from bench.authentik.testing import Running, serve

PASSED = pytest.StashKey[bool]()
"""Whether a test that has run has passed."""
TOKEN = "derived-token-0123456789-derived-token"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember how a test ended, for those that count others."""
    report = yield
    if call.when == "call":
        item.stash[PASSED] = report.passed
    return report


@pytest.fixture(autouse=True)
def _event_loop() -> Iterator[None]:
    """Outputs need a loop, and `pulumi.runtime.test` takes the present one away."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    if left := asyncio.all_tasks(loop):
        loop.run_until_complete(asyncio.wait(left))
    loop.close()
    asyncio.set_event_loop(asyncio.new_event_loop())


@pytest.fixture(scope="session")
def _served() -> Iterator[Running]:
    with serve(version="2026.8.3") as running:
        yield running


@pytest.fixture
def server(_served: Running) -> Iterator[Running]:
    """An authentik 2026.8.3 with its default objects and nothing else: one for all tests, put back after each."""
    store = _served.store
    rows = [(kind, pk, store.seq(kind, pk), copy.deepcopy(data)) for kind, pk, data in store.everything()]
    yield _served
    with store.writing():
        store._load(rows)


@pytest.fixture
def admin(server: Running) -> Iterator[httpx.Client]:
    """Somebody who works by hand."""
    headers = {"Authorization": f"Bearer {server.token}"}
    with httpx.Client(base_url=f"{server.url}/api/v3", headers=headers) as client:
        yield client
