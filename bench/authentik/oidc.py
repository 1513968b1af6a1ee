"""OpenID Connect as authentik speaks it: discovery, authorize, token, userinfo, JWKS, introspection, logout."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from joserfc import jwk
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from bench.authentik.access import may_use
from bench.authentik.context import Context
from bench.authentik.executor import FLOWS, USERS, Executor, authentication_flow
from bench.authentik.oidc_rules import NO_STORE, allowed_uri, back, basic, issuer, proves, refused
from bench.authentik.sessions import Plan, Session, Sessions, origin, page
from bench.authentik.store import Data
from bench.authentik.tokens import LIFETIME, Grant, claims, key_id, payload, signed, signing_key, subject

PROVIDERS = "/providers/oauth2/"
APPLICATIONS = "/core/applications/"
BAD_CLIENT = "Client authentication failed (e.g., unknown client, no client authentication included)"


class OpenID:
    """The provider's side of OpenID Connect over the store's objects. Codes and tokens live in this process."""

    def __init__(self, context: Context, sessions: Sessions, executor: Executor) -> None:
        self.context = context
        self.store = context.store
        self.sessions = sessions
        self.executor = executor
        # Since 2026.5 a provider says which grants it allows; it starts with none.
        self.grants_matter = "grant_types" in context.line.schemas["OAuth2ProviderRequest"]["properties"]
        self.codes: dict[str, Grant] = {}
        self.access: dict[str, Grant] = {}
        self.refresh: dict[str, Grant] = {}

    def routes(self) -> list[Route]:
        """The paths below /application/o/."""
        return [
            Route("/application/o/authorize/", self.authorize),
            Route("/application/o/token/", self.token, methods=["POST"]),
            Route("/application/o/userinfo/", self.userinfo, methods=["GET", "POST"]),
            Route("/application/o/introspect/", self.introspect, methods=["POST"]),
            Route("/application/o/revoke/", self.revoke, methods=["POST"]),
            Route("/application/o/{slug}/.well-known/openid-configuration", self.discovery),
            Route("/application/o/{slug}/jwks/", self.jwks),
            Route("/application/o/{slug}/end-session/", self.end_session),
        ]

    # -- what clients read

    async def discovery(self, request: Request) -> Response:
        """The provider's configuration (OpenID Connect Discovery 1.0)."""
        with self.store.reading():
            found = self.by_slug(request.path_params["slug"])
            if found is None:
                return page("authentik", status=404)
            provider, application = found
            algorithm, _ = signing_key(self.context, provider)
        base = f"{origin(request)}/application/o"
        own = f"{base}/{application['slug']}"
        return JSONResponse(
            {
                "issuer": issuer(request, provider, application),
                "authorization_endpoint": f"{base}/authorize/",
                "token_endpoint": f"{base}/token/",
                "userinfo_endpoint": f"{base}/userinfo/",
                "end_session_endpoint": f"{own}/end-session/",
                "introspection_endpoint": f"{base}/introspect/",
                "revocation_endpoint": f"{base}/revoke/",
                "device_authorization_endpoint": f"{base}/device/",
                "backchannel_logout_supported": True,
                "backchannel_logout_session_supported": True,
                "response_types_supported": [
                    "code",
                    "id_token",
                    "id_token token",
                    "code token",
                    "code id_token",
                    "code id_token token",
                ],
                "response_modes_supported": ["query", "fragment", "form_post"],
                "jwks_uri": f"{own}/jwks/",
                "grant_types_supported": ["authorization_code", "refresh_token"],
                "id_token_signing_alg_values_supported": [algorithm],
                "subject_types_supported": ["public"],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
                "acr_values_supported": ["goauthentik.io/providers/oauth2/default"],
                "scopes_supported": ["openid", "email", "profile", "offline_access"],
                "request_parameter_supported": False,
                "claims_supported": ["sub", "iss", "aud", "exp", "iat", "auth_time", "acr", "amr", "nonce"],
                "claims_parameter_supported": False,
                "code_challenge_methods_supported": ["plain", "S256"],
            }
        )

    async def jwks(self, request: Request) -> Response:
        """The public keys; an empty object for a provider without a signing key."""
        with self.store.reading():
            found = self.by_slug(request.path_params["slug"])
            if found is None:
                return page("authentik", status=404)
            algorithm, key = signing_key(self.context, found[0])
        keys: dict[str, Any] = {}
        if not isinstance(key, jwk.OctKey):
            keys = {
                "keys": [{**key.as_dict(private=False), "alg": algorithm, "kid": key_id(key), "use": "sig"}]
            }
        return JSONResponse(keys, headers={"access-control-allow-origin": "*"})

    # -- authorize

    async def authorize(self, request: Request) -> Response:
        """The authorization endpoint: to the login, to the refusal, to consent, or back with a code."""
        query = request.query_params
        session = self.sessions.of(request)
        with self.store.reading():
            provider = self.store.find(PROVIDERS, client_id=query.get("client_id", ""))
            if provider is None or not allowed_uri(provider, query.get("redirect_uri", "")):
                return page(
                    "authentik", "The request fails due to a missing or mismatching redirection URI.", 400
                )
            application = self.store.find(APPLICATIONS, provider=provider["pk"])
            if application is None:
                return page("authentik", "The provider has no application.", 404)
            problem = self.problem(query, provider)
            if problem:
                return back(query, error=problem)
            user = self.store.get(USERS, session.user) if session.user else None
            if user is None:
                session.plan = None
                slug = authentication_flow(self.store, provider)
                target = f"{request.url.path}?{request.url.query}"
                location = f"/if/flow/{slug}/?{request.url.query}&{urlencode({'next': target})}"
                return self.sessions.keep(session, request, RedirectResponse(location, 302))
            if not may_use(self.store, user, application):
                return self.sessions.keep(session, request, page("Permission denied", "Permission denied"))
            response = self.consent(request, session, provider) or self.granted(
                query, session, provider, user
            )
        return self.sessions.keep(session, request, response)

    def problem(self, query: Mapping[str, str], provider: Data) -> str | None:
        """What is wrong with the request, in RFC 6749's words (4.1.2.1)."""
        if query.get("response_type") != "code":
            return "unsupported_response_type"
        if self.grants_matter and "authorization_code" not in (provider.get("grant_types") or []):
            return "unauthorized_client"
        return None

    def consent(self, request: Request, session: Session, provider: Data) -> Response | None:
        """Where the provider's authorization flow asks something: into that flow, once."""
        flow = self.store.get(FLOWS, provider["authorization_flow"])
        target = f"{request.url.path}?{request.url.query}"
        if flow is None or target in session.consented:
            session.consented.discard(target)
            return None
        stages = self.executor.stages(flow)
        if not stages:
            return None
        session.plan = Plan(str(flow["slug"]), stages, target, session.user)
        return RedirectResponse(f"/if/flow/{flow['slug']}/?{request.url.query}", 302)

    def granted(self, query: Mapping[str, str], session: Session, provider: Data, user: Data) -> Response:
        """Back to the application, with a code."""
        code = secrets.token_hex(16)
        self.codes[code] = Grant(
            provider=str(provider["pk"]),
            user=str(user["pk"]),
            scopes=query.get("scope", "").split(),
            nonce=query.get("nonce"),
            redirect_uri=query["redirect_uri"],
            auth_time=session.since,
            challenge=query.get("code_challenge"),
            method=query.get("code_challenge_method", "plain"),
        )
        return back(query, code=code)

    # -- tokens

    async def token(self, request: Request) -> Response:
        """The token endpoint (RFC 6749, 4.1.3 and 6)."""
        form = {key: str(value) for key, value in (await request.form()).items()}
        form |= basic(request)
        with self.store.reading():
            provider = self.store.find(PROVIDERS, client_id=form.get("client_id", ""))
            if provider is None:
                return refused("invalid_client", BAD_CLIENT)
            if provider.get("client_type") != "public" and not secrets.compare_digest(
                form.get("client_secret", ""), str(provider["client_secret"])
            ):
                return refused(
                    "invalid_grant" if form.get("grant_type") == "client_credentials" else "invalid_client"
                )
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
            extra = {"azp": provider["client_id"], "uid": secrets.token_urlsafe(30)}
            scope = " ".join(sorted(grant.scopes))
            access = signed(self.context, provider, {**full, **extra, "scope": scope})
            identity = signed(self.context, provider, inside)
        grant.expires = time.time() + LIFETIME
        self.access[access] = grant
        answer = {
            "access_token": access,
            "token_type": "Bearer",
            "scope": scope,
            "expires_in": LIFETIME,
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
        if form.get("grant_type") != "authorization_code":
            return None
        grant = self.codes.pop(form.get("code", ""), None)
        if grant is None or grant.provider != str(provider["pk"]) or grant.expires < time.time():
            return None
        if grant.redirect_uri != form.get("redirect_uri"):
            return None
        return grant if proves(grant, form.get("code_verifier")) else None

    async def userinfo(self, request: Request) -> Response:
        """The claims of the access token's person."""
        grant = self.access.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if grant is None or grant.expires < time.time():
            return Response(None, 401, {"www-authenticate": 'error="invalid_token"'})
        with self.store.reading():
            provider, user = self.store.get(PROVIDERS, grant.provider), self.store.get(USERS, grant.user)
            if provider is None or user is None:
                return Response(None, 401, {"www-authenticate": 'error="invalid_token"'})
            answer = {"sub": subject(provider, user), **claims(self.context, provider, user, grant.scopes)}
        if grant.nonce:
            answer["nonce"] = grant.nonce
        return JSONResponse(answer, headers=NO_STORE)

    async def introspect(self, request: Request) -> Response:
        """Whether a token is alive (RFC 7662)."""
        form = await request.form()
        grant = self.access.get(str(form.get("token", "")))
        if grant is None or grant.expires < time.time():
            return JSONResponse({"active": False}, headers=NO_STORE)
        with self.store.reading():
            found = self.store.get(PROVIDERS, grant.provider), self.store.get(USERS, grant.user)
            provider, user = found
            application = self.store.find(APPLICATIONS, provider=provider["pk"]) if provider else None
            if provider is None or user is None or application is None:
                return JSONResponse({"active": False}, headers=NO_STORE)
            full = payload(self.context, provider, user, grant, issuer(request, provider, application))
        scope = {"active": True, "scope": " ".join(sorted(grant.scopes)), "client_id": provider["client_id"]}
        return JSONResponse({**full, **scope}, headers=NO_STORE)

    async def revoke(self, request: Request) -> Response:
        """Forget a token (RFC 7009)."""
        token = str((await request.form()).get("token", ""))
        self.access.pop(token, None)
        self.refresh.pop(token, None)
        return JSONResponse({}, headers=NO_STORE)

    async def end_session(self, request: Request) -> Response:
        """Log the browser out."""
        session = self.sessions.of(request)
        session.user = None
        return self.sessions.keep(session, request, page("authentik", "You have been logged out."))

    def by_slug(self, slug: str) -> tuple[Data, Data] | None:
        """(provider, application) of an application's slug."""
        application = self.store.find(APPLICATIONS, slug=slug)
        provider = self.store.get(PROVIDERS, application["provider"]) if application else None
        return (provider, application) if provider and application else None
