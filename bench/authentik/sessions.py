"""Browser sessions of the emulator: a cookie, who is logged in, and the flow that is under way."""

from __future__ import annotations

import hashlib
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any, Literal, NamedTuple

from joserfc import jwk, jwt
from joserfc.errors import JoseError
from starlette.requests import Request
from starlette.responses import Response

from bench.authentik import crypto
from bench.authentik.computed import uid
from bench.authentik.context import USERS, Context
from bench.authentik.store import Data, Store

COOKIE, CSRF, DEVICE = "authentik_session", "authentik_csrf", "authentik_device"
CSRF_SECONDS, DEVICE_SECONDS = 31_449_600, 2_592_000
DAY = 86_400


class Step(NamedTuple):
    """A stage of a plan: its kind and pk, and the binding that put it there ("" for a stage that none did)."""

    kind: str
    pk: str = ""
    binding: str = ""


@dataclass
class Plan:
    """A flow under way: its stages that are left, whom it is about, and where it leads.

    `target` is the address that the browser asked for ("" if none); `finish` is called at the end for an address that
    has to be made then, such as one with a code in it. `permissions` are what a consent is asked for. `query`: what the
    page's address says; `origin`: the site that the browser sees; `token`: the key of the link that led into the middle
    of the flow; `challenge`: what a device was asked last; `context`: what policies see of it.
    """

    flow: str
    stages: list[Step]
    target: str = ""
    pending: str | None = None
    finish: Callable[[], str] | None = None
    permissions: list[dict[str, str]] = field(default_factory=list)
    consent: str = ""
    answered: Step | None = None
    """The stage that was answered last."""
    consented: str | None = None
    """The application for which a consent was just given, until it is kept."""
    query: Mapping[str, str] = field(default_factory=dict)
    origin: str = ""
    token: str = ""
    challenge: str = ""
    context: dict[str, Any] = field(default_factory=dict)


@dataclass
class Session:
    """One browser. `proof` is the password's hash at login: with another password the session is over. `seconds`: how
    long the cookie lasts, None for as long as the browser.
    """

    key: str = field(default_factory=lambda: secrets.token_hex(16))
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    user: str | None = None
    subject: str = "anonymous"
    proof: object = None
    since: int = 0
    seconds: int | None = None
    plan: Plan | None = None
    fresh: bool = False

    def log_in(self, context: Context, user: Data, seconds: int = 0) -> None:
        """The person has proved who they are; the session gets a new key, so that an old cookie is worth nothing.

        `seconds`: how long it lasts; with 0 as long as the browser, and a day at most.
        """
        self.user, self.subject, self.proof = str(user["pk"]), uid(context, user), user["_password"]
        self.since, self.key, self.fresh = int(time.time()), secrets.token_hex(16), True
        self.seconds = seconds or None

    def log_out(self) -> None:
        """Nobody is logged in any more."""
        self.user, self.subject, self.proof = None, "anonymous", None

    @property
    def ends(self) -> float:
        """When it is over, whatever the browser does."""
        return self.since + (self.seconds or DAY)

    @property
    def sid(self) -> str:
        """The `sid` claim of tokens that are issued in this session."""
        return hashlib.sha256(self.key.encode()).hexdigest()


class Sessions:
    """All sessions of this process. A cookie is a JWT signed with the secret key: with another key, sessions end."""

    def __init__(self, secret_key: str) -> None:
        self._sessions: dict[str, Session] = {}
        self._key = jwk.OctKey.import_key(hashlib.sha512(secret_key.encode()).hexdigest())

    def of(self, request: Request) -> Session:
        """The request's session, or a new one."""
        return self.known(request.cookies.get(COOKIE, "")) or Session()

    def known(self, cookie: str) -> Session | None:
        """The session of a cookie's value."""
        return self._sessions.get(self.key_of(cookie))

    def all(self) -> list[Session]:
        """All of them."""
        return list(self._sessions.values())

    def end(self, wanted: Callable[[Session], bool]) -> list[Session]:
        """End the sessions that are wanted; which they were."""
        ended = [session for session in self.all() if wanted(session)]
        for session in ended:
            self._sessions.pop(session.key, None)
        return ended

    def key_of(self, cookie: str) -> str:
        """The session's key in a cookie's value; "" for what this server did not sign."""
        try:
            return str(jwt.decode(cookie, self._key, ["HS256"]).claims.get("sid"))
        except (JoseError, ValueError):
            return ""

    def user(self, store: Store, session: Session | None) -> Data | None:
        """Who is logged in: a person who is active and has the same password as at the login."""
        user = store.get(USERS, session.user) if session and session.user else None
        if user is None or session is None or not user.get("is_active", True):
            return None
        return user if session.ends > time.time() and user["_password"] == session.proof else None

    def user_of(self, store: Store, headers: Mapping[str, str]) -> Data | None:
        """Who calls the REST API with a session's cookie."""
        cookie: SimpleCookie = SimpleCookie(headers.get("cookie", ""))
        return self.user(store, self.known(cookie[COOKIE].value)) if COOKIE in cookie else None

    def renew(self, request: Request, response: Response) -> Response:
        """Give an API client that came with a session its cookie again, as authentik does."""
        session = self.known(request.cookies.get(COOKIE, ""))
        if session is None or not session.user or "authorization" in request.headers:
            return response
        return self.keep(session, request, response)

    def keep(self, session: Session, request: Request, response: Response) -> Response:
        """Remember the session and put its cookie on the response; after a login also the device's and CSRF's."""
        self._sessions.pop(self.key_of(request.cookies.get(COOKIE, "")), None)
        self._sessions[session.key] = session
        secure = origin(request).startswith("https:")
        if session.fresh:
            device = {"sub": session.subject, "exp": time.time() + DEVICE_SECONDS}
            for name, value, seconds in (
                (DEVICE, self.signed(device), DEVICE_SECONDS),
                (CSRF, crypto.random_text(32), CSRF_SECONDS),
            ):
                response.set_cookie(name, value, seconds, seconds, secure=secure, samesite="lax")
            session.fresh = False
        payload = {
            "sid": session.key,
            "iss": "authentik",
            "sub": session.subject,
            "authenticated": session.user is not None,
            "acr": "goauthentik.io/core/default",
        }
        # Embedded pages need it over HTTPS, and browsers take None only there.
        same: Literal["none", "lax"] = "none" if secure else "lax"
        lasts = session.seconds if session.user else None
        response.set_cookie(
            COOKIE, self.signed(payload), lasts, lasts, secure=secure, httponly=True, samesite=same
        )
        return response

    def signed(self, payload: dict[str, Any]) -> str:
        """A cookie's value."""
        return jwt.encode({"alg": "HS256", "typ": "JWT"}, payload, self._key)


def origin(request: Request) -> str:
    """The address by which the browser knows this server, from the proxy's headers if there is a proxy."""
    headers = request.headers
    scheme = headers.get("x-forwarded-proto", request.url.scheme)
    host = headers.get("x-forwarded-host") or headers.get("host") or "localhost"
    return f"{scheme}://{host}"


def page(title: str = "", text: str = "", status: int = 200) -> Response:
    """A page of HTML with the title that a browser would show."""
    shown = f"{title} - authentik" if title else "authentik"
    body = f"<!DOCTYPE html>\n<html><head><title>\n{shown}\n</title></head><body>{text}</body></html>"
    return Response(body, status, media_type="text/html")
