"""`gatehouse login-check`: logs a person in the way a browser does, and says in words why it does not
work.

The way is app → authorize → flow executor → authorize → callback. With the app's client (`Client`) the
app itself is not needed: the code is exchanged and everything in it checked here. Without it the app's
own URL is opened and the app must take the person in.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx

from operations.browser import STEPS, Browser, LoginError, Where, excerpt
from operations.oidc import Client, ProviderError, RelyingParty

TIMEOUT = 30.0
"""Seconds for each request; the first page of a flow takes a second on a small server."""


@dataclass(frozen=True)
class LoginResult:
    """Whether the person is in; else where it ended and why, for the operator."""

    accepted: bool
    where: Where
    why: str = ""
    claims: Mapping[str, Any] = field(default_factory=dict)


def log_in(
    target: str | Client,
    username: str,
    password: str,
    *,
    verify: ssl.SSLContext | bool = True,
    transport: httpx.BaseTransport | None = None,
) -> LoginResult:
    """Log a person in at an app's URL, or at an app that is registered as `target`. Never raises for a
    refusal.

    `verify` is httpx's: False accepts any certificate. Passwords and codes appear in no result.
    """
    with _client(verify, transport) as http, _client(verify, transport) as backchannel:
        where = Where.REQUEST
        try:
            if isinstance(target, str):
                return _visit(Browser(http, username, password), target)
            app = RelyingParty(target, backchannel)
            answer = Browser(http, username, password, stop_at=target.redirect_uri).follow(
                app.authorize_url()
            )
            code = _code(answer, app.attempt.state)
            where = Where.TOKENS
            return LoginResult(accepted=True, where=Where.DONE, claims=app.claims(code))
        except LoginError as end:
            return LoginResult(accepted=False, where=end.where, why=str(end))
        except ProviderError as wrong:
            return LoginResult(accepted=False, where=where, why=str(wrong))
        except httpx.HTTPError as broken:
            return LoginResult(accepted=False, where=Where.REACH, why=_unreachable(broken))


def probe_login(
    url: str, *, verify: ssl.SSLContext | bool = True, transport: httpx.BaseTransport | None = None
) -> LoginResult:
    """Open an app as somebody without a session, whom it has to send to the login (`Where.LOGIN`). Never raises."""
    start = url
    try:
        with _client(verify, transport) as http:
            for _ in range(STEPS):
                answer = http.get(url, headers={"Accept": "text/html,*/*"})
                if not answer.is_redirect:
                    place = answer.request.url
                    if answer.is_success:
                        return LoginResult(accepted=True, where=Where.DONE)
                    why = f"{place.host} answers {answer.status_code} without a login: {excerpt(answer)}"
                    return LoginResult(accepted=False, where=Where.APP, why=why)
                url = urljoin(url, answer.headers["location"])
                if "/if/flow/" in urlsplit(url).path:
                    return LoginResult(accepted=False, where=Where.LOGIN, why="sent to the login")
    except httpx.HTTPError as broken:
        return LoginResult(accepted=False, where=Where.REACH, why=_unreachable(broken))
    return LoginResult(accepted=False, where=Where.APP, why=f"{start} goes round in circles")


def _client(verify: ssl.SSLContext | bool, transport: httpx.BaseTransport | None) -> httpx.Client:
    return httpx.Client(verify=verify, transport=transport, timeout=TIMEOUT, follow_redirects=False)


def _visit(browser: Browser, url: str) -> LoginResult:
    """Open an app and log in there."""
    page = browser.follow(url)
    assert isinstance(page, httpx.Response)
    place = page.request.url
    if page.is_error:
        why = f"{place.host} answers {page.status_code} after the login: {excerpt(page)}"
        raise LoginError(Where.APP, why)
    if not browser.answered:
        raise LoginError(Where.APP, f"{url} shows a page without asking anybody to log in.")
    kind = page.headers.get("content-type", "")
    claims = page.json() if kind.startswith("application/json") else {}
    return LoginResult(accepted=True, where=Where.DONE, claims=claims if isinstance(claims, dict) else {})


def _code(reached: httpx.Response | str, state: str) -> str:
    if not isinstance(reached, str):
        where = reached.request.url.copy_with(query=None)
        raise LoginError(Where.REQUEST, f"The login ends at {where} and does not return to the app.")
    told = dict(parse_qsl(urlsplit(reached).query))
    if "error" in told:
        hints = {
            # How authentik says it since 2026.5, and what RFC 6749 (4.1.2.1) would call it.
            "invalid_request": "the provider's grant types lack authorization_code, or the request is malformed",
            "unauthorized_client": "the provider's grant types lack authorization_code",
            "access_denied": "the person, or a policy, said no",
            "invalid_scope": "one of the scopes has no mapping at the provider",
        }
        words = hints.get(told["error"]) or told.get("error_description", "no reason is given")
        raise LoginError(Where.REQUEST, f"authentik sends the app an error ({told['error']}): {words}.")
    if told.get("state") != state:
        raise LoginError(Where.REQUEST, "The state that comes back is not the one that was sent.")
    if "code" not in told:
        raise LoginError(Where.REQUEST, "authentik sends the app neither a code nor an error.")
    return told["code"]


def _unreachable(broken: httpx.HTTPError) -> str:
    try:
        host = broken.request.url.host
    except RuntimeError:
        host = "the server"
    said = str(broken) or type(broken).__name__
    if "CERTIFICATE_VERIFY_FAILED" in said:
        return f"{host}'s certificate is not trusted on this machine: {said}"
    if "UNRECOGNIZED_NAME" in said or "unrecognized name" in said:
        return f"{host} is answered by a proxy that has no certificate for it: {said}"
    if "Name or service not known" in said or "No address" in said:
        return f"The name {host} does not resolve on this machine: {said}"
    if isinstance(broken, httpx.TimeoutException):
        return f"{host} does not answer within {TIMEOUT:.0f} seconds."
    return f"{host} can't be reached: {said}"
