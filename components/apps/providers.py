"""The provider of an app: how authentik speaks with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from components.secrets import Secrets
from components.settings import App, Settings
from components.settings.base import set_secret
from components.settings.presets import Preset, presets

OAUTH2 = "authentik_providers_oauth2.oauth2provider"
PROXY = "authentik_providers_proxy.proxyprovider"
KINDS = (OAUTH2, PROXY)

# Default objects of every line (facts of a running authentik).
_FLOWS = {
    "authorization_flow": "default-provider-authorization-implicit-consent",
    "invalidation_flow": "default-provider-invalidation-flow",
}
_SIGNING_KEY = "authentik Self-signed Certificate"
_SCOPE = "goauthentik.io/providers/oauth2/scope-{}"
_SETTINGS = {
    "redirect_uris": "redirect_uris",
    "property_mappings": "scopes",
    "client_type": "client_type",
    "client_id": "url",
    "client_secret": "url",
    "external_host": "url",
    "internal_host": "upstream",
}
"""Fields of a provider by the setting that says them; what no setting says is not for one that was there before."""


def defaulted(app: App, fields: Iterable[str]) -> frozenset[str]:
    """Those of its provider's fields that the stack file does not say itself."""
    return frozenset(field for field in ("name", *fields) if _SETTINGS.get(field) not in app.model_fields_set)


def keep(app: App, client: str) -> dict[str, str]:
    """What the app is known by, which taking over never changes; with the commands that declare what is there."""
    named = {"client_id": f"app/{app.id}/client-id", "client_secret": f"app/{app.id}/client-secret"}
    return {field: set_secret(client, "secrets", "overrides", name) for field, name in named.items()}


def preset_of(app: App) -> Preset | None:
    """What is known about the app, if it is a well-known one."""
    return presets()[app.preset] if app.preset else None


def redirect_uris(app: App) -> tuple[str, ...]:
    """Where authentik may send people back to."""
    preset = preset_of(app)
    return app.redirect_uris or tuple(app.url + path for path in (preset.redirect_paths if preset else ()))


def scopes(app: App) -> tuple[str, ...]:
    """What the app may ask for."""
    preset = preset_of(app)
    return app.scopes or (preset.scopes if preset else ("openid", "email", "profile"))


def provider(app: App, settings: Settings, secrets: Secrets) -> tuple[str, Mapping[str, Any]]:
    """The kind of the app's provider, and its fields."""
    if app.speaks == "proxy":
        return PROXY, {**_FLOWS, "mode": "proxy", "external_host": app.url, "internal_host": app.upstream}
    line, preset, confidential = settings.authentik.line, preset_of(app), app.client_type == "confidential"
    fields: dict[str, Any] = {
        **_FLOWS,
        "client_type": app.client_type,
        "client_id": secrets.value(f"app/{app.id}/client-id"),
        "client_secret": secrets.output(f"app/{app.id}/client-secret") if confidential else None,
        "redirect_uris": [_redirect_uri(uri, line) for uri in redirect_uris(app)],
        # Without the next two, authentik signs with HS256 and puts no claims into its tokens.
        "signing_key": _SIGNING_KEY,
        "property_mappings": [_SCOPE.format(scope) for scope in scopes(app)],
        "include_claims_in_id_token": True,
        "issuer_mode": "per_provider",
        "sub_mode": preset.sub_mode if preset else "hashed_user_id",
    }
    if _since(line, "2026.5"):
        fields["grant_types"] = _grant_types(scopes(app))  # empty by default, and then every login fails
    return OAUTH2, fields


def _redirect_uri(uri: str, line: str) -> dict[str, str]:
    whole = {"matching_mode": "strict", "url": uri}
    return whole | {"redirect_uri_type": "authorization"} if _since(line, "2026.5") else whole


def _grant_types(asked: Iterable[str]) -> list[str]:
    return ["authorization_code", *(["refresh_token"] if "offline_access" in asked else [])]


def _since(line: str, first: str) -> bool:
    return tuple(map(int, line.split("."))) >= tuple(map(int, first.split(".")))
