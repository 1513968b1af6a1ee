"""OpenID Connect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from components.apps.protocols import claims
from components.apps.protocols.common import SIGNING_KEY, Given, flows, since
from components.settings import App, Settings
from components.settings.redirects import RegexUri
from components.settings.scopes import OWN_SCOPES, asked, raw_scopes

_SCOPE = "goauthentik.io/providers/oauth2/scope-{}"
# Settings that go to authentik as they are, and only where they are written: it has defaults of its own.
_PLAIN = ("access_code_validity", "access_token_validity", "refresh_token_validity", "encryption_key")


def redirect_uris(app: App) -> tuple[str | RegexUri, ...]:
    """Where authentik may send people back to."""
    preset = app.well_known
    return app.redirect_uris or tuple(app.url + path for path in (preset.redirect_paths if preset else ()))


def written_out(app: App) -> str | None:
    """A redirect URI that is written out, one that a browser can be sent to first; None where all are patterns."""
    whole = [uri for uri in redirect_uris(app) if isinstance(uri, str)]
    return next(
        (uri for uri in whole if uri.startswith(("https://", "http://"))), whole[0] if whole else None
    )


def issuer(app: App, settings: Settings) -> str:
    """The app's issuer, with the slash at its end that is part of it."""
    return f"{settings.issuer_base}/application/o/{app.key}/"


def fields(app: App, given: Given) -> Mapping[str, Any]:
    """The fields of the app's OAuth2 provider."""
    line, preset, confidential = given.line, app.well_known, app.client_type == "confidential"
    whole: dict[str, Any] = {
        **flows(app),
        "client_type": app.client_type,
        "client_id": given.secrets.value(f"app/{app.id}/client-id"),
        "client_secret": given.secrets.closed(f"app/{app.id}/client-secret") if confidential else None,
        "redirect_uris": [
            *(_redirect_uri(uri, line, "authorization") for uri in redirect_uris(app)),
            *(_redirect_uri(uri, line, "logout") for uri in app.post_logout_uris),
        ],
        # Without the next two, authentik signs with HS256 and puts no claims into its tokens.
        "signing_key": None if app.signing_key == "none" else app.signing_key or SIGNING_KEY,
        "property_mappings": _mappings(app, given.settings),
        "include_claims_in_id_token": True,
        "issuer_mode": "per_provider",
        "sub_mode": app.sub_mode or (preset.sub_mode if preset else "hashed_user_id"),
        **{name: getattr(app, name) for name in _PLAIN},
        **_logout(app, line),
    }
    if since(line, "2026.5"):
        whole["grant_types"] = _grant_types(asked(app))  # empty by default, and then every login fails
    return whole


def told(app: App, given: Given) -> Mapping[str, str]:
    """Issuer and client id."""
    return {
        "issuer": issuer(app, given.settings),
        "clientId": given.secrets.value(f"app/{app.id}/client-id"),
        "discoveryUrl": f"{issuer(app, given.settings)}.well-known/openid-configuration",
    }


def secrets(app: App) -> Mapping[str, str]:
    """The client secret, of an app that has one."""
    return {"clientSecrets": f"app/{app.id}/client-secret"} if app.client_type == "confidential" else {}


def out_of_reach(app: App, _: Settings) -> str:
    """A browser has to be sent back to some address that is known."""
    if written_out(app) is None:
        where = f"gatehouse:apps.{app.key}"
        return f"it has patterns as redirect URIs only, none of which can be tried; write one of {where} out"
    return ""


def _mappings(app: App, settings: Settings) -> list[str]:
    """Names of the scope mappings: authentik's own, but for those that the app's claims take the place of; raw ones;
    the app's."""
    raw = raw_scopes(settings)
    usual = {scope: _SCOPE.format(scope) for scope in OWN_SCOPES if not claims.replaces(app, scope)}
    there = {**usual, **raw}
    found = [there[scope] for scope in asked(app) if scope in there]
    return [*found, *(claims.name(app, scope) for scope in claims.scopes(app))]


def _redirect_uri(uri: str | RegexUri, line: str, purpose: str) -> dict[str, str]:
    mode, text = ("regex", uri.regex) if isinstance(uri, RegexUri) else ("strict", uri)
    whole = {"matching_mode": mode, "url": text}
    return whole | {"redirect_uri_type": purpose} if since(line, "2026.5") else whole


def _grant_types(scopes: Iterable[str]) -> list[str]:
    return ["authorization_code", *(["refresh_token"] if "offline_access" in scopes else [])]


def _logout(app: App, line: str) -> dict[str, str | None]:
    """2025.8 knows one way to tell an app that somebody has logged out, later lines two."""
    if not since(line, "2025.10"):
        return {"backchannel_logout_uri": app.logout_uri}
    method = app.logout_method or ("backchannel" if app.logout_uri else None)
    return {"logout_uri": app.logout_uri, "logout_method": method}
