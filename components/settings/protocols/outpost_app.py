"""Apps that authentik serves through an outpost of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from components.problems import Problem
from components.settings.apps import App, AppContext
from components.settings.base import dotted
from components.settings.forms import Network
from components.settings.host import Elsewhere
from components.settings.outposts import Outpost

if TYPE_CHECKING:
    from components.settings.model import Settings

_BIND_FLOW, _UNBIND_FLOW = "default-authentication-flow", "default-invalidation-flow"


class OutpostApp(App):
    """With `protocol: ldap` or `radius`. An outpost of authentik's answers the app: a container that gatehouse runs on
    the box. With `box: none`, you run it."""

    outpost: ClassVar[Outpost]
    scheme: ClassVar[str] = ""
    """What an address of the outpost for those outside the box begins with."""

    clients: tuple[Network, ...] = ()
    """Networks (IPv4) outside the box from which the app reaches the outpost: LDAP on port 636 (with TLS), RADIUS on
    1812/udp. Without any, only containers of the box's network `gatehouse` reach it. RADIUS answers no others."""

    mfa: bool = True
    """Whether who has a second factor adds its code to the password, as `password;123456`."""

    bind_flow: str | None = None
    """The slug of the flow that checks a password; defaults to the one that people log in with."""

    @property
    def outside_networks(self) -> tuple[str, ...]:
        return self.clients

    def flows(self) -> dict[str, str]:
        """The flows of its provider. A password goes through what authentik calls its authorization flow."""
        return {
            "authorization_flow": self.bind_flow or _BIND_FLOW,
            "invalidation_flow": _UNBIND_FLOW,
        }

    def client_problems(self, settings: Settings) -> Iterator[Problem]:
        """Networks that do not reach the outpost, and others that would."""
        for index, network in enumerate(self.clients):
            if ":" in network:
                yield Problem(
                    dotted("apps", self.key, "clients", index),
                    "outposts are reached over IPv4 only",
                    "Write the IPv4 network that the app comes from, or take it out",
                )
        opening = self.outpost.opening
        if self.clients and opening in settings.network.open_ports:
            yield Problem(
                dotted("network", "openPorts", settings.network.open_ports.index(opening)),
                f"{opening} leads to authentik's outpost, and is open to the clients of {self.key} alone",
                "Take it out",
            )

    def outpost_url(self, context: AppContext) -> str:
        """Where the app reaches its outpost, as it is entered there: over the network that its `clients` are in, if it
        has any. Who runs the outpost is who knows its host.
        """
        if isinstance(context.settings.box, Elsewhere):
            return f"{self.scheme}host-of-your-outpost:{self.outpost.outside}"
        if not self.clients:
            return self.outpost.address
        return f"{self.scheme}{context.settings.auth_host}:{self.outpost.outside}"

    def address(self, context: AppContext) -> dict[str, str]:
        """Where the app reaches its outpost; or, where gatehouse has no box, what you run for it."""
        settings, outpost = context.settings, self.outpost
        if isinstance(settings.box, Elsewhere):
            return {"outpost": outpost.run_by_hand(settings)}
        return {
            "address": outpost.address,
            **({"addressOutside": self.outpost_url(context)} if self.clients else {}),
        }
