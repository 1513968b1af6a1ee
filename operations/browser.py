"""A browser without a face: follows redirects, answers the challenges of authentik's flows, tells
refusals apart.

authentik's side is as recorded from 2026.2: a refusal by policy is an HTML page with status 200, a good
answer to a challenge is a redirect of the flow executor to itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

STEPS = 40
"""Requests after which a login counts as going round in circles; a plain one takes about ten."""


class Where(StrEnum):
    """How far a login came."""

    REACH = "reach"
    REQUEST = "request"
    LOGIN = "login"
    IDENTITY = "identity"
    FACTOR = "factor"
    POLICY = "policy"
    TOKENS = "tokens"
    APP = "app"
    DONE = "done"


class LoginError(Exception):
    """Where a login ended, and why."""

    def __init__(self, where: Where, why: str) -> None:
        super().__init__(why)
        self.where = where


class Browser:
    """Follows redirects, answers challenges, keeps cookies. Stops at `stop_at`, which is not requested."""

    def __init__(self, http: httpx.Client, username: str, password: str, stop_at: str | None = None) -> None:
        self.http = http
        self.username = username
        self.password = password
        self.stop_at = stop_at
        self.answered: set[str] = set()
        self.left = STEPS

    def follow(self, url: str) -> httpx.Response | str:
        """Follow from `url` on until a page is shown (returned), or the redirect URI is reached (its URL)."""
        while True:
            if (
                self.stop_at
                and url.split("?", maxsplit=1)[0].split("#", maxsplit=1)[0] == self.stop_at.split("?")[0]
            ):
                return url
            flow = re.search(r"/if/flow/([^/]+)/$", urlsplit(url).path)
            if flow:
                url = self.run_flow(url, flow[1])
                continue
            answer = self._send("GET", url)
            if answer.is_redirect:
                url = urljoin(url, answer.headers["location"])
                continue
            self._refusals(answer)
            return answer

    def run_flow(self, page_url: str, slug: str) -> str:
        """Answer the challenges of a flow as its page in a browser would; returns where it leads."""
        executor = urljoin(page_url, f"/api/v3/flows/executor/{slug}/")
        url = str(httpx.URL(executor, params={"query": urlsplit(page_url).query}))
        answer = self._send("GET", url)
        while True:
            if answer.is_redirect:
                answer = self._send("GET", urljoin(url, answer.headers["location"]))
                continue
            if answer.status_code == 404:
                raise LoginError(Where.REQUEST, f"authentik has no flow called {slug!r}.")
            challenge = _challenge(answer)
            if challenge.get("component") == "xak-flow-redirect":
                return urljoin(page_url, str(challenge["to"]))
            answer = self._send("POST", url, json=self._answer(challenge))

    def _answer(self, challenge: dict[str, Any]) -> dict[str, Any]:
        component = str(challenge.get("component"))
        errors = challenge.get("response_errors")
        if errors:
            raise LoginError(Where.IDENTITY, f"authentik does not take {self.username!r}: {_words(errors)}.")
        given: dict[str, Any] = {"component": component}
        match component:
            case "ak-stage-identification":
                self._once(component)
                given["uid_field"] = self.username
                if not challenge.get("user_fields"):
                    raise LoginError(
                        Where.IDENTITY, "The login flow offers other sources only, no user name."
                    )
                if challenge.get("password_fields"):
                    given["password"] = self.password
            case "ak-stage-password":
                self._once(component)
                given["password"] = self.password
            case "ak-stage-consent":
                given["token"] = challenge.get("token", "")
            case "ak-stage-user-login":
                given["remember_me"] = False
            case "ak-stage-access-denied":
                told = challenge.get("error_message") or "no reason is given"
                raise LoginError(Where.POLICY, f"authentik's flow turns {self.username!r} away: {told}")
            case "xak-flow-error":
                told = challenge.get("error") or f"request {challenge.get('request_id')}"
                raise LoginError(Where.IDENTITY, f"authentik's flow fails: {told}")
            case _ if component.startswith("ak-stage-authenticator"):
                raise LoginError(
                    Where.FACTOR,
                    f"{self.username!r} is asked for a second factor ({component}), which only a person has."
                    " Check with somebody who has none.",
                )
            case _:
                raise LoginError(Where.IDENTITY, f"The flow asks for something unknown here: {component}.")
        return given

    def _once(self, component: str) -> None:
        if component in self.answered:
            raise LoginError(
                Where.IDENTITY, f"authentik asks {self.username!r} for the same again: {component}."
            )
        self.answered.add(component)

    def _refusals(self, answer: httpx.Response) -> None:
        """Pages that mean a refusal, whatever their status."""
        place = urlsplit(str(answer.request.url))
        if "/application/o/authorize" not in place.path:
            return
        asked = {key: values[0] for key, values in parse_qs(place.query).items()}
        if answer.status_code == 200 and "Permission denied" in answer.text:
            raise LoginError(
                Where.POLICY,
                f"authentik knows {self.username!r} and does not let them into this app (permission denied):"
                " none of the groups and policies bound to it fits.",
            )
        if answer.status_code in (400, 404):
            raise LoginError(
                Where.REQUEST,
                f"authentik refuses the app's request ({answer.status_code}): it knows no client"
                f" {asked.get('client_id')!r} with the redirect URI {asked.get('redirect_uri')!r}. {excerpt(answer)}",
            )
        raise LoginError(
            Where.REQUEST, f"authentik's authorize page answers {answer.status_code}: {excerpt(answer)}"
        )

    def _send(self, method: str, url: str, **request: Any) -> httpx.Response:
        self.left -= 1
        if self.left < 0:
            raise LoginError(Where.APP, f"The login goes round in circles, at last at {urlsplit(url).path}.")
        headers = {"Accept": "application/json"} if "/api/v3/" in url else {"Accept": "text/html,*/*"}
        csrf = next(
            (cookie.value for cookie in self.http.cookies.jar if cookie.name == "authentik_csrf"), None
        )
        if csrf and method == "POST":
            headers["X-authentik-CSRF"] = csrf
        answer = self.http.request(method, url, headers=headers, **request)
        if answer.status_code in (502, 503, 504):
            host = answer.request.url.host
            raise LoginError(
                Where.REACH, f"{host} answers {answer.status_code}: what is behind it is not up (yet)."
            )
        return answer


def _challenge(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if answer.is_error or not isinstance(found, dict):
        path = answer.request.url.path
        raise LoginError(
            Where.IDENTITY, f"The flow at {path} answers {answer.status_code}: {excerpt(answer)}"
        )
    return found


def _words(errors: Mapping[str, Any]) -> str:
    texts = [str(one.get("string", one)) for found in errors.values() for one in found]
    hint = " (wrong, or the person is unknown or not active)" if "password" in errors else ""
    return ", ".join(texts) + hint


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        del attrs
        self.hidden += tag in ("script", "style", "head")

    def handle_endtag(self, tag: str) -> None:
        self.hidden -= tag in ("script", "style", "head")

    def handle_data(self, data: str) -> None:
        if self.hidden <= 0:
            self.words += data.split()


def excerpt(answer: httpx.Response) -> str:
    """The visible words of a page, or the beginning of anything else, in one line."""
    if "html" not in answer.headers.get("content-type", ""):
        return " ".join(answer.text.split())[:200]
    parser = _Text()
    parser.feed(answer.text)
    return " ".join(parser.words)[:200] or "a page without words"
