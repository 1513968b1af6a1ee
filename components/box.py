"""A client's box: the machine, what runs on it, and what it serves to the world.

Apart from the client, which imports this only where there is a box: the SDKs of Hetzner and Docker take 0.1 s.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components import access
from components.containers.containers import Containers, ContainersArgs
from components.containers.spec import folders
from components.containers.specs import all_specs
from components.host.host import Host, HostArgs
from components.proxy.proxy import Proxy, ProxyArgs, cloudflare_token, routes
from components.secrets import Secrets
from components.settings import Settings


@dataclass(frozen=True)
class Box:
    """The components of a box."""

    host: Host
    containers: Containers
    proxy: Proxy


def declare(settings: Settings, secrets: Secrets, identity: str, opts: pulumi.ResourceOptions) -> Box:
    """Declare a client's box. `identity`: who logs in to Nginx Proxy Manager.

    Raises:
        components.problems.Problems: nobody knows how to run this line of authentik; nothing was declared.
        pulumi.RunError: there is no Cloudflare token, or one that cannot be; nothing was declared.
    """
    name = settings.client
    specs = all_specs(settings, secrets, identity)
    token, given = cloudflare_token(settings)
    host = Host(name, HostArgs.of(settings, secrets, folders(specs)), opts)
    containers = Containers(
        name,
        ContainersArgs(
            specs=specs,
            docker=host.docker,
            ssh=access.ssh_command(name)[1:],
            ready=host.ready,
            holder=host.holder,
        ),
        opts,
    )
    proxy = Proxy(
        name,
        ProxyArgs(
            routes=routes(settings),
            address=host.admin(81),
            identity=identity,
            password=secrets.output("npm/admin-password"),
            token=token,
            named=given,
            container=containers.by_name["npm"],
            volume=host.volume,
        ),
        opts,
    )
    return Box(host, containers, proxy)
