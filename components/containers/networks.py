"""Docker's networks on the box, and the addresses in them that are known beforehand."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

# The place in each of its networks of a container that is known by its address, counted from the end: Docker gives the
# others the first that is free.
NPM, AUTHENTIK_SERVER = -2, -3


@dataclass(frozen=True)
class Network:
    """One of Docker's networks on the box; an internal one has no way out."""

    name: str
    subnet: str
    internal: bool = False

    def host(self, place: int) -> str:
        """The address at a place in it."""
        return str(ipaddress.ip_network(self.subnet)[place])


# What apps join, and where NPM and authentik's outpost reach them; of these two, the guard in harden.sh lets apps reach
# NPM's 80 and 443 alone. Any change of a network replaces it. Its name is the first in the alphabet: Docker takes that
# one for published ports and for the way out.
APPS = Network("gatehouse", "172.31.240.0/24")
DATA_NET = Network("gatehouse-data", "172.31.241.0/24", internal=True)
EDGE = Network("gatehouse-edge", "172.31.242.0/24")
NETWORKS = (APPS, DATA_NET, EDGE)
# The proxy is led there by address: a name would also be looked up where the apps are.
AUTHENTIK_ADDRESS = EDGE.host(AUTHENTIK_SERVER)
LOOPBACK, WORLD, WORLD6 = "127.0.0.1", "0.0.0.0", "::"
