"""authentik's outposts that run in containers of their own: one for all of a client's apps of a protocol."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from components.settings.apps import App
    from components.settings.model import Settings


@dataclass(frozen=True)
class Outpost:
    """One of them."""

    protocol: str
    transport: Literal["tcp", "udp"]
    inside: int
    """The container's port for those who come from outside the box."""
    outside: int
    """The port of the box that leads there, if an app has `clients`."""
    address: str
    """Where containers of the box's network `gatehouse` reach it, or whatever else is beside it."""
    beside_app: bool = False
    """Whether it runs beside an app that stands elsewhere, and so is run by whoever runs that."""

    @property
    def title(self) -> str:
        """Its name at authentik."""
        return f"gatehouse {self.protocol.upper()}"

    @property
    def token(self) -> str:
        """The name of the secret that it logs in to authentik with."""
        return f"outpost/{self.protocol}/token"

    @property
    def repository(self) -> str:
        """authentik's own image for it; its tag is the version that authentik has."""
        return f"ghcr.io/goauthentik/{self.protocol}"

    def run_by_hand(self, settings: Settings) -> str:
        """What somebody does who runs it."""
        return (
            f"to be run by you: {self.repository}:{settings.authentik.version}, with "
            f"AUTHENTIK_HOST={settings.issuer_base} and the AUTHENTIK_TOKEN that the output outpostTokens shows"
        )

    @property
    def opening(self) -> str:
        """The port of the box with its protocol, such as 636/tcp."""
        return f"{self.outside}/{self.transport}"


def outposts(settings: Settings) -> Iterator[tuple[Outpost, list[App]]]:
    """The outposts that a client needs, each with the apps that it serves."""
    served: dict[Outpost, list[App]] = {}
    for app in settings.apps:
        if outpost := app.outpost_in(settings):
            served.setdefault(outpost, []).append(app)
    yield from sorted(served.items(), key=lambda each: each[0].protocol)


def openings(settings: Settings) -> dict[str, list[str]]:
    """The ports of the box that outposts are reached on from outside, each with the networks that may."""
    found = {
        each.opening: sorted({network for app in served for network in app.outside_networks})
        for each, served in outposts(settings)
    }
    return {port: networks for port, networks in found.items() if networks}
