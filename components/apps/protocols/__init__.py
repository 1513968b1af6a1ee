"""How authentik speaks with an app: a module for each protocol, with its provider's fields and what the app is told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import Protocol as Interface

from components.apps.protocols import ldap, oidc, proxy, radius, saml
from components.apps.protocols.common import Given
from components.settings import App, Settings
from components.settings.apps import Protocol


class Speaker(Interface):
    """What a module says about its protocol; mypy refuses one that leaves something out."""

    def fields(self, app: App, given: Given, /) -> Mapping[str, Any]:
        """The fields of the app's provider."""

    def told(self, app: App, given: Given, /) -> Mapping[str, str]:
        """What the app has to be told, none of it secret."""

    def secrets(self, app: App, /) -> Mapping[str, str]:
        """What it has to be told besides: stack outputs, with the name of the derived secret in each."""

    def out_of_reach(self, app: App, settings: Settings, /) -> str:
        """Why `gatehouse login-check` cannot log in to the app; empty if it can."""


PROTOCOLS: Mapping[Protocol, Speaker] = {
    "oidc": oidc,
    "proxy": proxy,
    "saml": saml,
    "ldap": ldap,
    "radius": radius,
}
