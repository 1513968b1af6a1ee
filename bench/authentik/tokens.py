"""Claims and tokens: what the scope mappings of a provider say about a person, signed as the provider signs."""

from __future__ import annotations

import base64
import hashlib
import itertools
import time
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from joserfc import jwk, jwt

from bench.authentik import crypto
from bench.authentik.computed import seconds, uid
from bench.authentik.context import APPLICATIONS, Context, groups_of
from bench.authentik.policies import PolicyError, asked, entitlements, helpers, person, returned
from bench.authentik.store import Data, Store

MAPPINGS = "/propertymappings/provider/scope/"
MANAGED = "goauthentik.io/providers/oauth2/scope-"
PROXIED = "goauthentik.io/providers/proxy/scope-proxy"
CERTIFICATES = "/crypto/certificatekeypairs/"

Key = jwk.RSAKey | jwk.OctKey | jwk.ECKey


@dataclass
class Grant:
    """What a person allowed an application: kept for the code, the access token and the refresh token."""

    provider: str
    user: str
    scopes: list[str]
    nonce: str | None
    redirect_uri: str
    auth_time: int
    sid: str
    challenge: str | None = None
    method: str = "plain"
    expires: float = field(default_factory=lambda: time.time() + 60)
    pk: int = field(default_factory=itertools.count(1).__next__)


def mappings(context: Context, provider: Data) -> list[Data]:
    """The scope mappings of a provider."""
    found = (context.store.get(MAPPINGS, pk) for pk in provider.get("property_mappings") or [])
    return [mapping for mapping in found if mapping is not None]


def claims(context: Context, provider: Data, user: Data, scopes: list[str]) -> dict[str, Any]:
    """The claims that the provider's own mappings give for these scopes. A provider without mappings gives none."""
    found: dict[str, Any] = {}
    for mapping in mappings(context, provider):
        if mapping["scope_name"] not in scopes:
            continue
        managed = str(mapping.get("managed") or "")
        if managed == PROXIED:
            about = person(context.store, user)
            shown = {"user_attributes": about.group_attributes(), "is_superuser": about.is_superuser}
            found |= {"ak_proxy": shown}
        elif managed.startswith(MANAGED):
            found |= standard(context, provider, user, managed.removeprefix(MANAGED))
        else:
            found |= own(context, provider, user, mapping)
    return found


def own(context: Context, provider: Data, user: Data, mapping: Data) -> dict[str, Any]:
    """What a mapping that somebody wrote returns; one that fails, or returns no claims, gives none."""
    store = context.store
    about = SimpleNamespace(**provider, application=application(store, provider))
    names = {**helpers(store, []), **asked(store, user, None), "provider": about}
    try:
        value = returned(mapping, {**names, "user": names["request"].user})
    except PolicyError:
        return {}
    return dict(value) if isinstance(value, dict) else {}


def application(store: Store, provider: Data) -> SimpleNamespace | None:
    """The application of a provider, as expressions see it."""
    found = store.find(APPLICATIONS, provider=provider["pk"])
    return SimpleNamespace(**found) if found else None


def standard(context: Context, provider: Data, user: Data, scope: str) -> dict[str, Any]:
    """What authentik's own mappings return."""
    if scope == "email":
        return {"email": user.get("email") or "", "email_verified": False}
    if scope == "profile":
        return {
            "name": user["name"],
            "given_name": user["name"],
            "preferred_username": user["username"],
            "nickname": user["username"],
            "groups": [group["name"] for group in groups_of(context.store, user)],
        }
    if scope == "entitlements" and "pk" in user:
        app = application(context.store, provider)
        names = [each.name for each in entitlements(context.store, user, app)]
        return {"entitlements": names, "roles": names}
    return {}


def subject(context: Context, provider: Data, user: Data) -> str:
    """The `sub` claim, by the provider's mode."""
    mode = provider.get("sub_mode", "hashed_user_id")
    plain = {"user_id": "pk", "user_uuid": "uuid", "user_username": "username", "user_email": "email"}
    if mode in plain:
        return str(user[plain[mode]])
    return uid(context, user)


def certificate(context: Context, provider: Data) -> Data | None:
    """The pair of certificate and key that a provider signs with."""
    pk = provider.get("signing_key")
    return context.store.get(CERTIFICATES, pk) if pk else None


def signing_key(context: Context, provider: Data) -> tuple[str, Key]:
    """(algorithm, key): RS256 or ES256 with the provider's certificate, HS256 with its secret where it has none."""
    pair = certificate(context, provider)
    if pair is None:
        return "HS256", jwk.OctKey.import_key(provider["client_secret"])
    private = str(pair["_key_data"])
    key: Key = jwk.ECKey.import_key(private) if "EC PRIVATE" in private else jwk.RSAKey.import_key(private)
    return ("ES256" if isinstance(key, jwk.ECKey) else "RS256"), key


def key_id(pair: Data) -> str:
    """The key's name in JWKS and in token headers: a SHA-512 of it in base64url, 86 letters (recorded: d020)."""
    digest = hashlib.sha512(str(pair["_key_data"]).encode()).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def signed(context: Context, provider: Data, payload: dict[str, Any]) -> str:
    """The payload as a signed JWT."""
    algorithm, key = signing_key(context, provider)
    pair = certificate(context, provider)
    header = {"alg": algorithm, "typ": "JWT"} | ({"kid": key_id(pair)} if pair else {})
    return jwt.encode(header, payload, key, algorithms=[algorithm])


def lifetime(provider: Data) -> int:
    """How many seconds an access token of this provider lives."""
    return seconds(provider["access_token_validity"])


def payload(context: Context, provider: Data, user: Data, grant: Grant, issuer: str) -> dict[str, Any]:
    """What an access token says; an ID token says the same, with claims only where the provider includes them."""
    now = int(time.time())
    return {
        "iss": issuer,
        "sub": subject(context, provider, user),
        "aud": provider["client_id"],
        "exp": now + lifetime(provider),
        "iat": now,
        "auth_time": grant.auth_time,
        "acr": "goauthentik.io/providers/oauth2/default",
        "amr": ["pwd"],
        **({"nonce": grant.nonce} if grant.nonce else {}),
        "sid": grant.sid,
        "jti": crypto.random_text(40),
        **claims(context, provider, user, grant.scopes),
    }
