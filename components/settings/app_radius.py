"""What an app that speaks RADIUS may be told besides what every app may."""

from __future__ import annotations

from components.settings.app_outposts import OutpostSettings


class RadiusSettings(OutpostSettings):
    """With `protocol: radius`: access points, switches and VPNs, which are the `clients`. `gatehouse outputs` shows the
    secret that they and authentik share."""

    mappings: tuple[str, ...] = ()
    """Names of RADIUS property mappings (raw objects): what a client is told of who logs in, such as a VLAN."""
