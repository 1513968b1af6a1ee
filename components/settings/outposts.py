"""authentik's outposts that run in containers of their own: one for all of a client's apps of a protocol."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from components.settings.apps import App, Protocol
from components.settings.model import Settings
from components.settings.presets import presets


@dataclass(frozen=True)
class Outpost:
    """One of them."""

    protocol: Protocol
    transport: Literal["tcp", "udp"]
    inside: int
    """The container's port for those who come from outside the box."""
    outside: int
    """The port of the box that leads there, if an app has `clients`."""
    address: str
    """Where containers of the box's network `gatehouse` reach it."""

    @property
    def title(self) -> str:
        """Its name at authentik."""
        return f"gatehouse {self.protocol.upper()}"

    @property
    def token(self) -> str:
        """The name of the secret that it logs in to authentik with."""
        return f"outpost/{self.protocol}/token"

    def image(self, version: str) -> str:
        """authentik's own image for it, of the version that authentik has."""
        return f"ghcr.io/goauthentik/{self.protocol}:{version}"

    @property
    def opening(self) -> str:
        """The port of the box with its protocol, such as 636/tcp."""
        return f"{self.outside}/{self.transport}"


OUTPOSTS = (
    # Plain LDAP (3389) sends passwords in clear: it stays on the box.
    Outpost("ldap", "tcp", 6636, 636, "ldap://gatehouse-ldap:3389"),
    Outpost("radius", "udp", 1812, 1812, "gatehouse-radius:1812"),
)


def has_outpost(app: App) -> bool:
    """Whether an outpost serves the app; not for one of a preset that there is not."""
    known = app.preset is None or app.preset in presets()
    return known and any(each.protocol == app.speaks for each in OUTPOSTS)


def outposts(settings: Settings) -> Iterator[tuple[Outpost, list[App]]]:
    """The outposts that a client needs, each with the apps that it serves."""
    for each in OUTPOSTS:
        if served := [app for app in settings.apps if app.speaks == each.protocol]:
            yield each, served


def base_dn(app: App, settings: Settings) -> str:
    """Below which name an LDAP app finds people and groups."""
    written = app.base_dn or ",".join(f"dc={part}" for part in ("ldap", *settings.domain.split(".")))
    return ",".join(part.strip() for part in written.split(","))


def openings(settings: Settings) -> dict[str, list[str]]:
    """The ports of the box that outposts are reached on from outside, each with the networks that may."""
    found = {
        each.opening: sorted({network for app in served for network in app.clients})
        for each, served in outposts(settings)
    }
    return {port: networks for port, networks in found.items() if networks}
