"""The containers of a client by name: image, and what the operator is told while they start and when they restart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from components.settings.protocols import MODELS

AUTHENTIK_IMAGE = "ghcr.io/goauthentik/server"  # never :latest, which stands still at 2025.2
AUTHENTIK_SECONDS = 70
"""Until authentik says that it is ready, on two cores (see `components.identity.bootstrap`)."""
_MIGRATIONS = "authentik's database migrations, 70 to 90 s at a first start"


class Service(NamedTuple):
    """What is known of a container before anything is known of the client."""

    image: str
    """Without a tag where that is authentik's version."""
    restarts: str
    """What nobody can do while it restarts."""
    awaited: str
    """What is waited for until it is healthy."""
    gone: str = "deletes the container {name} and what it serves"
    """What its deletion means; nothing where nobody notices."""


SERVICES: Mapping[str, Service] = {
    "postgres": Service(
        # Upstream's compose file has this for every known line. Another major would refuse the data of this one.
        "postgres:16-alpine",
        restarts="the database restarts: nobody can log in meanwhile",
        awaited="Postgres to be healthy",
    ),
    "redis": Service(
        "redis:7-alpine",
        restarts="Redis restarts: where authentik uses it (up to 2025.8), nobody can log in meanwhile",
        awaited="Redis to be healthy",
        gone="",  # only a line that does not use it can be without
    ),
    "authentik-server": Service(
        AUTHENTIK_IMAGE,
        restarts=f"authentik restarts: nobody can log in for about {AUTHENTIK_SECONDS} s, longer with a new version",
        awaited=_MIGRATIONS,
    ),
    "authentik-worker": Service(
        AUTHENTIK_IMAGE,
        restarts="authentik's worker restarts: mails and what is synchronised wait for it",
        awaited=_MIGRATIONS,
    ),
    "npm": Service(
        "jc21/nginx-proxy-manager:2.15.1",
        restarts="Nginx Proxy Manager restarts: for about 30 s nobody can log in, and no app behind it is reached",
        awaited="Nginx Proxy Manager to be healthy",
    ),
    **{
        outpost.protocol: Service(
            outpost.repository,
            restarts=f"authentik's {outpost.protocol.upper()} outpost restarts: for some seconds nobody can log in to "
            f"{outpost.protocol.upper()} apps",
            awaited=f"authentik, which lets the {outpost.protocol.upper()} outpost in",
        )
        for outpost in (model.outpost for model in MODELS)
        if outpost is not None
    },
}
