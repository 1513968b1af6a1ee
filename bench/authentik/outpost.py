"""The embedded outpost: authentik's proxy in front of apps that have no login of their own.

As `internal/outpost/proxyv2` does it: an app is told apart by the host that is asked for. Somebody without a session of
the outpost's own is sent to its start, from there to authentik as to any OpenID provider, and with the code back to the
callback; a session is not looked at again until it ends. In the forward modes a web server asks about each request.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bench.authentik.context import APPLICATIONS, OUTPOSTS, PROXY, Context
from bench.authentik.defaults import EMBEDDED
from bench.authentik.sessions import origin, page
from bench.authentik.store import Data, StoreUnavailableError
from bench.authentik.tokens import mappings

PREFIX = "/outpost.goauthentik.io"
COOKIE = "authentik_proxy"
HOP = {
    "connection",
    "keep-alive",
    "transfer-encoding",
    "upgrade",
    "content-encoding",
    "content-length",
    "host",
}
FORWARDED = {"auth/nginx", "auth/traefik", "auth/caddy", "auth/envoy"}


@dataclass(frozen=True)
class App:
    """An app behind the outpost."""

    provider: Data
    slug: str
    scopes: list[str]
    host: str
    """How browsers reach authentik."""

    @property
    def external(self) -> str:
        """The app's own address."""
        return str(self.provider["external_host"]).rstrip("/")

    @property
    def callback(self) -> str:
        """Where authentik sends the code."""
        return f"{self.external}{PREFIX}/callback?X-authentik-auth-callback=true"

    def is_open(self, path: str) -> bool:
        """Whether everybody may reach this path."""
        lines = str(self.provider.get("skip_path_regex") or "").split("\n")
        return any(re.search(line, path) for line in lines if line.strip())


@dataclass
class Visit:
    """A browser at one app: logins that are under way (state -> where they lead) and who it is."""

    states: dict[str, str] = field(default_factory=dict)
    claims: dict[str, Any] = field(default_factory=dict)


