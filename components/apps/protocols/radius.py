"""RADIUS, for access points, switches and VPNs. What answers them is an outpost of authentik's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.apps.protocols.common import BIND_FLOW, BY_HAND, UNBIND_FLOW, Given, outposts_address
from components.settings import App, Settings


def fields(app: App, given: Given) -> Mapping[str, Any]:
    """The fields of the app's RADIUS provider. A password goes through what authentik calls its authorization flow."""
    return {
        "authorization_flow": app.bind_flow or BIND_FLOW,
        "invalidation_flow": UNBIND_FLOW,
        "client_networks": ", ".join(app.clients),
        "shared_secret": given.secrets.closed(f"app/{app.id}/shared-secret"),
        "mfa_support": app.mfa,
        "property_mappings": [*app.mappings],
    }


def told(app: App, given: Given) -> Mapping[str, str]:
    """Where the outpost answers."""
    return outposts_address(app, given)


def secrets(app: App) -> Mapping[str, str]:
    """What the app and the outpost know each other by."""
    return {"sharedSecrets": f"app/{app.id}/shared-secret"}


def out_of_reach(_app: App, _settings: Settings) -> str:
    """gatehouse does not speak it."""
    return BY_HAND.format("RADIUS")
