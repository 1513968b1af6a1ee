"""Where an outpost listens: as the real ones are told it, in their environment."""

from __future__ import annotations

import os

PORTS = {"METRICS": 9300, "LDAP": 3389, "LDAPS": 6636, "RADIUS": 1812}


def place(name: str) -> tuple[str, int]:
    """Address and port of one of them, from AUTHENTIK_LISTEN__<name>."""
    address, _, port = os.environ.get(f"AUTHENTIK_LISTEN__{name}", f"0.0.0.0:{PORTS[name]}").rpartition(":")
    return address, int(port)
