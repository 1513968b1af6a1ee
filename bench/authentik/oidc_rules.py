"""The rules of OpenID Connect's endpoints that need no state: redirect URIs, PKCE, client credentials, errors."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bench.authentik.catalog import Line
from bench.authentik.executor import redirect
from bench.authentik.sessions import origin
from bench.authentik.store import Data
from bench.authentik.tokens import Grant

METHODS = ("plain", "S256")
NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}
ERRORS = {
    "unsupported_response_type": (
        "The authorization server does not support obtaining an authorization code using this method"
    ),
    "invalid_request": "The request is otherwise malformed",
}
BAD_CLIENT = "Client authentication failed (e.g., unknown client, no client authentication included)"
BAD_GRANT = (
    "The provided authorization grant or refresh token is invalid, expired, revoked, does not match the redirection "
    "URI used in the authorization request, or was issued to another client"
)


def issuer(request: Request, provider: Data, application: Data) -> str:
    """The issuer, always with its trailing slash."""
    if provider.get("issuer_mode") == "global":
        return f"{origin(request)}/"
    return f"{origin(request)}/application/o/{application['slug']}/"


def allowed_uri(provider: Data, uri: str) -> bool:
    """Whether a redirect URI is one of the provider's."""
    for entry in provider.get("redirect_uris") or []:
        if entry.get("redirect_uri_type", "authorization") != "authorization":
            continue
        if entry["matching_mode"] == "strict" and entry["url"] == uri:
            return True
        if entry["matching_mode"] == "regex" and re.fullmatch(entry["url"], uri):
            return True
    return False


def target(query: Mapping[str, str], **values: str) -> str:
    """The application's redirect URI with an answer in it."""
    uri = query["redirect_uri"]
    given = urlencode({**values, "state": query.get("state", "")}, quote_via=quote)
    return f"{uri}{'&' if '?' in uri else '?'}{given}"


def back(query: Mapping[str, str], error: str) -> Response:
    """To the application's redirect URI with an error, in authentik's words."""
    answer = target(query, error=error, error_description=ERRORS[error])
    return redirect(answer if query.get("state") else answer.removesuffix("&state="))


def proves(grant: Grant, verifier: str | None) -> bool:
    """Whether a PKCE verifier fits the challenge of the request (RFC 7636); there is none without a challenge."""
    if grant.challenge is None:
        return not verifier
    if not verifier:
        return False
    if grant.method == "plain":
        return secrets.compare_digest(verifier, grant.challenge)
    digest = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    return secrets.compare_digest(digest, grant.challenge)


def basic(request: Request) -> dict[str, str]:
    """Client credentials from the Authorization header."""
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "basic":
        return {}
    client, _, secret = base64.b64decode(value).decode().partition(":")
    return {"client_id": client, "client_secret": secret}


def allows(line: Line, provider: Data, grant_type: str) -> bool:
    """Whether the provider gives this kind of grant. Since 2026.5 it says which; a proxy need not."""
    if "external_host" in provider:
        return grant_type == "authorization_code"
    matters = "grant_types" in line.schemas["OAuth2ProviderRequest"]["properties"]
    return not matters or grant_type in (provider.get("grant_types") or [])


def authentic(provider: Data, form: Mapping[str, str]) -> bool:
    """Whether a request comes from the provider's client: a public one needs no secret."""
    if provider.get("client_type") == "public":
        return True
    return secrets.compare_digest(form.get("client_secret", ""), str(provider["client_secret"]))


def refused(error: str, description: str = BAD_GRANT, status: int = 400) -> Response:
    """An error of the endpoints that clients use."""
    body = {"error": error, "error_description": description, "request_id": secrets.token_hex(16)}
    return JSONResponse(body, status, headers=NO_STORE)
