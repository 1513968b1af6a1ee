"""Scopes and claims: which an app may ask for, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping

from components.settings.apps import App
from components.settings.model import Settings

SCOPE_MAPPING = "authentik_providers_oauth2.scopemapping"
OWN_SCOPES = ("openid", "email", "profile", "offline_access", "entitlements")
"""Scopes that authentik has mappings for from the start."""
WITH_PROFILE = ("groups",)
"""Scopes that apps ask for and authentik does not have: their claim comes with profile."""
_SCOPE_OF_CLAIM = {
    "email": "email",
    "email_verified": "email",
    "entitlements": "entitlements",
    "roles": "entitlements",
}


def scope_of(app: App, claim: str) -> str:
    """The scope that gives a claim of the app's own."""
    return app.claims[claim].scope or _SCOPE_OF_CLAIM.get(claim, "profile")


def asked(app: App) -> tuple[str, ...]:
    """What the app may ask for: what it lists, or what its preset or every app has, and the scopes of its claims."""
    preset = app.well_known
    listed = app.scopes or (preset.scopes if preset else ("openid", "email", "profile"))
    return tuple(dict.fromkeys([*listed, *(scope_of(app, claim) for claim in app.claims)]))


def raw_scopes(settings: Settings) -> Mapping[str, str]:
    """Scope that authentik does not have from the start -> name of the raw object that maps it."""
    found = {
        str(raw.opened.get("scope_name", raw.name)): raw.name
        for raw in settings.objects
        if raw.kind == SCOPE_MAPPING
    }
    return {scope: name for scope, name in found.items() if scope not in OWN_SCOPES}
