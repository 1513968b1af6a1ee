"""An authentik in memory, one for each module of tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.plain import PlainWorld


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainWorld]:
    folder = tmp_path_factory.mktemp("world")
    with PlainWorld(folder / "authentik", lambda _: None, memory=True).running() as running:
        yield running
