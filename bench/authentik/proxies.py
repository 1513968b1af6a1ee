"""Which proxies are believed: since 2026.8, X-Forwarded-* headers of other peers are ignored."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

# authentik's default for AUTHENTIK_LISTEN__TRUSTED_PROXY_CIDRS; setting the variable replaces the list.
PRIVATE = "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fe80::/10,::1/128"
FORWARDED = b"x-forwarded-"


class TrustedProxies:
    """ASGI middleware that drops the X-Forwarded-* headers of peers outside of `networks`."""

    def __init__(self, app: ASGIApp, networks: str) -> None:
        self.app = app
        self.networks: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network] = [
            ipaddress.ip_network(text.strip(), strict=False) for text in networks.split(",") if text.strip()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on with the headers that count."""
        if scope["type"] == "http" and not self.trusts(scope.get("client")):
            kept = [(name, value) for name, value in scope["headers"] if not name.startswith(FORWARDED)]
            scope = {**scope, "headers": kept}
        await self.app(scope, receive, send)

    def trusts(self, peer: tuple[str, int] | None) -> bool:
        """Whether a peer is one of the proxies; a Unix socket's is."""
        if peer is None:
            return True
        address = ipaddress.ip_address(peer[0])
        return any(address in network for network in self.networks)
