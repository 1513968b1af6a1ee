"""The server: health checks and the REST API as one ASGI application."""

from __future__ import annotations

import time
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bench.authentik import defaults, web
from bench.authentik.actions import ACTIONS
from bench.authentik.api import PREFIX, Api
from bench.authentik.calls import Answer
from bench.authentik.context import Context
from bench.authentik.factor_api import FACTORS
from bench.authentik.grants import Grants
from bench.authentik.info import INFO
from bench.authentik.outpost import Outpost
from bench.authentik.outpost_api import OUTPOST_API
from bench.authentik.pages import NOT_FOUND_PAGE
from bench.authentik.policies import NotEmulatedError
from bench.authentik.proxies import TrustedProxies
from bench.authentik.records import Records
from bench.authentik.sessions import Sessions
from bench.authentik.settings import Settings
from bench.authentik.store import Store, StoreUnavailableError
from bench.authentik.views import VIEWS

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
ORDER = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
STARTING = {"error": "authentik starting"}


class Server:
    """One emulated server. `backend_ready` turns true once the state can be used; until then everything is 503."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store, self.settings = store, settings
        self.api = Api(store, settings, {**ACTIONS, **INFO, **VIEWS, **OUTPOST_API, **FACTORS})
        self.started = time.monotonic()
        self._prepared = False

    def available(self) -> bool:
        """Whether the server serves: its start has passed and the database is there with its tables."""
        if time.monotonic() - self.started < self.settings.ready_after:
            return False
        try:
            if not self._prepared:
                self.prepare()
            with self.store.reading():
                return True
        except StoreUnavailableError:
            return False

    def prepare(self) -> None:
        """What each start of the server does to the state."""
        if self.store.backend is not None:
            self.store.backend.migrate()
        with self.store.writing():
            context = Context(self.api.line, self.store)
            defaults.install(context)
            if self.store.get("_meta", "bootstrapped") is not None:
                defaults.embedded_outpost(context)
        self._prepared = True

    def saml_provider(self, slug: str) -> object:
        """The pk of the SAML provider of an application, None if it has none."""
        with self.store.reading():
            application = self.store.find("/core/applications/", slug=slug)
            pk = application["provider"] if application else None
            return pk if self.store.get("/providers/saml/", pk) else None

    def handle(self, request: Request, body: bytes) -> Answer:
        """One API request."""
        if not self.available():
            return Answer(503, STARTING, headers={"Retry-After": "5"})
        headers = {name.lower(): value for name, value in request.headers.items()}
        path = path_of(request)
        try:
            return self.api.handle(request.method, path, request.url.query, headers, body, base_url(request))
        except StoreUnavailableError:
            return Answer(502, {"error": "authentik backend failed"})

    def allowed(self, request: Request) -> dict[str, str]:
        """The header that tells which methods an API's endpoint has."""
        found = self.api.find(path_of(request))
        if found is None:
            return {}
        methods = self.api.line.paths[found[0]]
        return {
            "allow": ", ".join(
                m for m in ORDER if m in methods or (m == "HEAD" and "GET" in methods) or m == "OPTIONS"
            )
        }


def path_of(request: Request) -> str:
    """An API request's path below the prefix, as it was sent."""
    path = request.scope["raw_path"].decode("latin-1").partition("?")[0]
    return str(path).removeprefix(PREFIX)


def base_url(request: Request) -> str:
    """The address that the client used, as a proxy in front passes it on."""
    scheme = request.headers.get("x-forwarded-proto", request.url.scheme)
    return f"{scheme}://{request.headers.get('x-forwarded-host') or request.headers.get('host', 'localhost')}"


def build(server: Server, more: list[BaseRoute] | None = None) -> Starlette:
    """The application; `more` routes come first, in place of those that browsers and apps use."""

    sessions = Sessions(server.settings.secret_key)
    context = Context(server.api.line, server.store)
    grants = Grants(context)
    records = Records(sessions, grants)
    server.api.actions |= records.actions()
    server.api.after_write = records.written

    async def api(request: Request) -> Response:
        body = await request.body()
        answer = await run_in_threadpool(server.handle, request, body)
        headers = {**server.allowed(request), **answer.headers}
        response = Response(answer.payload(), answer.status, headers, answer.type)
        return sessions.renew(request, response)

    async def live(_request: Request) -> Response:
        return Response(media_type="text/html")

    async def ready(_request: Request) -> Response:
        if await run_in_threadpool(server.available):
            return Response(media_type="text/html")
        return JSONResponse(STARTING, 503, {"Retry-After": "5"})

    async def saml_metadata(request: Request) -> Response:
        pk = await run_in_threadpool(server.saml_provider, request.path_params["slug"])
        if pk is None:
            return Response(NOT_FOUND_PAGE, 404, media_type="text/html")
        target = f"{PREFIX}/providers/saml/{pk}/metadata/?download"
        return Response(status_code=302, headers={"location": target}, media_type="text/html")

    async def not_found(_request: Request, _error: Exception) -> Response:
        return Response(NOT_FOUND_PAGE, 404, media_type="text/html")

    routes: list[BaseRoute] = [
        *(web.routes(context, sessions, grants) if more is None else more),
        Route("/application/saml/{slug}/metadata/", saml_metadata),
        Route("/-/health/live/", live),
        Route("/-/health/ready/", ready),
        Route(PREFIX + "/{path:path}", api, methods=METHODS),
    ]

    async def not_emulated(_request: Request, error: Exception) -> Response:
        return JSONResponse({"detail": str(error)}, 501)

    handlers: dict[Any, Any] = {404: not_found, NotEmulatedError: not_emulated}
    middleware: list[Middleware] = []
    if server.api.line.name == "2026.8":
        middleware.append(Middleware(TrustedProxies, networks=server.settings.trusted_proxies))
    if more is None:
        middleware.append(Middleware(Outpost, context=context))
    return Starlette(routes=routes, exception_handlers=handlers, middleware=middleware)
