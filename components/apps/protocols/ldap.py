"""LDAP, for apps that speak nothing newer. What answers them is an outpost of authentik's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.apps.protocols.common import BIND_FLOW, UNBIND_FLOW, Given, outposts_address
from components.settings import App
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
        **outposts_address(app, given, outside=f"ldaps://{given.settings.auth_host}:636"),
        "baseDn": below,
        "bindDn": f"cn={app.bind_account},ou=users,{below}",
    }
