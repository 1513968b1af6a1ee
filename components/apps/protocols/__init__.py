"""How authentik speaks with an app: a module for each protocol, with its provider's fields and what the app is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import Protocol as Interface

from components.apps.protocols import ldap, oidc, proxy, radius, saml
from components.apps.protocols.common import Given
from components.settings import App
from components.settings.apps import Protocol


class Speaker(Interface):
    """What a module says about its protocol."""

    def fields(self, app: App, given: Given, /) -> Mapping[str, Any]:
        """The fields of the app's provider."""

    def told(self, app: App, given: Given, /) -> Mapping[str, str]:
        """What the app has to be told, none of it secret."""


PROTOCOLS: Mapping[Protocol, Speaker] = {
    "oidc": oidc,
    "proxy": proxy,
    "saml": saml,
    "ldap": ldap,
    "radius": radius,
}
