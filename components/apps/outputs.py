"""What an app has to be told, as stack outputs."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from components.apps.protocols import PROTOCOLS
from components.apps.protocols.common import Given
from components.secrets import Secrets
from components.settings import Elsewhere, Settings
from components.settings.outposts import outposts


def outputs(settings: Settings, secrets: Secrets) -> dict[str, Any]:
    """Stack outputs by name: `apps` in clear; all others as secrets, those of outposts where there are any.

    They are apart because one secret in an output makes all of it secret.
    """
    given = Given(settings, secrets)
    client_secrets: dict[str, SecretStr] = {
        app.key: secrets.closed(f"app/{app.id}/client-secret")
        for app in settings.apps
        if app.speaks == "oidc" and app.client_type == "confidential"
    }
    passwords: dict[str, SecretStr] = {
        person.username: secrets.closed(f"person/{person.id}/password")
        for person in settings.people
        if not person.adopt
    }
    handed = {
        "bindPasswords": {
            app.key: secrets.closed(f"app/{app.id}/bind-password")
            for app in settings.apps
            if app.bind_account
        },
        "sharedSecrets": {
            app.key: secrets.closed(f"app/{app.id}/shared-secret")
            for app in settings.apps
            if app.speaks == "radius"
        },
        "outpostTokens": {
            outpost.protocol: secrets.closed(outpost.token)
            for outpost, _ in outposts(settings)
            if isinstance(settings.box, Elsewhere)
        },
    }
    return {
        "apps": {
            app.key: {"url": app.url, **PROTOCOLS[app.speaks].told(app, given)} for app in settings.apps
        },
        "clientSecrets": client_secrets,
        "firstPasswords": passwords,
        **{name: values for name, values in handed.items() if values},
    }
