"""What an app has to be told, as stack outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.secrets import Secrets
from components.settings import App, Settings

if TYPE_CHECKING:
    import pulumi


def issuer(settings: Settings, app: App) -> str:
    """The app's issuer, with the slash at its end that is part of it."""
    return f"{settings.issuer_base}/application/o/{app.key}/"


def outputs(settings: Settings, secrets: Secrets) -> dict[str, Any]:
    """Stack outputs by name: `apps` in clear; `clientSecrets` and `firstPasswords` as secrets.

    They are apart because one secret in an output makes all of it secret.
    """
    oidc = [app for app in settings.apps if app.speaks == "oidc"]
    client_secrets: dict[str, pulumi.Output[str]] = {
        app.key: secrets.output(f"app/{app.id}/client-secret")
        for app in oidc
        if app.client_type == "confidential"
    }
    passwords: dict[str, pulumi.Output[str]] = {
        person.username: secrets.output(f"person/{person.id}/password")
        for person in settings.people
        if not person.adopt
    }
    return {
        "apps": {app.key: _told(settings, secrets, app) for app in settings.apps},
        "clientSecrets": client_secrets,
        "firstPasswords": passwords,
    }


def _told(settings: Settings, secrets: Secrets, app: App) -> dict[str, str]:
    if app.speaks == "proxy":
        return {"url": app.url}
    return {
        "url": app.url,
        "issuer": issuer(settings, app),
        "clientId": secrets.value(f"app/{app.id}/client-id"),
        "discoveryUrl": f"{issuer(settings, app)}.well-known/openid-configuration",
    }
