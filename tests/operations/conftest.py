"""An authentik in memory, one for each module of tests, and both clouds, whose tokens lie in the environment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.clouds.serving import Clouds
from bench.clouds.testing import make
from bench.plain import PlainWorld


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainWorld]:
    folder = tmp_path_factory.mktemp("world")
    with PlainWorld(folder / "authentik", lambda _: None, memory=True).running() as running:
        yield running


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clouds]:
    with make(tmp_path / "clouds").running() as running:
        monkeypatch.setenv("HCLOUD_ENDPOINT", running.hetzner_endpoint)
        monkeypatch.setenv("HCLOUD_TOKEN", running.tokens.hetzner)
        monkeypatch.setenv("CLOUDFLARE_BASE_URL", running.cloudflare_base_url)
        monkeypatch.setenv("CLOUDFLARE_API_TOKEN", running.tokens.cloudflare)
        yield running
