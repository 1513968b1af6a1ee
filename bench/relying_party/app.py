"""The app's pages."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from bench.relying_party.client import Attempt, Client, RefusedError

T = TypeVar("T")

COOKIE = "whoami_session"
REMEMBERED = 1000
"""Browsers remembered; the ones seen first are forgotten first."""


class Pages:
    """The pages and what is known of each browser."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.attempts: OrderedDict[str, Attempt] = OrderedDict()
        self.people: OrderedDict[str, dict[str, Any]] = OrderedDict()

    async def home(self, request: Request) -> Response:
        """`/`: who is logged in; else a login begins."""
        if request.cookies.get(COOKIE) in self.people:
            return RedirectResponse("/me", 302)
        return await self.login(request)

    async def login(self, request: Request) -> Response:
        """Send the browser to the provider."""
        browser = request.cookies.get(COOKIE) or secrets.token_urlsafe(24)
        attempt = _remember(self.attempts, browser, Attempt())
        try:
            response = RedirectResponse(await self.client.authorize_url(attempt), 302)
        except RefusedError as why:
            return _error(502, str(why))
        secure = self.client.redirect_uri.startswith("https:")
        response.set_cookie(COOKIE, browser, httponly=True, samesite="lax", secure=secure)
        return response

    async def callback(self, request: Request) -> Response:
        """The redirect URI: a code, an error, or (as at Grafana's) the wish to log in."""
        query = request.query_params
        if "error" in query:
            return _error(403, f"{query['error']}: {query.get('error_description', '')}")
        if "code" not in query:
            return await self.home(request)
        browser = request.cookies.get(COOKIE, "")
        attempt = self.attempts.pop(browser, None)
        if attempt is None:
            return _error(400, "no login was begun in this browser")
        if not secrets.compare_digest(query.get("state", ""), attempt.state):
            return _error(400, "the state is not the one that was sent")
        try:
            claims = await self.client.claims(attempt, query["code"])
        except RefusedError as why:
            return _error(403, str(why))
        _remember(self.people, browser, claims)
        return RedirectResponse("/me", 302)

    async def me(self, request: Request) -> Response:
        """`/me`: the claims of whoever is logged in."""
        claims = self.people.get(request.cookies.get(COOKIE, ""))
        return JSONResponse(claims) if claims else _error(401, "nobody is logged in")

    async def logout(self, request: Request) -> Response:
        """`/logout`: forget the browser here; the provider still knows it."""
        self.people.pop(request.cookies.get(COOKIE, ""), None)
        return JSONResponse({"logged_out": True})

    async def whoami(self, request: Request) -> Response:
        """`/whoami`: the request's headers, for an app that leaves the login to a proxy in front of it."""
        return JSONResponse({"headers": dict(request.headers)})

    async def health(self, _: Request) -> Response:
        """`/health`."""
        return JSONResponse({"status": "ok"})


def build(client: Client) -> Starlette:
    """The app."""
    pages = Pages(client)
    return Starlette(
        routes=[
            Route(client.callback_path, pages.callback),
            Route("/", pages.home),
            Route("/login", pages.login),
            Route("/me", pages.me),
            Route("/logout", pages.logout),
            Route("/whoami", pages.whoami),
            Route("/health", pages.health),
        ]
    )


def _remember(known: OrderedDict[str, T], key: str, value: T) -> T:
    known[key] = value
    while len(known) > REMEMBERED:
        known.popitem(last=False)
    return value


def _error(status: int, why: str) -> Response:
    return JSONResponse({"error": why}, status)
