"""The relying party's half of OpenID Connect: discovery, authorization with PKCE, the code's exchange,
the checks.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
from joserfc import jwk, jwt
from joserfc.errors import JoseError

ALGORITHMS = ["RS256", "ES256", "ES384", "ES512"]
"""Signatures that are accepted: those with a public key."""


class RefusedError(Exception):
    """What the provider sent must not be believed; the text says why."""


@dataclass(frozen=True)
class Attempt:
    """A login that is under way in one browser."""

    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))

    @property
    def challenge(self) -> str:
        """The S256 challenge (RFC 7636, 4.2)."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass(frozen=True)
class Client:
    """One registered client."""

    issuer: str
    client_id: str
    client_secret: str
    redirect_uri: str
    scopes: str = "openid email profile"

    @property
    def callback_path(self) -> str:
        """The path of the redirect URI."""
        return urlsplit(self.redirect_uri).path or "/"

    async def discover(self) -> dict[str, Any]:
        """The provider's endpoints. Its issuer must be ours to the letter, trailing slash included."""
        found = await _json("GET", self.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if found.get("issuer") != self.issuer:
            raise RefusedError(f"issuer is {found.get('issuer')!r}, configured is {self.issuer!r}")
        return found

    async def authorize_url(self, attempt: Attempt) -> str:
        """Where the browser is sent."""
        provider = await self.discover()
        query = {
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "response_type": "code",
            "scope": self.scopes,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        return f"{provider['authorization_endpoint']}?{urlencode(query)}"

    async def claims(self, attempt: Attempt, code: str) -> dict[str, Any]:
        """Exchange a code; the claims of the id token, checked, and those of userinfo on top."""
        provider = await self.discover()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "code_verifier": attempt.verifier,
        }
        tokens = await _json("POST", provider["token_endpoint"], data=form)
        identity = self.checked(tokens.get("id_token", ""), await _json("GET", provider["jwks_uri"]), attempt)
        bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
        told = await _json("GET", provider["userinfo_endpoint"], headers=bearer)
        if told.get("sub") != identity["sub"]:
            raise RefusedError("userinfo is about somebody else than the id token")
        return identity | told

    def checked(self, token: str, jwks: dict[str, Any], attempt: Attempt) -> dict[str, Any]:
        """The id token's claims, if its signature, issuer, audience, nonce and dates are right."""
        if not jwks.get("keys"):
            raise RefusedError("the provider publishes no key: it has no signing key")
        wanted = jwt.JWTClaimsRegistry(
            leeway=10,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self.client_id},
            nonce={"essential": True, "value": attempt.nonce},
            exp={"essential": True},
            sub={"essential": True},
        )
        try:
            keys = jwk.KeySet.import_key_set({"keys": jwks["keys"]})
            claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
            wanted.validate(claims)
        except (JoseError, ValueError) as wrong:
            raise RefusedError(f"id token: {wrong}") from wrong
        return dict(claims)


async def _json(method: str, url: str, **request: Any) -> dict[str, Any]:
    async with httpx.AsyncClient(verify=ssl.create_default_context(), timeout=15) as http:
        try:
            answer = await http.request(method, url, **request)
        except httpx.HTTPError as broken:
            raise RefusedError(f"{url} can't be reached: {broken}") from broken
    try:
        found = answer.json()
    except ValueError:
        found = None
    if answer.is_error or not isinstance(found, dict):
        raise RefusedError(f"{url} answers {answer.status_code}: {answer.text[:300]}")
    return found
