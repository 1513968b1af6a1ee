"""The dynamic provider of authentik's objects.

State names this module and this class: neither may ever move or be renamed (a test pins both).
"""

from __future__ import annotations

from components.identity.catalog import newest
from components.identity.dialect import Authentik
from components.objects.dialect import Config, Dialect
from components.objects.provider import ObjectProvider


class AuthentikProvider(ObjectProvider):
    """Reads `address`, `token`, `bootstrap` (may be missing) and `line` from its explicit provider resource."""

    def dialect(self, config: Config) -> Dialect:
        """The server that the explicit provider's values name."""
        return Authentik(
            config("address") or "", config("token") or "", config("bootstrap"), config("line") or newest()
        )
