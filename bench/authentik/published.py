"""What OpenID Connect publishes about a provider: its configuration (Discovery 1.0) and its public keys (RFC 7517)."""

from __future__ import annotations

import base64
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc import jwk

from bench.authentik.context import Context
from bench.authentik.store import Data
from bench.authentik.tokens import MANAGED, certificate, key_id, mappings, signing_key, standard

# What every token says, before the scopes' own claims.
CLAIMS = ["sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "amr", "nonce"]
RESPONSE_TYPES = [
    "code",
    "id_token",
    "id_token token",
    "code token",
    "code id_token",
    "code id_token token",
]
# The real server of 2026.2 lists these whatever the provider; the bench itself gives tokens for the first two.
GRANTS = [
    "authorization_code",
    "refresh_token",
    "implicit",
    "client_credentials",
    "password",
    "urn:ietf:params:oauth:grant-type:device_code",
]


def configuration(
    context: Context, server: str, issuer: str, provider: Data, application: Data
) -> dict[str, Any]:
    """The provider's configuration; `server` is the address by which the client knows this server."""
    base = f"{server}/application/o"
    own = f"{base}/{application['slug']}"
    algorithm, _ = signing_key(context, provider)
    scopes = [str(mapping["scope_name"]) for mapping in mappings(context, provider)]
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{base}/authorize/",
        "token_endpoint": f"{base}/token/",
        "userinfo_endpoint": f"{base}/userinfo/",
        "end_session_endpoint": f"{own}/end-session/",
        "introspection_endpoint": f"{base}/introspect/",
        "revocation_endpoint": f"{base}/revoke/",
        "device_authorization_endpoint": f"{base}/device/",
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "response_types_supported": RESPONSE_TYPES,
        "response_modes_supported": ["query", "fragment", "form_post"],
        "jwks_uri": f"{own}/jwks/",
        "grant_types_supported": GRANTS,
        "id_token_signing_alg_values_supported": [algorithm],
        "subject_types_supported": ["public"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "acr_values_supported": ["goauthentik.io/providers/oauth2/default"],
        "scopes_supported": scopes if "openid" in scopes else [*scopes, "openid"],
        "request_parameter_supported": False,
        "claims_supported": [*CLAIMS, *scope_claims(context, provider)],
        "claims_parameter_supported": False,
        "code_challenge_methods_supported": ["plain", "S256"],
    }


def scope_claims(context: Context, provider: Data) -> list[str]:
    """The claims of the provider's scopes, asked for nobody in particular; one's own mappings are left out here."""
    nobody = {"name": "", "username": "", "email": "", "groups": []}
    found: list[str] = []
    for mapping in sorted(mappings(context, provider), key=lambda one: str(one["scope_name"])):
        scope = str(mapping.get("managed") or "")
        if scope.startswith(MANAGED):
            found += standard(context, provider, nobody, scope.removeprefix(MANAGED))
    return found


def keys(context: Context, provider: Data) -> dict[str, Any]:
    """The provider's key set; an empty object for one without a signing key."""
    pair = certificate(context, provider)
    algorithm, key = signing_key(context, provider)
    if pair is None or isinstance(key, jwk.OctKey):
        return {}
    found = x509.load_pem_x509_certificate(str(pair["_certificate_data"]).encode())
    return {
        "keys": [
            {
                **key.as_dict(private=False),
                "alg": algorithm,
                "kid": key_id(pair),
                "use": "sig",
                "x5c": [base64.b64encode(found.public_bytes(Encoding.DER)).decode()],
                "x5t": thumbprint(found.fingerprint(hashes.SHA1())),  # noqa: S303 (what RFC 7517 calls x5t)
                "x5t#S256": thumbprint(found.fingerprint(hashes.SHA256())),
            }
        ]
    }


def thumbprint(digest: bytes) -> str:
    """A digest in base64url without padding."""
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
