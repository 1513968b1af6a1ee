"""The endpoints that apps use without a browser: token, userinfo, introspection, revocation."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bench.authentik import crypto
from bench.authentik.access import may_use
from bench.authentik.auth import app_password
from bench.authentik.context import APPLICATIONS, OAUTH2, USERS, Context, client_of
from bench.authentik.oidc_rules import (
    BAD_CLIENT,
    NO_STORE,
    allows,
    authentic,
    basic,
    issuer,
    proves,
    refused,
)
from bench.authentik.store import Data
from bench.authentik.tokens import Grant, claims, lifetime, mappings, payload, signed, subject


class Grants:
    """What people granted to apps, as codes, access tokens and refresh tokens. All of them live in this process."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.store = context.store
        self.codes: dict[str, Grant] = {}
        self.access: dict[str, Grant] = {}
        self.refresh: dict[str, Grant] = {}

    def routes(self) -> list[Route]:
        """The paths below /application/o/ that need no session."""
        return [
            Route("/application/o/token/", self.token, methods=["POST"]),
            Route("/application/o/userinfo/", self.userinfo, methods=["GET", "POST"]),
            Route("/application/o/introspect/", self.introspect, methods=["POST"]),
            Route("/application/o/revoke/", self.revoke, methods=["POST"]),
        ]

    async def token(self, request: Request) -> Response:
        """The token endpoint (RFC 6749, 4.1.3 and 6)."""
        form = await self.form(request)
        with self.store.reading():
            provider = client_of(self.store, form.get("client_id", ""))
            if provider is None:
                return refused("invalid_client", BAD_CLIENT)
            kind = form.get("grant_type", "")
            if not allows(self.context.line, provider, kind):
                return refused("invalid_grant")
            if not authentic(provider, form):
                if kind == "client_credentials":
                    return refused("invalid_grant")
                return refused("invalid_client", BAD_CLIENT)
            grant = self.redeem(form, provider)
            if grant is None:
                return refused("invalid_grant")
            user = self.store.get(USERS, grant.user)
            application = self.store.find(APPLICATIONS, provider=provider["pk"])
            if user is None or not user.get("is_active", True) or application is None:
                return refused("invalid_grant")
            full = payload(self.context, provider, user, grant, issuer(request, provider, application))
            inside = full
            if not provider.get("include_claims_in_id_token", True):
                inside = {
                    k: v
                    for k, v in full.items()
                    if k not in claims(self.context, provider, user, grant.scopes)
                }
            extra = {"azp": provider["client_id"], "uid": crypto.random_text(40)}
            scope = " ".join(sorted(grant.scopes))
            access = signed(self.context, provider, {**full, **extra, "scope": scope})
            identity = signed(self.context, provider, inside)
        self.access[access] = replace(grant, expires=time.time() + lifetime(provider))
        answer = {
            "access_token": access,
            "token_type": "Bearer",
            "scope": scope,
            "expires_in": lifetime(provider),
            "id_token": identity,
        }
        if "offline_access" in grant.scopes:
            refresh = answer["refresh_token"] = secrets.token_urlsafe(48)
            self.refresh[refresh] = grant
        return JSONResponse(answer, headers=NO_STORE)

    def redeem(self, form: Mapping[str, str], provider: Data) -> Grant | None:
        """The grant behind a code or a refresh token; each works once."""
        if form.get("grant_type") == "refresh_token":
            grant = self.refresh.pop(form.get("refresh_token", ""), None)
            return grant if grant and grant.provider == str(provider["pk"]) else None
        if form.get("grant_type") == "client_credentials":
            return self.by_app_password(form, provider)
        if form.get("grant_type") != "authorization_code":
            return None
        grant = self.codes.pop(form.get("code", ""), None)
        if grant is None or grant.provider != str(provider["pk"]) or grant.expires < time.time():
            return None
        if grant.redirect_uri != form.get("redirect_uri"):
            return None
        return grant if proves(grant, form.get("code_verifier")) else None

    def by_app_password(self, form: Mapping[str, str], provider: Data) -> Grant | None:
        """What a person's app password gives without a browser: no second factor is asked for, the bindings are."""
        user = self.store.find(USERS, username=form.get("username"))
        application = self.store.find(APPLICATIONS, provider=provider["pk"])
        if (
            user is None
            or application is None
            or not app_password(self.store, user, form.get("password", ""))
        ):
            return None
        if not user.get("is_active", True) or not may_use(self.store, user, application):
            return None
        configured = [str(mapping["scope_name"]) for mapping in mappings(self.context, provider)]
        return Grant(
            provider=str(provider["pk"]),
            user=str(user["pk"]),
            scopes=[scope for scope in configured if scope in form.get("scope", "").split()],
            nonce=None,
            redirect_uri="",
            auth_time=int(time.time()),
            sid="",
        )

    async def userinfo(self, request: Request) -> Response:
        """The claims of the access token's person."""
        grant = self.access.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if grant is None or grant.expires < time.time():
            return Response(None, 401, {"www-authenticate": 'error="invalid_token"'})
        with self.store.reading():
            provider, user = self.store.get(OAUTH2, grant.provider), self.store.get(USERS, grant.user)
            if provider is None or user is None:
                return Response(None, 401, {"www-authenticate": 'error="invalid_token"'})
            answer = {
                "sub": subject(self.context, provider, user),
                **claims(self.context, provider, user, grant.scopes),
            }
        if grant.nonce:
            answer["nonce"] = grant.nonce
        return JSONResponse(answer, headers=NO_STORE)

    async def introspect(self, request: Request) -> Response:
        """Whether a token is alive (RFC 7662); only the token's own client is told."""
        form = await self.form(request)
        grant = self.access.get(form.get("token", ""))
        dead = JSONResponse({"active": False}, headers=NO_STORE)
        if grant is None or grant.expires < time.time():
            return dead
        with self.store.reading():
            provider = client_of(self.store, form.get("client_id", ""))
            user = self.store.get(USERS, grant.user)
            application = self.store.find(APPLICATIONS, provider=provider["pk"]) if provider else None
            if provider is None or user is None or application is None:
                return dead
            if str(provider["pk"]) != grant.provider or not authentic(provider, form):
                return dead
            full = payload(self.context, provider, user, grant, issuer(request, provider, application))
        scope = {"active": True, "scope": " ".join(sorted(grant.scopes)), "client_id": provider["client_id"]}
        return JSONResponse({**full, **scope}, headers=NO_STORE)

    async def revoke(self, request: Request) -> Response:
        """Forget a token (RFC 7009); only its own client may."""
        form = await self.form(request)
        with self.store.reading():
            provider = client_of(self.store, form.get("client_id", ""))
            if provider is None or not authentic(provider, form):
                return refused("invalid_client", BAD_CLIENT, 401)
        for kept in (self.access, self.refresh):
            grant = kept.get(form.get("token", ""))
            if grant and grant.provider == str(provider["pk"]):
                del kept[form["token"]]
        return JSONResponse({}, headers=NO_STORE)

    async def form(self, request: Request) -> dict[str, str]:
        """A client's request, with its credentials from either place."""
        return {key: str(value) for key, value in (await request.form()).items()} | basic(request)
