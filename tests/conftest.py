from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from components.objects import journal


@pytest.fixture(autouse=True)
def notes_of_runs(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Not in the checkout's own folder."""
    monkeypatch.setattr(journal, "FOLDER", tmp_path_factory.mktemp("notes") / ".gatehouse")


@pytest.fixture(autouse=True)
def event_loop_of_its_own() -> Iterator[None]:
    """Pulumi's outputs need a loop that is open, whatever the test before did to its own."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    loop.close()
