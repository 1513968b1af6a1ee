"""A server's public addresses: what they are, and how they change while it is off."""

from __future__ import annotations

import ipaddress
from typing import Any

from hcloud.primary_ips import PrimaryIP
from hcloud.servers import Server

from bench.plugins.values import Values


def first_address(network: str) -> str:
    """The address that a server uses of its IPv6 network."""
    return str(ipaddress.ip_network(network)[1])


def change_addresses(client: Any, this: Server, old: Values, new: Values) -> None:
    """Give a server the addresses that `new` wants; it is off meanwhile.

    An address that the API made by itself and that nobody wants any more is deleted; one that the program
    named only becomes free.
    """
    client.servers.power_off(this).wait_until_finished()
    net = client.servers.get_by_id(this.id).public_net
    for kind, current in (("ipv4", net.primary_ipv4), ("ipv6", net.primary_ipv6)):
        enabled, wanted = new.get(f"{kind}Enabled", True), new.get(kind) or None
        if current is not None and (not enabled or wanted not in (None, current.id)):
            client.primary_ips.unassign(current).wait_until_finished()
            if not old.get(kind):
                client.primary_ips.delete(current)
            current = None  # noqa: PLW2901 - it is gone
        if enabled and current is None and wanted is not None:
            client.primary_ips.assign(PrimaryIP(id=int(wanted)), this.id, "server").wait_until_finished()
        elif enabled and current is None:
            made = client.primary_ips.create(
                type=kind,
                name=f"{kind}-{this.id}",
                assignee_id=this.id,
                assignee_type="server",
                auto_delete=True,
            )
            if made.action is not None:
                made.action.wait_until_finished()
    client.servers.power_on(this).wait_until_finished()
