"""SAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.apps.protocols.common import BY_HAND, SIGNING_KEY, Given, flows, since
from components.settings import App, Settings
from components.settings.app_saml import SAML_ATTRIBUTES

_MANAGED = "goauthentik.io/providers/saml/{}"


def base(app: App, given: Given) -> str:
    """Below which authentik answers for this app."""
    return f"{given.authentik}/application/saml/{app.key}"


def issuer(app: App, given: Given) -> str:
    """The entity ID that authentik goes by."""
    return app.issuer or f"{base(app, given)}/metadata/"


def fields(app: App, given: Given) -> Mapping[str, Any]:
    """The fields of the app's SAML provider."""
    named = "issuer_override" if since(given.line, "2026.5") else "issuer"
    return {
        **flows(app),
        "acs_url": app.acs_url,
        "audience": app.audience,
        "sp_binding": app.binding,
        named: issuer(app, given),
        "signing_kp": None if app.sign == "none" else app.signing_key or SIGNING_KEY,
        "sign_assertion": app.sign in ("assertion", "both"),
        "sign_response": app.sign in ("response", "both"),
        "verification_kp": app.verification_key,
        "encryption_kp": app.encryption_key,
        "name_id_mapping": _mapping(app.name_id) if app.name_id else None,
        "property_mappings": [_mapping(each) for each in app.attributes or SAML_ATTRIBUTES],
        "sls_url": app.slo_url,
    }


def told(app: App, given: Given) -> Mapping[str, str]:
    """Where the app reads all the rest, and the addresses for an app that does not read."""
    return {
        "issuer": issuer(app, given),
        "metadataUrl": f"{base(app, given)}/metadata/",
        "ssoUrl": f"{base(app, given)}/sso/binding/redirect/",
        "sloUrl": f"{base(app, given)}/slo/binding/redirect/",
    }


def secrets(_: App) -> Mapping[str, str]:
    """None."""
    return {}


def out_of_reach(_app: App, _settings: Settings) -> str:
    """gatehouse does not speak it."""
    return BY_HAND.format("SAML")


def _mapping(name: str) -> str:
    """authentik's own mappings have short names here."""
    return _MANAGED.format(name) if name in SAML_ATTRIBUTES else name
