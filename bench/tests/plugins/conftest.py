"""Ends what the replays keep running between their calls; the docker stand-in before a daemon."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from bench.plugins.docker import DockerProvider
from bench.plugins.docker.transport import Daemon
from bench.tests.plugins.fake_docker import FakeDocker, Serving


@pytest.fixture(scope="session", autouse=True)
def _worlds_end() -> Iterator[None]:
    yield
    for plugin in ("hcloud", "cloudflare"):
        module = sys.modules.get(f"bench.tests.plugins.replay_{plugin}")
        for world in module.WORLDS if module else []:
            world.stack.close()


@pytest.fixture
def provider(daemon: FakeDocker) -> Iterator[DockerProvider]:
    """The stand-in, of the `daemon` that a module has a fixture for."""
    with Serving(daemon) as socket:
        made = DockerProvider()
        made.daemon = Daemon(f"unix://{socket}", [])
        yield made
