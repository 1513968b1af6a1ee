"""What somebody's deactivation ends and what it leaves, as recorded of 2026.2, and the API's lists of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from bench.authentik.testing import serve
from bench.tests.authentik.browser import PASSWORD, App, Browser
from bench.tests.authentik.conftest import Client
from bench.tests.authentik.test_login import person

SCOPES = "openid email profile offline_access"


@dataclass
class Olga:
    """Somebody with everything that a person can have."""

    client: Client
    app: App
    pk: int
    browser: Browser
    tokens: dict[str, Any]

    def left(self) -> dict[str, int]:
        """How much of it there is."""
        lists = {
            "sessions": "/core/authenticated_sessions/?user__username=olga",
            "tokens": "/core/tokens/?user__username=olga",
            "access": f"/oauth2/access_tokens/?user={self.pk}",
            "refresh": f"/oauth2/refresh_tokens/?user={self.pk}",
            "codes": f"/oauth2/authorization_codes/?user={self.pk}",
            "consents": f"/core/user_consent/?user={self.pk}",
            "connections": f"/sources/user_connections/all/?user={self.pk}",
        }
        return {name: len(self.client("GET", path, 200)["results"]) for name, path in lists.items()}

    def works(self) -> dict[str, bool]:
        """Which ways in are open."""
        url = self.client.running.url
        bearer = {"Authorization": f"Bearer {self.key('olga-api')}"}
        session = {
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.browser.http.cookies.items())
        }
        by_password, by_app_password = (
            Browser(url, "olga", secret).flow("/if/flow/default-authentication-flow/?next=%2F")["component"]
            for secret in (PASSWORD, self.key("olga-app"))
        )
        credentials = {"username": "olga", "password": self.key("olga-app"), "scope": SCOPES}
        exchanged = self.app.token(grant_type="client_credentials", **credentials)
        access = {"Authorization": f"Bearer {self.tokens['access_token']}"}
        return {
            "password": by_password == "xak-flow-redirect",
            "app password at the login": by_app_password == "xak-flow-redirect",
            "app password at the token endpoint": exchanged.is_success,
            "session": httpx.get(f"{url}/api/v3/core/users/me/", headers=session).is_success,
            "API token": httpx.get(f"{url}/api/v3/core/users/me/", headers=bearer).is_success,
            "access token": self.app.http.get("/userinfo/", headers=access).is_success,
        }  # fmt: skip

    def key(self, identifier: str) -> str:
        """The key of a token, as it was at the beginning."""
        if identifier not in self.tokens:
            self.tokens[identifier] = self.client("GET", f"/core/tokens/{identifier}/view_key/", 200)["key"]
        return str(self.tokens[identifier])


@pytest.fixture
def olga() -> Iterator[Olga]:
    """Olga at work: a session, tokens in an app that asks for consent, a code that is not used, an app password."""
    with serve(version="2026.2.2") as running:  # the recorded one
        client = Client(running)
        pk = person(client, "olga", email="olga@acme.example")["pk"]
        for identifier, intent in (("olga-api", "api"), ("olga-app", "app_password")):
            client("POST", "/core/tokens/", 201, identifier=identifier, intent=intent, user=pk)
        consent = client("GET", "/stages/consent/", 200)["results"][0]
        client("PATCH", f"/stages/consent/{consent['pk']}/", 200, mode="permanent")
        flow = client.flow("default-provider-authorization-explicit-consent")
        grants = ["authorization_code", "refresh_token", "client_credentials"]
        app = App(client, "docs", scopes=SCOPES, authorization_flow=flow, grant_types=grants)
        source = client(
            "POST", "/sources/oauth/", 201, name="gh", slug="gh", provider_type="openidconnect", consumer_key="x",
            consumer_secret="x", authorization_url="https://idp.example/a", access_token_url="https://idp.example/t",
            profile_url="https://idp.example/p",
        )  # fmt: skip
        connection = {"user": pk, "source": source["pk"], "identifier": "4711"}
        client("POST", "/sources/user_connections/oauth/", 201, **connection)
        browser = Browser(running.url, "olga", PASSWORD)
        tokens = app.exchange(browser.code(app.authorize(scope=SCOPES))).json()
        browser.code(app.authorize(scope=SCOPES))  # not used
        found = Olga(client, app, pk, browser, tokens)
        found.key("olga-api")
        found.key("olga-app")
        yield found


def test_deactivation_ends_sessions_and_grants_and_leaves_the_rest(olga: Olga) -> None:
    assert olga.left() == {
        "sessions": 1, "tokens": 2, "access": 1, "refresh": 1, "codes": 1, "consents": 1, "connections": 1,
    }  # fmt: skip
    assert olga.browser.asked.count("ak-stage-consent") == 1  # it is asked for once
    assert all(olga.works().values())
    olga.client("PATCH", f"/core/users/{olga.pk}/", 200, is_active=False)
    assert olga.left() == {
        "sessions": 0, "tokens": 2, "access": 0, "refresh": 0, "codes": 0, "consents": 1, "connections": 1,
    }  # fmt: skip
    assert not any(olga.works().values())
    olga.client("PATCH", f"/core/users/{olga.pk}/", 200, is_active=True)
    back = {name for name, works in olga.works().items() if works}
    assert back == {
        "password",
        "app password at the login",
        "app password at the token endpoint",
        "API token",
    }


def test_each_can_be_deleted(olga: Olga) -> None:
    client, pk = olga.client, olga.pk
    for path in ("/oauth2/refresh_tokens/", "/oauth2/access_tokens/", "/oauth2/authorization_codes/"):
        (row,) = client("GET", f"{path}?user={pk}&provider={olga.app.provider['pk']}", 200)["results"]
        assert (row["user"]["username"], row["provider"]["name"]) == ("olga", "docs")
        client("DELETE", f"{path}{row['pk']}/", 204)
        client("DELETE", f"{path}{row['pk']}/", 404)
    refreshed = olga.app.token(grant_type="refresh_token", refresh_token=olga.tokens["refresh_token"])
    assert refreshed.json()["error"] == "invalid_grant"
    for path in ("/core/user_consent/", "/sources/user_connections/all/"):
        (row,) = client("GET", f"{path}?user={pk}", 200)["results"]
        client("DELETE", f"{path}{row['pk']}/", 204)
    assert client("DELETE", f"/core/authenticated_sessions/bulk_delete/?user_pks={pk}", 200) == {"deleted": 1}
    for identifier in ("olga-api", "olga-app"):
        client("DELETE", f"/core/tokens/{identifier}/", 204)
    assert set(olga.left().values()) == {0}


def test_a_list_of_applications_for_somebody_else_has_those_that_they_may_use(olga: Olga) -> None:
    client = olga.client
    staff = client("POST", "/core/groups/", 201, name="staff")
    closed = client("POST", "/core/applications/", 201, name="closed", slug="closed")
    client("POST", "/policies/bindings/", 201, target=closed["pk"], group=staff["pk"], order=0)
    answer = client("GET", f"/core/applications/?for_user={olga.pk}", 200)
    assert [row["slug"] for row in answer["results"]] == ["docs"]
    assert answer["pagination"]["count"] == 2  # pages are cut before it is looked who may
    refused = client("GET", "/core/applications/?for_user=9999", 400)
    assert refused == {"for_user": "User not found"}
