"""OpenID Connect as authentik speaks it: discovery, authorization, logout."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bench.authentik import published
from bench.authentik.access import NOBODY, may_use
from bench.authentik.context import APPLICATIONS, FLOWS, OAUTH2, Context, client_of
from bench.authentik.executor import Executor, authentication_flow, redirect
from bench.authentik.flows import steps
from bench.authentik.grants import Grants
from bench.authentik.oidc_rules import METHODS, allowed_uri, allows, back, issuer, target
from bench.authentik.sessions import Plan, Session, Sessions, Step, origin, page
from bench.authentik.stages import SESSION_END
from bench.authentik.store import Data
from bench.authentik.tokens import Grant, mappings


class OpenID:
    """The provider's side of OpenID Connect over the store's objects."""

    def __init__(self, context: Context, sessions: Sessions, executor: Executor, grants: Grants) -> None:
        self.context = context
        self.store = context.store
        self.sessions = sessions
        self.executor = executor
        self.grants = grants

    def routes(self) -> list[Route]:
        """The paths below /application/o/."""
        return [
            Route("/application/o/authorize/", self.authorize),
            *self.grants.routes(),
            Route("/application/o/{slug}/.well-known/openid-configuration", self.discovery),
            Route("/application/o/{slug}/jwks/", self.jwks),
            Route("/application/o/{slug}/end-session/", self.end_session),
        ]

    # -- what clients read

    async def discovery(self, request: Request) -> Response:
        """The provider's configuration."""
        with self.store.reading():
            found = self.by_slug(request.path_params["slug"])
            if found is None:
                return page(status=404)
            own = issuer(request, *found)
            return JSONResponse(published.configuration(self.context, origin(request), own, *found))

    async def jwks(self, request: Request) -> Response:
        """The provider's public keys."""
        with self.store.reading():
            found = self.by_slug(request.path_params["slug"])
            if found is None:
                return page(status=404)
            keys = published.keys(self.context, found[0])
        return JSONResponse(keys, headers={"access-control-allow-origin": "*"})

    # -- authorize

    async def authorize(self, request: Request) -> Response:
        """The authorization endpoint: to the login, to the refusal, to consent, or back with a code."""
        query = request.query_params
        session = self.sessions.of(request)
        with self.store.reading():
            provider = client_of(self.store, query.get("client_id", ""))
            if provider is None or not allowed_uri(provider, query.get("redirect_uri", "")):
                return page(text="The client or its redirection URI is not known.", status=400)
            application = self.store.find(APPLICATIONS, provider=provider["pk"])
            if application is None:
                return page(text="The provider has no application.", status=404)
            problem = self.problem(query, provider)
            if problem:
                return back(query, problem)
            user = self.sessions.user(self.store, session)
            if user is None:
                session.plan = None
                slug = authentication_flow(self.store, provider)
                target = f"{request.url.path}?{request.url.query}"
                location = f"/if/flow/{slug}/?{request.url.query}&{urlencode({'next': target})}"
                return self.sessions.keep(session, request, redirect(location))
            if not may_use(self.store, user, application):
                return page("Permission denied", "Permission denied")
            response = self.granted(request, session, provider, user)
        return self.sessions.keep(session, request, response)

    def problem(self, query: Mapping[str, str], provider: Data) -> str | None:
        """What is wrong with the request, in RFC 6749's words (4.1.2.1)."""
        if query.get("response_type") != "code":
            return "unsupported_response_type"
        if not allows(self.context.line, provider, "authorization_code"):
            return "invalid_request"
        if query.get("code_challenge") and query.get("code_challenge_method", "plain") not in METHODS:
            return "invalid_request"
        return None

    def granted(self, request: Request, session: Session, provider: Data, user: Data) -> Response:
        """Back to the application with a code, or first into the flow, where the authorization flow asks something."""
        query = request.query_params
        configured = mappings(self.context, provider)
        asked = query.get("scope", "").split()
        # Scopes that the provider has no mapping for are left out without a word; none asked for means all.
        scopes = [m for m in configured if not asked or m["scope_name"] in asked]

        def finish() -> str:
            code = secrets.token_hex(16)
            self.grants.codes[code] = Grant(
                provider=str(provider["pk"]),
                user=str(user["pk"]),
                scopes=[str(scope["scope_name"]) for scope in scopes],
                nonce=query.get("nonce"),
                redirect_uri=query["redirect_uri"],
                auth_time=session.since,
                sid=session.sid,
                challenge=query.get("code_challenge"),
                method=query.get("code_challenge_method", "plain"),
            )
            return target(query, code=code)

        flow = self.store.get(FLOWS, provider["authorization_flow"])
        stages = steps(self.context, flow, user) if flow else []
        if flow is None or not stages:
            return redirect(finish())
        session.plan = Plan(
            flow=str(flow["slug"]),
            stages=stages,
            target=f"{request.url.path}?{request.url.query}",
            pending=str(user["pk"]),
            finish=finish,
            permissions=[
                {"id": str(scope["scope_name"]), "name": str(scope["description"])}
                for scope in sorted(scopes, key=lambda one: str(one["scope_name"]))
                if scope.get("description")
            ],
        )
        return redirect(f"/if/flow/{flow['slug']}/?{request.url.query}")

    async def end_session(self, request: Request) -> Response:
        """Into the provider's invalidation flow, which ends the session with the application, not with authentik."""
        session = self.sessions.of(request)
        with self.store.reading():
            found = self.by_slug(request.path_params["slug"])
            flow = self.store.get(FLOWS, found[0].get("invalidation_flow")) if found else None
            user = self.sessions.user(self.store, session) or NOBODY
            if found is None or flow is None:
                return page(status=404)
            client = urlencode({"client_id": found[0]["client_id"]})
            session.plan = Plan(
                flow=str(flow["slug"]),
                stages=[*steps(self.context, flow, user), Step(SESSION_END)],
                target=f"{request.url.path}?{client}",
                pending=session.user,
            )
        query = f"?{request.url.query}" if request.url.query else ""
        return self.sessions.keep(session, request, redirect(f"/if/flow/{flow['slug']}/{query}"))

    def by_slug(self, slug: str) -> tuple[Data, Data] | None:
        """(provider, application) of an application's slug."""
        application = self.store.find(APPLICATIONS, slug=slug)
        provider = self.store.get(OAUTH2, application["provider"]) if application else None
        return (provider, application) if provider and application else None
