"""LDAP, for apps that speak nothing newer. What answers them is an outpost of authentik's, which runs elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from components.apps.protocols.common import Given
from components.settings import App

OUTPOST = "gatehouse LDAP"
_BIND_FLOW = "default-authentication-flow"
_INVALIDATION_FLOW = "default-invalidation-flow"


def base_dn(app: App, given: Given) -> str:
    """Below which name people and groups are found."""
    return app.base_dn or ",".join(f"dc={part}" for part in ("ldap", *given.settings.domain.split(".")))


def fields(app: App, given: Given) -> Mapping[str, Any]:
    """The fields of the app's LDAP provider. A bind goes through what authentik calls its authorization flow."""
    return {
        "authorization_flow": app.bind_flow or _BIND_FLOW,
        "invalidation_flow": _INVALIDATION_FLOW,
        "base_dn": base_dn(app, given),
        "bind_mode": app.bind_mode,
        "search_mode": app.search_mode,
        "mfa_support": app.mfa,
        "certificate": app.certificate,
    }


def outpost(apps: Iterable[App], given: Given) -> Mapping[str, Any]:
    """The fields of the outpost that serves all of them."""
    return {
        "type": "ldap",
        "providers": [app.key for app in apps],
        "config": {"authentik_host": given.authentik},
    }


def told(app: App, given: Given) -> Mapping[str, str]:
    """What the app is set to; and whom to run, since gatehouse does not."""
    image = f"ghcr.io/goauthentik/ldap:{given.settings.authentik.version}"
    return {
        "baseDn": base_dn(app, given),
        "outpost": f"to be run by you: {image}, with AUTHENTIK_HOST={given.authentik} and the AUTHENTIK_TOKEN that "
        f"authentik shows for the outpost {OUTPOST!r}",
    }
