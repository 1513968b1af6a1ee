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

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI test@example"


@pytest.fixture
def clouds(tmp_path: Path) -> Iterator[Clouds]:
    with make(tmp_path).running() as running:
        yield running


def make(directory: Path, **options: Any) -> Clouds:
    """Clouds with one zone, whose actions take no longer than their work."""
    options = {"zones": {"demo.example": None}, "action_seconds": 0, "dns": [("127.0.0.1", 0)]} | options
    return Clouds(directory, **options)


@pytest.fixture
def machines(clouds: Clouds) -> NullMachines:
    assert isinstance(clouds.machines, NullMachines)
    return clouds.machines


def client_of(clouds: Clouds) -> hcloud.Client:
    """Hetzner's own client, which polls without a pause and doesn't wait before it tries again."""
    client = hcloud.Client(clouds.tokens.hetzner, api_endpoint=clouds.hetzner_endpoint, poll_interval=0.005)
    client._client._retry_interval_func = lambda retries: 0.0
    return client


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
