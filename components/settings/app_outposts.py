"""What an app that authentik serves through an outpost of its own may be told besides what every app may."""

from __future__ import annotations

from components.settings.base import Model
from components.settings.forms import Network


class OutpostSettings(Model):
    """With `protocol: ldap` or `radius`. An outpost of authentik's answers the app: a container that gatehouse runs on
    the box. With `box: none`, you run it."""

    clients: tuple[Network, ...] = ()
    """Networks (IPv4) outside the box from which the app reaches the outpost: LDAP on port 636 (with TLS), RADIUS on
    1812/udp. Without any, only containers of the box's network `gatehouse` reach it. RADIUS answers no others."""

    mfa: bool = True
    """Whether who has a second factor adds its code to the password, as `password;123456`."""

    bind_flow: str | None = None
    """The slug of the flow that checks a password; defaults to the one that people log in with."""
