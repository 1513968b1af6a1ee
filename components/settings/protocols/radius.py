"""RADIUS, for access points, switches and VPNs. What answers them is an outpost of authentik's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from components.problems import Problem
from components.settings.apps import KEPT, AppContext, NoLogin
from components.settings.base import dotted
from components.settings.outposts import Outpost
from components.settings.protocols.common import BY_HAND
from components.settings.protocols.outpost_app import OutpostApp

if TYPE_CHECKING:
    from components.settings.model import Settings


class RadiusApp(OutpostApp):
    """With `protocol: radius`: access points, switches and VPNs, which are the `clients`. `gatehouse outputs` shows the
    secret that they and authentik share."""

    speaks: ClassVar = "radius"
    words: ClassVar = "speaks radius"
    provider: ClassVar = "authentik_providers_radius.radiusprovider"
    provider_settings: ClassVar = {
        "name": KEPT,
        "shared_secret": KEPT,
        "authorization_flow": ("bind_flow",),
        "client_networks": ("clients",),
        "mfa_support": ("mfa",),
        "property_mappings": ("mappings",),
    }
    outpost: ClassVar = Outpost("radius", "udp", 1812, 1812, "gatehouse-radius:1812")

    mappings: tuple[str, ...] = ()
    """Names of RADIUS property mappings (raw objects): what a client is told of who logs in, such as a VLAN."""

    def problems(self, settings: Settings) -> Iterator[Problem]:
        if not self.clients:
            yield Problem(
                dotted("apps", self.key, "clients"),
                "nobody could ask: a radius app needs the networks that its access points or VPN come from",
                "Add clients, such as [198.51.100.7/32]",
            )
        yield from self.client_problems(settings)

    def provider_fields(self, context: AppContext) -> Mapping[str, Any]:
        return {
            **self.flows(),
            "client_networks": ", ".join(self.clients),
            "shared_secret": context.secrets.as_secret(f"app/{self.id}/shared-secret"),
            "mfa_support": self.mfa,
            "property_mappings": [*self.mappings],
        }

    def connection(self, context: AppContext) -> Mapping[str, str]:
        """Where the outpost answers."""
        return self.address(context)

    def endpoints(self, context: AppContext) -> Mapping[str, Any]:
        host, _, port = self.outpost_url(context).rpartition(":")
        return {"radius_host": host, "radius_port": port}

    def secret_outputs(self) -> Mapping[str, str]:
        """What the app and the outpost know each other by."""
        return {"sharedSecrets": f"app/{self.id}/shared-secret"}

    def login(self, _: AppContext) -> NoLogin:
        return NoLogin(BY_HAND.format("RADIUS"))
