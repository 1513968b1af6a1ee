"""What an app does with a code: the authorization request with PKCE, the exchange, the checks of what
comes back.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
from joserfc import jwk, jwt
from joserfc.errors import (
    BadSignatureError,
    ExpiredTokenError,
    InvalidClaimError,
    JoseError,
    MissingClaimError,
)

ALGORITHMS = ["RS256", "ES256", "ES384", "ES512"]
"""Signatures with a public key. authentik signs with HS256 if its provider has no signing key."""
SKEW = 60
"""Seconds by which this machine's clock may differ from the server's."""


class ProviderError(Exception):
    """What the provider answered is not what an app can work with; the text is for the operator."""


@dataclass(frozen=True)
class Client:
    """One app as it is registered: what `gatehouse outputs` shows for it.

    `issuer` ends with a slash (https://auth.acme.example/application/o/grafana/).
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
    scopes: str = "openid email profile"


@dataclass(frozen=True)
class Attempt:
    """The secrets of one login (RFC 7636 and OpenID Connect Core 3.1.2.1)."""

    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)

    @property
    def challenge(self) -> str:
        """The S256 challenge of the verifier."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class RelyingParty:
    """An app's side of a login at one client. `http` may share the browser's connections, never its
    cookies.
    """

    def __init__(self, client: Client, http: httpx.Client) -> None:
        self.client = client
        self.http = http
        self.attempt = Attempt()
        self.provider = self._discover()

    def _discover(self) -> dict[str, Any]:
        url = self.client.issuer.rstrip("/") + "/.well-known/openid-configuration"
        answer = self.http.get(url)
        if answer.status_code == 404:
            raise ProviderError(
                f"{url} answers 404: authentik has no application of that name with a provider."
            )
        found = _json(answer)
        if found.get("issuer") != self.client.issuer:
            raise ProviderError(
                f"authentik calls itself {found.get('issuer')!r}, the app expects {self.client.issuer!r}:"
                " apps compare the issuer to the letter. If only the scheme or the host differs, the proxy in"
                " front of authentik does not pass on Host and X-Forwarded-Proto."
            )
        return found

    def authorize_url(self) -> str:
        """Where the app sends the browser."""
        query = {
            "client_id": self.client.client_id,
            "redirect_uri": self.client.redirect_uri,
            "response_type": "code",
            "scope": self.client.scopes,
            "state": self.attempt.state,
            "nonce": self.attempt.nonce,
            "code_challenge": self.attempt.challenge,
            "code_challenge_method": "S256",
        }
        return f"{self.provider['authorization_endpoint']}?{urlencode(query)}"

    def claims(self, code: str) -> dict[str, Any]:
        """Exchange the code; the claims of the id token, checked, with those of userinfo on top."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.client.redirect_uri,
            "client_id": self.client.client_id,
            "client_secret": self.client.client_secret,
            "code_verifier": self.attempt.verifier,
        }
        answer = self.http.post(self.provider["token_endpoint"], data=form)
        if answer.is_error:
            raise ProviderError(_token_refusal(answer))
        tokens = _json(answer)
        identity = self.checked(
            str(tokens.get("id_token", "")), _json(self.http.get(self.provider["jwks_uri"]))
        )
        bearer = {"Authorization": f"Bearer {tokens.get('access_token')}"}
        told = _json(self.http.get(self.provider["userinfo_endpoint"], headers=bearer))
        if told.get("sub") != identity["sub"]:
            raise ProviderError("userinfo is about somebody else than the id token.")
        return identity | told

    def checked(self, token: str, jwks: dict[str, Any]) -> dict[str, Any]:
        """The id token's claims if signature, issuer, audience, nonce and dates are right, else ProviderError."""
        if not jwks.get("keys"):
            raise ProviderError(
                "authentik publishes no key for this app, so its tokens are signed with HS256 and most apps refuse"
                " them: its provider has no signing key."
            )
        expected = jwt.JWTClaimsRegistry(
            leeway=SKEW,
            iss={"essential": True, "value": self.client.issuer},
            aud={"essential": True, "value": self.client.client_id},
            nonce={"essential": True, "value": self.attempt.nonce},
            exp={"essential": True},
            sub={"essential": True},
        )
        try:
            claims = jwt.decode(token, jwk.KeySet.import_key_set({"keys": jwks["keys"]}), ALGORITHMS).claims
            expected.validate(claims)
        except BadSignatureError as wrong:
            raise ProviderError(
                "the id token's signature does not fit authentik's published keys."
            ) from wrong
        except ExpiredTokenError as wrong:
            raise ProviderError("the id token has expired already: do the clocks differ?") from wrong
        except (InvalidClaimError, MissingClaimError) as wrong:
            raise ProviderError(
                f"the id token's claim {wrong.claim!r} is missing or not the expected one."
            ) from wrong
        except (JoseError, ValueError) as wrong:
            raise ProviderError(f"the id token can't be used: {wrong}") from wrong
        return dict(claims)


def _token_refusal(answer: httpx.Response) -> str:
    try:
        told = answer.json()
    except ValueError:
        return f"authentik's token endpoint answers {answer.status_code} instead of tokens."
    error, words = told.get("error"), told.get("error_description", "")
    hints = {
        "invalid_client": "the client id or secret is not the one that authentik knows for this app",
        "invalid_grant": (
            "the code is not accepted for this redirect URI and client, or the provider's grant types lack"
            " authorization_code"
        ),
        "unauthorized_client": "the provider's grant types lack authorization_code",
    }
    return f"authentik gives no tokens ({error}): {hints.get(str(error), words)}."


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if answer.is_error or not isinstance(found, dict):
        raise ProviderError(
            f"{answer.request.url.copy_with(query=None)} answers {answer.status_code}, not JSON."
        )
    return found
