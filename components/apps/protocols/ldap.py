"""LDAP, for apps that speak nothing newer. What answers them is an outpost of authentik's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.apps.protocols.common import BIND_FLOW, BY_HAND, UNBIND_FLOW, Given, outposts_address
from components.settings import App, Settings
from components.settings.outposts import base_dn


def fields(app: App, given: Given) -> Mapping[str, Any]:
    """The fields of the app's LDAP provider. A bind goes through what authentik calls its authorization flow."""
    return {
        "authorization_flow": app.bind_flow or BIND_FLOW,
        "invalidation_flow": UNBIND_FLOW,
        "base_dn": base_dn(app, given.settings),
        "bind_mode": app.bind_mode,
        "search_mode": app.search_mode,
        "mfa_support": app.mfa,
        "certificate": app.certificate,
    }


def told(app: App, given: Given) -> Mapping[str, str]:
    """Where the outpost answers, and as whom the app looks people up there."""
    below = base_dn(app, given.settings)
    return {
        **outposts_address(app, given, scheme="ldaps://"),
        "baseDn": below,
        "bindDn": f"cn={app.bind_account},ou=users,{below}",
    }


def secrets(app: App) -> Mapping[str, str]:
    """The password of the account that looks people up."""
    return {"bindPasswords": f"app/{app.id}/bind-password"}


def out_of_reach(_app: App, _settings: Settings) -> str:
    """gatehouse does not speak it."""
    return BY_HAND.format("LDAP")
