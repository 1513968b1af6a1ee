"""What an app has to be told, as stack outputs."""

from __future__ import annotations

from typing import Any

from pydantic import SecretStr

from components.secrets import Secrets
from components.settings import Elsewhere, Settings
from components.settings.apps import AppContext
from components.settings.outposts import outposts


def outputs(settings: Settings, secrets: Secrets) -> dict[str, Any]:
    """Stack outputs by name: `apps` in clear; all others as secrets, those of outposts where there are any.

    They are apart because one secret in an output makes all of it secret.
    """
    context = AppContext(settings, secrets)
    told: dict[str, dict[str, SecretStr]] = {"clientSecrets": {}}
    for app in settings.apps:
        for output, name in app.secret_outputs().items():
            told.setdefault(output, {})[app.key] = secrets.as_secret(name)
    passwords: dict[str, SecretStr] = {
        person.username: secrets.as_secret(f"person/{person.id}/password")
        for person in settings.people
        if not person.adopt
    }
    handed = {
        "outpostTokens": {
            outpost.protocol: secrets.as_secret(outpost.token)
            for outpost, _ in outposts(settings)
            if outpost.beside_app or isinstance(settings.box, Elsewhere)
        },
    }
    return {
        "apps": {app.key: {"url": app.url, **app.connection(context)} for app in settings.apps},
        **told,
        "firstPasswords": passwords,
        **{name: values for name, values in handed.items() if values},
    }
