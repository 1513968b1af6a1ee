"""Both clouds and their DNS, running in this process on free ports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hcloud
import httpx
import pytest

from bench.clouds.machines import NullMachines
from bench.clouds.serving import Clouds
from bench.clouds.testing import client_of, make


@pytest.fixture
def clouds(tmp_path: Path) -> Iterator[Clouds]:
    with make(tmp_path).running() as running:
        yield running


@pytest.fixture
def machines(clouds: Clouds) -> NullMachines:
    assert isinstance(clouds.machines, NullMachines)
    return clouds.machines


@pytest.fixture
def hetzner(clouds: Clouds) -> hcloud.Client:
    return client_of(clouds)


@pytest.fixture
def api(clouds: Clouds) -> Iterator[httpx.Client]:
    """Hetzner's API without a client in between."""
    headers = {"Authorization": f"Bearer {clouds.tokens.hetzner}"}
    with httpx.Client(base_url=clouds.hetzner_endpoint, headers=headers) as http:
        yield http


@pytest.fixture
def cloudflare(clouds: Clouds) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {clouds.tokens.cloudflare}"}
    with httpx.Client(base_url=clouds.cloudflare_base_url, headers=headers) as http:
        yield http


@pytest.fixture
def side(clouds: Clouds) -> Iterator[Callable[..., httpx.Response]]:
    """The side endpoints of either cloud: side("POST", "hetzner", "faults", json={…})."""
    with httpx.Client() as http:

        def ask(method: str, cloud: str, what: str, **options: Any) -> httpx.Response:
            host, port = getattr(clouds, cloud)
            return http.request(method, f"http://{host}:{port}/_bench/{what}", **options)

        yield ask
