"""The containers of authentik's outposts."""

from __future__ import annotations

from components.containers.networks import APPS, AUTHENTIK_ADDRESS, EDGE, WORLD
from components.containers.spec import ContainerSpec, Port
from components.secrets import Secrets
from components.settings import Settings
from components.settings.outposts import Outpost, openings, outposts


def outpost_spec(outpost: Outpost, settings: Settings, secrets: Secrets) -> ContainerSpec:
    """One outpost: apps reach it where they are, and it reaches authentik where they are not.

    It is healthy once authentik has taken its token, so that it comes after the outpost in authentik.
    """
    is_open = outpost.opening in openings(settings)
    protocol = "udp" if outpost.transport == "udp" else None
    return ContainerSpec(
        name=outpost.protocol,
        needs=("authentik-server",),
        outpost=outpost.title,
        version=settings.authentik.version,
        # By address, as the proxy: a name would also be looked up where the apps are.
        env={
            "AUTHENTIK_HOST": f"http://{AUTHENTIK_ADDRESS}:9000",
            "AUTHENTIK_INSECURE": "false",
            "AUTHENTIK_TOKEN": secrets.value(outpost.token),
        },
        networks=(APPS, EDGE),
        ports=(Port(outpost.inside, outpost.outside, WORLD, protocol),) if is_open else (),
        health=("CMD", f"/{outpost.protocol}", "healthcheck"),
        memory_mb=256,
        start_seconds=120,
    )


def outpost_specs(settings: Settings, secrets: Secrets) -> list[ContainerSpec]:
    """The containers of all outposts that a client needs."""
    return [
        outpost_spec(outpost, settings, secrets)
        for outpost, _ in outposts(settings)
        if not outpost.beside_app
    ]
