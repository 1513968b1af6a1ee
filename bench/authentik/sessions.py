"""Browser sessions of the emulator: a cookie, who is logged in, and the flow that is under way."""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from bench.authentik.store import Data, Store

COOKIE = "authentik_session"


@dataclass
class Plan:
    """A flow under way: its stages that are left, whom it is about, and where it leads."""

    flow: str
    stages: list[tuple[str, str]]
    target: str
    pending: str | None = None
    sent_redirect: bool = False


@dataclass
class Session:
    """One browser."""

    key: str = field(default_factory=lambda: secrets.token_hex(16))
    user: str | None = None
    since: int = 0
    plan: Plan | None = None
    consented: set[str] = field(default_factory=set)

    def log_in(self, user: str) -> None:
        """The person has proved who they are; the session gets a new key, so that an old cookie is worth nothing."""
        self.user, self.since, self.key = user, int(time.time()), secrets.token_hex(16)


class Sessions:
    """All sessions of this process. They end with it, as they do when the secret key changes."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}

    def of(self, request: Request) -> Session:
        """The request's session, or a new one."""
        return self._sessions.get(request.cookies.get(COOKIE, "")) or Session()

    def user_of(self, store: Store, headers: Mapping[str, str]) -> Data | None:
        """Who calls the REST API with a session's cookie."""
        cookie: SimpleCookie = SimpleCookie(headers.get("cookie", ""))
        session = self._sessions.get(cookie[COOKIE].value) if COOKIE in cookie else None
        return store.get("/core/users/", session.user) if session and session.user else None

    def keep(self, session: Session, request: Request, response: Response) -> Response:
        """Remember the session and put its cookie on the response."""
        old = request.cookies.get(COOKIE)
        if old and old != session.key:
            self._sessions.pop(old, None)
        self._sessions[session.key] = session
        secure = request.headers.get("x-forwarded-proto", request.url.scheme) == "https"
        response.set_cookie(COOKIE, session.key, httponly=True, samesite="lax", path="/", secure=secure)
        return response


def origin(request: Request) -> str:
    """The address by which the browser knows this server, from the proxy's headers if there is a proxy."""
    headers = request.headers
    scheme = headers.get("x-forwarded-proto", request.url.scheme)
    host = headers.get("x-forwarded-host") or headers.get("host") or "localhost"
    return f"{scheme}://{host}"


def page(title: str, text: str = "", status: int = 200) -> Response:
    """A page of HTML with the title that a browser would show."""
    body = f"<!DOCTYPE html>\n<html><head><title>\n{title} - authentik\n</title></head><body>{text}</body></html>"
    return Response(body, status, media_type="text/html")


def user_ref(user: Any) -> str:
    """How a session names a person."""
    return str(user["pk"])
