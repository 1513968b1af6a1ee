"""The rules of OpenID Connect's endpoints that need no state: redirect URIs, PKCE, client credentials, errors."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from bench.authentik.sessions import origin
from bench.authentik.store import Data
from bench.authentik.tokens import Grant

NO_STORE = {"cache-control": "no-store", "pragma": "no-cache"}
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


def back(query: Mapping[str, str], **values: str) -> Response:
    """To the application's redirect URI."""
    state = {"state": query["state"]} if query.get("state") else {}
    uri = query["redirect_uri"]
    return RedirectResponse(f"{uri}{'&' if '?' in uri else '?'}{urlencode({**values, **state})}", 302)


def proves(grant: Grant, verifier: str | None) -> bool:
    """Whether a PKCE verifier fits the challenge of the request (RFC 7636)."""
    if grant.challenge is None:
        return True
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


def refused(error: str, description: str = BAD_GRANT) -> Response:
    """An error of the token endpoint."""
    body = {"error": error, "error_description": description, "request_id": secrets.token_hex(16)}
    return JSONResponse(body, 400, headers=NO_STORE)
