"""Which of authentik's fields each setting of an app stands for: what a setting says, nothing else may say as well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from components.settings.apps import App, Protocol

APPLICATION = "authentik_core.application"
PROVIDERS: Mapping[Protocol, str] = {
    "oidc": "authentik_providers_oauth2.oauth2provider",
    "proxy": "authentik_providers_proxy.proxyprovider",
    "saml": "authentik_providers_saml.samlprovider",
    "ldap": "authentik_providers_ldap.ldapprovider",
    "radius": "authentik_providers_radius.radiusprovider",
}
"""The kind of an app's provider, by the app's protocol."""

KEPT: tuple[str, ...] = ()
"""In place of settings: gatehouse decides it itself, since names and access hang on it."""

_PROVIDER = {"name": KEPT, "authorization_flow": ("authorization_flow", "consent")}
_TOKENS = {
    "access_token_validity": ("access_token_validity",),
    "refresh_token_validity": ("refresh_token_validity",),
}
SETTINGS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    APPLICATION: {
        "slug": KEPT,
        "provider": KEPT,
        "policy_engine_mode": ("require",),
        "backchannel_providers": ("scim",),
        "name": ("name",),
        "meta_launch_url": ("launch_url",),
        "meta_icon": ("icon",),
        "meta_description": ("description",),
        "group": ("group",),
        "open_in_new_tab": ("open_in_new_tab",),
    },
    PROVIDERS["oidc"]: _PROVIDER
    | _TOKENS
    | {
        "client_type": ("client_type",),
        "client_id": ("client_id",),
        "client_secret": ("client_secret",),
        "redirect_uris": ("redirect_uris", "post_logout_uris"),
        "property_mappings": ("scopes", "claims"),
        "sub_mode": ("sub_mode",),
        "access_code_validity": ("access_code_validity",),
        "signing_key": ("signing_key",),
        "encryption_key": ("encryption_key",),
        "logout_uri": ("logout_uri",),
        "backchannel_logout_uri": ("logout_uri",),
        "logout_method": ("logout_method",),
    },
    PROVIDERS["proxy"]: _PROVIDER
    | _TOKENS
    | {
        "external_host": ("url",),
        "internal_host": ("upstream",),
        "internal_host_ssl_validation": ("verify_upstream",),
        "mode": ("mode",),
        "cookie_domain": ("cookie_domain",),
        "skip_path_regex": ("skip_path_regex",),
        "basic_auth_enabled": ("basic_auth",),
        "basic_auth_user_attribute": ("basic_auth",),
        "basic_auth_password_attribute": ("basic_auth",),
        "intercept_header_auth": ("intercept_header_auth",),
    },
    PROVIDERS["saml"]: _PROVIDER
    | {
        "acs_url": ("acs_url",),
        "audience": ("audience",),
        "sp_binding": ("binding",),
        "sign_assertion": ("sign",),
        "sign_response": ("sign",),
        "signing_kp": ("signing_key", "sign"),
        "verification_kp": ("verification_key",),
        "encryption_kp": ("encryption_key",),
        "name_id_mapping": ("name_id",),
        "property_mappings": ("attributes",),
        "issuer": ("issuer",),
        "issuer_override": ("issuer",),
        "sls_url": ("slo_url",),
    },
    PROVIDERS["ldap"]: {
        "name": KEPT,
        "authorization_flow": ("bind_flow",),
        "base_dn": ("base_dn",),
        "bind_mode": ("bind_mode",),
        "search_mode": ("search_mode",),
        "mfa_support": ("mfa",),
        "certificate": ("certificate",),
    },
    PROVIDERS["radius"]: {
        "name": KEPT,
        "shared_secret": KEPT,
        "authorization_flow": ("bind_flow",),
        "client_networks": ("clients",),
        "mfa_support": ("mfa",),
        "property_mappings": ("mappings",),
    },
}
"""Kind -> field -> the settings of an app that say it."""


_ALWAYS = frozenset({"provider", "policy_engine_mode", "client_id", "client_secret"})
"""Fields that count as said in any case: who gets in, and what the app is known by, which nothing changes anyway."""


def said_by(kind: str, field: str) -> str | None:
    """The settings that say a field, as they are written; None where none does."""
    names = SETTINGS[kind].get(field)
    return None if not names else " or ".join(str(App.model_fields[name].alias) for name in names)


def unsaid(app: App, kind: str, fields: Iterable[str]) -> frozenset[str]:
    """Those of the fields that the stack file does not say itself."""
    extra = {**app.extra.provider, **app.extra.application}
    return frozenset(
        field
        for field in ("name", *fields)
        if field not in _ALWAYS | extra.keys() and not {*SETTINGS[kind].get(field, ())} & app.model_fields_set
    )
