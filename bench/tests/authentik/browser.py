"""A browser and an app, as far as a login with the emulator needs them."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from bench.security_key import SecurityKey
from bench.tests.authentik.conftest import Client

# Making one takes longer than most logins here; all clients share it.
CONTEXT = ssl.create_default_context()
FLOW = "default-authentication-flow"
PAGE = f"/if/flow/{FLOW}/?next=%2F"
VALIDATE, WEBAUTHN = "ak-stage-authenticator-validate", "ak-stage-authenticator-webauthn"
CALLBACK = "https://app.example.test/cb"
SECRET = "app-secret-0123"
PASSWORD = "alice-pass-0123"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")


class App:
    """An application with its provider at one emulator; its slug is its client id too."""

    def __init__(self, client: Client, slug: str, scopes: str = "openid email profile", **more: Any) -> None:
        self.client, self.slug = client, slug
        self.url = client.running.url
        self.http = httpx.Client(base_url=self.url + "/application/o", verify=CONTEXT)
        mappings = client("GET", "/propertymappings/provider/scope/", 200)["results"]
        keys = client("GET", "/crypto/certificatekeypairs/?name=authentik+Self-signed+Certificate", 200)
        chosen: dict[str, Any] = {
            "client_id": slug,
            "client_secret": SECRET,
            "redirect_uris": [{"matching_mode": "strict", "url": CALLBACK}],
            "property_mappings": [m["pk"] for m in mappings if m["scope_name"] in scopes.split()],
            "signing_key": keys["results"][0]["pk"],
            "grant_types": ["authorization_code", "refresh_token"],
            **more,
        }
        self.provider = client.provider(slug, **chosen)
        self.application = client(
            "POST", "/core/applications/", 201, name=slug, slug=slug, provider=self.provider["pk"]
        )

    def authorize(self, **more: str) -> str:
        """The address to which the app sends a browser."""
        query = {
            "client_id": self.slug,
            "redirect_uri": CALLBACK,
            "response_type": "code",
            "scope": "openid email profile",
            "state": "s",
            "nonce": "n",
            **more,
        }
        return str(httpx.URL(f"{self.url}/application/o/authorize/", params=query))

    def token(self, **form: str) -> httpx.Response:
        """What the token endpoint answers; `form` is what this grant needs beyond the client's credentials."""
        known = {"client_id": self.slug, "client_secret": SECRET, "redirect_uri": CALLBACK}
        return self.http.post("/token/", data={**known, **form})

    def exchange(self, code: str, **form: str) -> httpx.Response:
        """What the token endpoint answers to a code."""
        return self.token(grant_type="authorization_code", code=code, **form)


class Browser:
    """Cookies, and somebody who answers the challenges. `asked` are the components of all challenges so far."""

    def __init__(self, url: str, username: str = "alice", password: str = PASSWORD) -> None:
        self.http = httpx.Client(base_url=url, verify=CONTEXT)
        self.answers: dict[str, dict[str, str]] = {
            "ak-stage-identification": {"uid_field": username},
            "ak-stage-password": {"password": password},
        }
        self.asked: list[str] = []

    def visit(self, url: str) -> str:
        """Follow the server from `url` on: the app's address at the end, or what was in the way."""
        while True:
            answer = self.http.get(url)
            if answer.status_code != 302:
                return answer.text
            url = answer.headers["location"]
            if not url.startswith("/"):
                return url
            if url.startswith("/if/flow/"):
                told = self.flow(url)
                if told["component"] != "xak-flow-redirect":
                    return json.dumps(told)
                url = told["to"]
                if not url.startswith("/"):
                    return str(url)

    def flow(self, page: str) -> Any:
        """Answer a flow's challenges: the last one, which is a redirect or what can't be answered."""
        slug, query = page.removeprefix("/if/flow/").split("/", 1)
        url = httpx.URL(f"/api/v3/flows/executor/{slug}/", params={"query": query.removeprefix("?")})
        answer = self.http.get(url)
        while True:
            if answer.status_code == 302:
                answer = self.http.get(answer.headers["location"])
                continue
            told = answer.json()
            component = told["component"]
            if component == "ak-stage-consent":
                self.answers[component] = {"token": told["token"]}
            if component not in self.answers or "response_errors" in told:
                return told
            self.asked.append(component)
            answer = self.http.post(url, json={"component": component, **self.answers[component]})

    def code(self, url: str) -> str:
        """The code with which the browser comes back to the app."""
        reached = self.visit(url)
        assert reached.startswith(CALLBACK), reached
        return parse_qs(urlsplit(reached).query)["code"][0]


class Person(Browser):
    """A browser whose owner may hold a security key."""

    def __init__(
        self, url: str, username: str, password: str = PASSWORD, key: SecurityKey | None = None
    ) -> None:
        super().__init__(url, username, password)
        self.url, self.key = url, key

    def answer(self, slug: str, component: str, **body: Any) -> Any:
        """Answer a challenge; the next one."""
        reply = self.http.post(
            f"/api/v3/flows/executor/{slug}/?query=", json={"component": component, **body}
        )
        while reply.status_code == 302:
            reply = self.http.get(reply.headers["location"])
        return reply.json()

    def inside(self) -> bool:
        """Whether somebody is logged in."""
        return self.http.get("/api/v3/core/users/me/").status_code == 200

    def enrol(self, asked: Any, slug: str = FLOW, origin: str = "") -> Any:
        """Set the key up, as asked."""
        assert self.key
        return self.answer(
            slug, WEBAUTHN, response=self.key.register(asked["registration"], origin or self.url)
        )

    def sign(self, asked: Any, slug: str = FLOW, key: SecurityKey | None = None) -> Any:
        """Prove with the key who it is, as asked."""
        (challenge,) = [each for each in asked["device_challenges"] if each["device_class"] == "webauthn"]
        holder = key or self.key
        assert holder
        signed = holder.assert_(challenge["challenge"], self.url)
        return self.answer(slug, VALIDATE, selected_challenge=challenge, webauthn=signed)


def claims(token: str) -> Any:
    """What a JWT says; its signature is checked where relying parties are tested."""
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
