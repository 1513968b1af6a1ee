"""Scopes that apps of OpenID Connect ask for, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from components.settings.model import Settings

SCOPE_MAPPING = "authentik_providers_oauth2.scopemapping"
OWN_SCOPES = ("openid", "email", "profile", "offline_access", "entitlements")
"""Scopes that authentik has mappings for from the start."""
WITH_PROFILE = ("groups",)
"""Scopes that apps ask for and authentik does not have: their claim comes with profile."""


def raw_scopes(settings: Settings) -> Mapping[str, str]:
    """Scope that authentik does not have from the start -> name of the raw object that maps it."""
    found = {
        str(raw.opened.get("scope_name", raw.name)): raw.name
        for raw in settings.objects
        if raw.kind == SCOPE_MAPPING
    }
    return {scope: name for scope, name in found.items() if scope not in OWN_SCOPES}
