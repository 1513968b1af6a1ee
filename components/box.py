"""A client's box: the machine, what runs on it, and what it serves to the world.

Apart from the client, which imports this only where there is a box: the SDKs of Hetzner and Docker take 0.1 s.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components import ssh
from components.backup.backups import Backups, BackupsArgs
from components.containers.containers import Containers, ContainersArgs
from components.containers.spec import folders
from components.host.host import Host, HostArgs
from components.plan import BoxPlan, ClientPlan
from components.proxy.proxy import Proxy, ProxyArgs, cloudflare_token


@dataclass(frozen=True)
class Box:
    """The components of a box."""

    host: Host
    containers: Containers
    proxy: Proxy


def declare(plan: ClientPlan, box: BoxPlan, opts: pulumi.ResourceOptions) -> Box:
    """Declare a client's box.

    Raises:
        pulumi.RunError: there is no Cloudflare token, or one that cannot be; nothing was declared.
    """
    settings, secrets, name = plan.settings, plan.secrets, plan.settings.client
    token, given = cloudflare_token(settings)
    host = Host(
        name, HostArgs.from_settings(settings, secrets, [*box.records], folders(box.containers)), opts
    )
    containers = Containers(
        name,
        ContainersArgs(
            specs=box.containers,
            docker=host.docker,
            ssh=ssh.ssh_command(name)[1:],
            ready=host.ready,
            holder=host.holder,
        ),
        opts,
    )
    proxy = Proxy(
        name,
        ProxyArgs(
            routes=box.routes,
            address=host.admin(81),
            identity=box.identity,
            password=pulumi.Output.secret(secrets.value("npm/admin-password")),
            token=token,
            named=given,
            container=containers.by_name["npm"],
            volume=host.volume,
        ),
        opts,
    )
    backups = BackupsArgs.of(settings, secrets, host, containers.ready)
    if backups:
        Backups(name, backups, opts)
    return Box(host, containers, proxy)
