"""Clouds for tests, in threads of this process, and Hetzner's own client of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hcloud

from bench.clouds.serving import Clouds

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI test@example"


def make(directory: Path, **options: Any) -> Clouds:
    """Clouds with one zone, whose actions take no longer than their work."""
    whole: dict[str, Any] = {
        "zones": {"demo.example": None},
        "action_seconds": 0,
        "dns": [("127.0.0.1", 0)],
    } | options
    return Clouds(directory, **whole)


def client_of(clouds: Clouds) -> hcloud.Client:
    """Hetzner's own client, which polls without a pause and doesn't wait before it tries again."""
    client = hcloud.Client(clouds.tokens.hetzner, api_endpoint=clouds.hetzner_endpoint, poll_interval=0.005)
    client._client._retry_interval_func = lambda _: 0.0
    return client
