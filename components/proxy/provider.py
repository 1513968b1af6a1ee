"""The dynamic provider of Nginx Proxy Manager's objects.

Frozen: state names this module and class. What they do may change, where they are may not.
"""

from __future__ import annotations

from components import ssh
from components.objects.dialect import Config, Dialect
from components.objects.provider import ObjectProvider
from components.proxy.dialect import Npm


class NpmProvider(ObjectProvider):
    """Takes `address` (see `ssh.tunnel`), `identity` and `secret` from the explicit provider resource."""

    def dialect(self, config: Config) -> Dialect:
        """NPM at that address; nothing is contacted yet."""
        address = config("address") or ""
        place = address.removeprefix("ssh:").replace("/", ", ")
        self._server = Npm(
            f"Nginx Proxy Manager ({place})",
            lambda: ssh.tunnel(address),
            config("identity") or "",
            config("secret") or "",
        )
        return self._server

    def is_reachable(self) -> bool:
        """Whether Nginx Proxy Manager is up and takes our password."""
        return self._server.is_reachable()
