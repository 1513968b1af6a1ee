"""Somebody at work, with everything that a person can have at authentik, and whether it still works."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from bench.security_key import SecurityKey
from bench.tests.authentik.browser import CONTEXT, Browser

CALLBACK = "https://{}.acme.example/cb"
SCOPES = "openid email profile offline_access"
LOGIN = "/if/flow/default-authentication-flow/?next=%2F"
SET_UP_KEY = "/if/flow/default-authenticator-webauthn-setup/?next=%2F"


@dataclass
class Belongings:
    """Of one person at one authentik. `apps`: slug -> (client id, secret)."""

    url: str
    admin: httpx.Client
    username: str
    password: str
    apps: dict[str, tuple[str, str]]
    pk: int = 0
    sessions: list[Browser] = field(default_factory=list)
    refresh: dict[str, str] = field(default_factory=dict)
    access: dict[str, str] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    key: SecurityKey = field(default_factory=SecurityKey)
    http: httpx.Client = field(default_factory=lambda: httpx.Client(verify=CONTEXT))

    def collect(self, *, sessions: int = 2, security_key: bool = True) -> Belongings:
        """Log in, have each app be granted tokens, make an API token and an app password, and set up a key."""
        found = self.admin.get("/api/v3/core/users/", params={"username": self.username}).raise_for_status()
        self.pk = found.json()["results"][0]["pk"]
        for _ in range(sessions):
            browser = Browser(self.url, self.username, self.password)
            assert browser.flow(LOGIN)["component"] == "xak-flow-redirect"
            self.sessions.append(browser)
        for slug in self.apps:
            tokens = self.token(slug, grant_type="authorization_code", code=self.code(slug)).json()
            self.refresh[slug], self.access[slug] = tokens["refresh_token"], tokens["access_token"]
        self.code(next(iter(self.apps)))  # one that is not used
        for intent in ("api", "app_password"):
            name = f"{self.username}-{intent}-{secrets.token_hex(3)}"
            token = {"identifier": name, "intent": intent, "user": self.pk}
            self.admin.post("/api/v3/core/tokens/", json=token).raise_for_status()
            shown = self.admin.get(f"/api/v3/core/tokens/{name}/view_key/").raise_for_status()
            self.keys[intent] = shown.json()["key"]
        if security_key:
            self.set_up_key()
        return self

    def set_up_key(self) -> None:
        browser = self.sessions[0]
        asked = browser.flow(SET_UP_KEY)
        answer = {
            "component": asked["component"],
            "response": self.key.register(asked["registration"], self.url),
        }
        page = "/api/v3/flows/executor/default-authenticator-webauthn-setup/?query=next%3D%252F"
        browser.http.post(page, json=answer)
        assert self.left()["devices"] == 1

    def code(self, slug: str) -> str:
        query = {
            "client_id": self.apps[slug][0], "redirect_uri": CALLBACK.format(slug), "response_type": "code",
            "scope": SCOPES, "state": "s",
        }  # fmt: skip
        authorize = httpx.URL(f"{self.url}/application/o/authorize/", params=query)
        reached = self.sessions[0].visit(str(authorize))
        return parse_qs(urlsplit(reached).query)["code"][0]

    def token(self, slug: str, **form: str) -> httpx.Response:
        client, secret = self.apps[slug]
        known = {"client_id": client, "client_secret": secret, "redirect_uri": CALLBACK.format(slug)}
        return self.http.post(f"{self.url}/application/o/token/", data={**known, **form})

    def left(self) -> dict[str, int]:
        """How much there is of each kind."""
        lists = {
            "sessions": f"core/authenticated_sessions/?user__username={self.username}",
            "tokens": f"core/tokens/?user__username={self.username}",
            "access": f"oauth2/access_tokens/?user={self.pk}",
            "refresh": f"oauth2/refresh_tokens/?user={self.pk}",
            "codes": f"oauth2/authorization_codes/?user={self.pk}",
            "consents": f"core/user_consent/?user={self.pk}",
            "devices": f"authenticators/admin/all/?user={self.pk}",
        }
        answers = {
            name: self.admin.get(f"/api/v3/{path}").raise_for_status().json() for name, path in lists.items()
        }
        return {
            name: len(found if isinstance(found, list) else found["results"])
            for name, found in answers.items()
        }

    def works(self) -> dict[str, bool]:
        """Which ways in are open. Refresh tokens are used up by it, and come back new."""
        bearer = {"Authorization": f"Bearer {self.keys['api']}"}
        credentials = {"username": self.username, "password": self.keys["app_password"], "scope": SCOPES}
        ways = {
            "password": Browser(self.url, self.username, self.password).flow(LOGIN),
            "app password": Browser(self.url, self.username, self.keys["app_password"]).flow(LOGIN),
        }
        # A key that is asked for after the password means that the password was taken.
        found = {way: "response_errors" not in told for way, told in ways.items()}
        found["API token"] = self.http.get(f"{self.url}/api/v3/core/users/me/", headers=bearer).is_success
        for number, browser in enumerate(self.sessions):
            found[f"session {number}"] = browser.http.get("/api/v3/core/users/me/").is_success
        for slug in self.apps:
            exchanged = self.token(slug, grant_type="client_credentials", **credentials)
            found[f"app password at {slug}"] = exchanged.is_success
            found[f"access token of {slug}"] = self.userinfo(slug).is_success
            found[f"refresh token of {slug}"] = self.renew(slug)
        return found

    def userinfo(self, slug: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.access[slug]}"}
        return self.http.get(f"{self.url}/application/o/userinfo/", headers=headers)

    def renew(self, slug: str) -> bool:
        answer: Any = self.token(slug, grant_type="refresh_token", refresh_token=self.refresh[slug]).json()
        self.refresh[slug] = answer.get("refresh_token", self.refresh[slug])
        return "access_token" in answer