class Outpost:
    """ASGI middleware: answers for the apps' hosts, and leaves everything else to authentik."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self.app, self.context, self.store = app, context, context.store
        self.visits: dict[tuple[str, str], Visit] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request to whom it is for."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        request = Request(scope, receive)
        app = await run_in_threadpool(self.find, request)
        inside = request.url.path.startswith(PREFIX)
        if app is None or not (inside or app.provider["mode"] == "proxy"):
            if request.url.path == f"{PREFIX}/ping":
                return await Response(None, 204)(scope, receive, send)
            return await self.app(scope, receive, send)
        response = await self.answer(request, app)
        return await response(scope, receive, send)

    def find(self, request: Request) -> App | None:
        """The app that is asked for: by the host, or by what a web server says that it was asked for."""
        try:
            with self.store.reading():
                outpost = self.store.find(OUTPOSTS, managed=EMBEDDED)
                for pk in outpost["providers"] if outpost else []:
                    provider = self.store.get(PROXY, pk)
                    if provider is None or not self.serves(provider, asked_for(request)):
                        continue
                    application = self.store.find(APPLICATIONS, provider=pk)
                    if application is not None:
                        scopes = [str(each["scope_name"]) for each in mappings(self.context, provider)]
                        host = str((outpost or {})["config"].get("authentik_host") or origin(request))
                        return App(provider, str(application["slug"]), scopes, host.rstrip("/"))
        except StoreUnavailableError:
            pass
        return None

    def serves(self, provider: Data, host: str) -> bool:
        """Whether a provider is for a host: its own, or any below its cookie's domain."""
        if urlsplit(str(provider["external_host"])).netloc == host:
            return True
        domain = str(provider.get("cookie_domain") or "").lstrip(".")
        below = host == domain or host.endswith(f".{domain}")
        return bool(provider["mode"] == "forward_domain" and domain and below)

    async def answer(self, request: Request, app: App) -> Response:
        """One request for an app."""
        cookie = request.cookies.get(COOKIE, "")
        visit = self.visits.get((app.slug, cookie))
        path = (
            request.url.path.removeprefix(PREFIX).strip("/") if request.url.path.startswith(PREFIX) else None
        )
        if path == "ping":
            return Response(None, 204)
        if path == "start":
            return self.start(request, app, visit, cookie)
        if path == "callback":
            return await self.callback(request, app, visit)
        if path == "sign_out":
            self.visits.pop((app.slug, cookie), None)
            return RedirectResponse(f"{app.host}/application/o/{app.slug}/end-session/", 302)
        claims = visit.claims if visit and visit.claims.get("exp", 0) > time.time() else {}
        if path in FORWARDED:
            return self.forwarded(request, app, claims, path)
        if not claims and not app.is_open(request.url.path):
            return self.to_start(request, app, f"{app.external}{request.url.path}")
        return await self.upstream(request, app, claims)

    def to_start(self, request: Request, app: App, back: str) -> Response:
        """To the beginning of a login; a client that came with credentials gets a refusal instead."""
        if "authorization" in request.headers and app.provider.get("intercept_header_auth", True):
            return page("Unauthenticated", status=401)
        return RedirectResponse(f"{app.external}{PREFIX}/start?{urlencode({'rd': back})}", 302)

    def start(self, request: Request, app: App, visit: Visit | None, cookie: str) -> Response:
        """To authentik, with a state that leads back to where the browser wanted."""
        if visit is None:
            cookie, visit = secrets.token_urlsafe(32), Visit()
            self.visits[app.slug, cookie] = visit
        wanted = request.query_params.get("rd", "")
        state = secrets.token_urlsafe(32)
        visit.states[state] = wanted if wanted.startswith(app.external) else app.external
        query = {
            "client_id": app.provider["client_id"],
            "redirect_uri": app.callback,
            "response_type": "code",
            "scope": " ".join(app.scopes),
            "state": state,
        }
        response = RedirectResponse(f"{app.host}/application/o/authorize/?{urlencode(query)}", 302)
        response.set_cookie(
            COOKIE, cookie, secure=app.external.startswith("https:"), httponly=True, samesite="lax"
        )
        return response

    async def callback(self, request: Request, app: App, visit: Visit | None) -> Response:
        """Take the code for tokens, and go where the browser wanted."""
        back = visit.states.pop(request.query_params.get("state", ""), None) if visit else None
        if visit is None or back is None:
            return Response(None, 400)
        form = {
            "grant_type": "authorization_code",
            "code": request.query_params.get("code", ""),
            "redirect_uri": app.callback,
            "client_id": app.provider["client_id"],
            "client_secret": app.provider["client_secret"],
        }
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app), base_url=app.host
        ) as authentik:
            answer = await authentik.post("/application/o/token/", data=form)
        if answer.is_success:
            told = answer.json()["access_token"].split(".")[1]
            visit.claims = json.loads(base64.urlsafe_b64decode(told + "=="))
        return RedirectResponse(back, 302)

    def forwarded(self, request: Request, app: App, claims: dict[str, Any], path: str) -> Response:
        """What a web server is told about a request that it has got: nginx wants a status, others a redirect."""
        asked = urlsplit(
            request.headers.get("x-original-url") or request.headers.get("x-forwarded-uri") or "/"
        )
        if claims or app.is_open(asked.path):
            return Response(None, 200, headers(app, claims) if claims else {})
        if path == "auth/nginx":
            return Response(None, 401)
        return self.to_start(request, app, f"{app.external}{asked.path}")

    async def upstream(self, request: Request, app: App, claims: dict[str, Any]) -> Response:
        """The app's own answer; it is told who asks."""
        told = {name: value for name, value in request.headers.items() if name not in HOP}
        if claims:
            told |= {name.lower(): value for name, value in headers(app, claims).items()}
        inside = str(app.provider["internal_host"]).rstrip("/")
        query = f"?{request.url.query}" if request.url.query else ""
        checked = bool(app.provider.get("internal_host_ssl_validation", True))
        try:
            async with httpx.AsyncClient(verify=checked, timeout=30, trust_env=False) as http:
                found = await http.request(
                    request.method,
                    f"{inside}{request.url.path}{query}",
                    headers={**told, "host": request.headers["host"]},
                    content=await request.body(),
                )
        except httpx.HTTPError:
            return page("Bad Gateway", "Error proxying to upstream server", 502)
        kept = {name: value for name, value in found.headers.items() if name not in HOP}
        return Response(found.content, found.status_code, kept)


def asked_for(request: Request) -> str:
    """The host that a browser asked for. A web server that asks about a request names it in a header."""
    if request.url.path.startswith(f"{PREFIX}/auth/") and (url := request.headers.get("x-original-url")):
        return urlsplit(url).netloc
    return request.headers.get("x-forwarded-host") or request.headers.get("host", "")


def headers(app: App, claims: dict[str, Any]) -> dict[str, str]:
    """What the app is told of the person."""
    told = {
        "X-authentik-username": claims.get("preferred_username", ""),
        "X-authentik-groups": "|".join(claims.get("groups", [])),
        "X-authentik-entitlements": "|".join(claims.get("entitlements", [])),
        "X-authentik-email": claims.get("email", ""),
        "X-authentik-name": claims.get("name", ""),
        "X-authentik-uid": claims["sub"],
        "X-authentik-meta-app": app.slug,
        "X-authentik-meta-provider": str(app.provider["name"]),
    }
    attributes = dict(claims.get("ak_proxy", {}).get("user_attributes", {}))
    if app.provider.get("basic_auth_enabled"):
        name = attributes.get(app.provider["basic_auth_user_attribute"], claims.get("email", ""))
        word = attributes.get(app.provider["basic_auth_password_attribute"], "")
        told["Authorization"] = "Basic " + base64.b64encode(f"{name}:{word}".encode()).decode()
    return told
