"""Logins with the emulator, as far as the recordings don't hold them: other lines, refusals, grants."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from bench.authentik.testing import serve
from bench.tests.authentik.browser import CALLBACK, CHALLENGE, PASSWORD, VERIFIER, App, Browser, claims
from bench.tests.authentik.conftest import Client

FOREIGN = "10.0.0.0/8"
PROXIED = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "auth.acme.example"}


def person(client: Client, username: str, **more: Any) -> Any:
    """A user with the password that browsers type."""
    made = client("POST", "/core/users/", 201, username=username, name=username, **more)
    client("POST", f"/core/users/{made['pk']}/set_password/", 204, password=PASSWORD)
    return made


@pytest.fixture(scope="module")
def newest(shared: Client) -> Client:
    """The newest line, with alice."""
    person(shared, "alice", email="alice@example.test")
    return shared


@pytest.fixture(scope="module")
def older() -> Iterator[Client]:
    """2026.2 behind a proxy that is on no list."""
    with serve(version="2026.2.2", trusted_proxies=FOREIGN) as running:
        client = Client(running)
        person(client, "alice")
        yield client


def browser(client: Client, username: str = "alice", password: str = PASSWORD) -> Browser:
    return Browser(client.running.url, username, password)


def issuer(app: App) -> str:
    answer = app.http.get(f"/{app.slug}/.well-known/openid-configuration", headers=PROXIED)
    return str(answer.json()["issuer"])


def test_no_grant_types_refuse_every_login_since_2026_5(newest: Client) -> None:
    app = App(newest, "no-grants", grant_types=[])
    reached = browser(newest).visit(app.authorize())
    assert reached == (
        f"{CALLBACK}?error=invalid_request&error_description=The%20request%20is%20otherwise%20malformed&state=s"
    )
    assert app.exchange("some-code").json()["error"] == "invalid_grant"


def test_2026_2_ignores_grant_types(older: Client) -> None:
    app = App(older, "no-grants", grant_types=[])
    assert app.exchange(browser(older).code(app.authorize())).status_code == 200


def test_pkce(newest: Client) -> None:
    app, alice = App(newest, "pkce"), browser(newest)
    url = app.authorize(code_challenge=CHALLENGE, code_challenge_method="S256")
    for wrong in ({"code_verifier": "w" * 43}, {}):
        refused = app.exchange(alice.code(url), **wrong)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
    assert app.exchange(alice.code(url), code_verifier=VERIFIER).status_code == 200
    assert app.exchange(alice.code(app.authorize()), code_verifier=VERIFIER).status_code == 400
    assert "error=invalid_request" in alice.visit(
        app.authorize(code_challenge="x", code_challenge_method="S1")
    )


def test_a_wrong_secret_or_client(newest: Client) -> None:
    app = App(newest, "secrets")
    code = browser(newest).code(app.authorize())
    for wrong in ({"client_secret": "nope"}, {"client_id": "nope"}):
        assert app.exchange(code, **wrong).json()["error"] == "invalid_client"
    assert app.exchange(code).status_code == 200


def test_somebody_who_is_not_active(newest: Client) -> None:
    app, bob = App(newest, "active"), person(newest, "bob")
    inside = browser(newest, "bob")
    inside.code(app.authorize())
    newest("PATCH", f"/core/users/{bob['pk']}/", 200, is_active=False)
    assert "Invalid password" in browser(newest, "bob").visit(app.authorize())
    inside.answers = {}
    assert "ak-stage-identification" in inside.visit(app.authorize()), "the session is over"


def test_redirect_uris(newest: Client) -> None:
    entry = {"matching_mode": "regex", "url": r"https://[a-z]+\.example\.test/cb"}
    app, alice = App(newest, "regex", redirect_uris=[entry]), browser(newest)
    assert alice.visit(app.authorize()).startswith(CALLBACK)
    other = "https://other.example.test/cb"
    assert alice.visit(app.authorize(redirect_uri=other)).startswith(other)
    for wrong in (f"{CALLBACK}/more", "https://a.b.example.test/cb", "https://app.example.testx/cb"):
        assert alice.http.get(app.authorize(redirect_uri=wrong)).status_code == 400
    # The same text as a strict entry is one address, not a pattern.
    strict = App(newest, "strict", redirect_uris=[{**entry, "matching_mode": "strict"}])
    assert alice.http.get(strict.authorize()).status_code == 400


def test_an_unknown_client_gets_a_page(newest: Client) -> None:
    app = App(newest, "page")
    answer = app.http.get(app.authorize(client_id="nobody"))
    assert answer.status_code == 400
    assert "text/html" in answer.headers["content-type"]


def test_a_trusted_proxy_names_the_issuer(newest: Client) -> None:
    assert issuer(App(newest, "issuer")) == "https://auth.acme.example/application/o/issuer/"


def test_another_peer_does_not_since_2026_8() -> None:
    with serve(version="2026.8.3", trusted_proxies=FOREIGN) as running:
        assert issuer(App(Client(running), "issuer")) == f"{running.url}/application/o/issuer/"


def test_2026_2_believes_everybody(older: Client) -> None:
    assert issuer(App(older, "issuer")) == "https://auth.acme.example/application/o/issuer/"


def test_cookies_over_https(newest: Client) -> None:
    app = App(newest, "cookies")
    answer = app.http.get(app.authorize(), headers=PROXIED)
    cookie = answer.headers["set-cookie"].lower()
    assert "; secure" in cookie
    assert "; samesite=none" in cookie


def test_explicit_consent_is_asked_once_a_login(newest: Client) -> None:
    flow = newest.flow("default-provider-authorization-explicit-consent")
    app, alice = App(newest, "consent", authorization_flow=flow), browser(newest)
    assert app.exchange(alice.code(app.authorize())).status_code == 200
    assert alice.asked == ["ak-stage-identification", "ak-stage-password", "ak-stage-consent"]
    alice.asked.clear()
    alice.code(app.authorize())
    assert alice.asked == ["ak-stage-consent"], "the stage's mode is always_require"


def test_consent_needs_the_token_of_the_question(newest: Client) -> None:
    flow = newest.flow("default-provider-authorization-explicit-consent")
    app, alice = App(newest, "consent-token", authorization_flow=flow), browser(newest)
    alice.code(app.authorize())
    page = alice.http.get(app.authorize()).headers["location"]
    url = f"/api/v3/flows/executor/{page.split('/')[3]}/"
    asked = alice.http.get(url).json()
    assert asked["pending_user"] == "alice"
    assert [one["id"] for one in asked["permissions"]] == ["email", "profile"]
    again = alice.http.post(url, json={"component": asked["component"], "token": "other"})
    assert (again.status_code, again.json()["component"]) == (200, "ak-stage-consent")
    assert again.json()["token"] != asked["token"]


def test_refresh_tokens(newest: Client) -> None:
    app, alice = App(newest, "refresh", scopes="openid email offline_access"), browser(newest)
    assert "refresh_token" not in app.exchange(alice.code(app.authorize())).json()
    first = app.exchange(alice.code(app.authorize(scope="openid offline_access"))).json()
    second = app.token(grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert second.status_code == 200
    assert claims(second.json()["id_token"])["sub"] == claims(first["id_token"])["sub"]
    assert second.json()["refresh_token"] != first["refresh_token"]
    third = app.token(grant_type="refresh_token", refresh_token=first["refresh_token"])
    assert third.json()["error"] == "invalid_grant", "each works once"


def test_scopes_without_a_mapping_are_left_out(newest: Client) -> None:
    app = App(newest, "scopes", scopes="openid")
    answer = app.exchange(browser(newest).code(app.authorize())).json()
    assert answer["scope"] == "openid"
    assert not {"email", "groups"} & claims(answer["id_token"]).keys()


def test_no_signing_key_means_hs256(newest: Client) -> None:
    app = App(newest, "hs256", signing_key=None)
    found = app.http.get("/hs256/.well-known/openid-configuration").json()
    assert found["id_token_signing_alg_values_supported"] == ["HS256"]
    assert app.http.get("/hs256/jwks/").json() == {}


def test_a_new_password_counts_at_once(newest: Client) -> None:
    app, carol = App(newest, "password"), person(newest, "carol")
    inside = browser(newest, "carol")
    inside.code(app.authorize())
    newest("POST", f"/core/users/{carol['pk']}/set_password/", 204, password="another-0123")
    assert "Invalid password" in browser(newest, "carol").visit(app.authorize())
    browser(newest, "carol", "another-0123").code(app.authorize())
    inside.answers = {}
    assert "ak-stage-identification" in inside.visit(app.authorize()), "old sessions are over"


def test_a_binding_counts_at_once(newest: Client) -> None:
    app, alice = App(newest, "binding"), browser(newest)
    alice.code(app.authorize())
    group = newest("POST", "/core/groups/", 201, name="binding-group")["pk"]
    newest("POST", "/policies/bindings/", 201, target=app.application["pk"], group=group, order=0)
    assert "Permission denied" in alice.visit(app.authorize())


def test_only_the_tokens_own_client_is_told_about_it(newest: Client) -> None:
    one, other = App(newest, "token-one"), App(newest, "token-other")
    token = one.exchange(browser(newest).code(one.authorize())).json()["access_token"]

    def asked(what: str, app: App, **more: str) -> httpx.Response:
        form = {"token": token, "client_id": app.slug, "client_secret": "app-secret-0123", **more}
        return app.http.post(f"/{what}/", data=form)

    def userinfo() -> int:
        bearer = {"Authorization": f"Bearer {token}"}
        return one.http.get("/userinfo/", headers=bearer).status_code

    assert asked("introspect", one).json()["active"] is True
    assert asked("introspect", other).json() == {"active": False}
    assert asked("introspect", one, client_secret="nope").json() == {"active": False}
    asked("revoke", other)
    assert userinfo() == 200
    asked("revoke", one)
    assert userinfo() == 401


def test_the_end_of_a_session_is_a_flow(newest: Client) -> None:
    app, alice = App(newest, "end"), browser(newest)
    alice.code(app.authorize())
    told = alice.visit(f"{app.url}/application/o/end/end-session/")
    assert '"component": "ak-stage-session-end"' in told
    alice.answers = {}
    alice.code(app.authorize())


def test_a_login_leads_nowhere_else(newest: Client) -> None:
    for target in ("https://evil.example/", "//evil.example/"):
        told = browser(newest).flow(f"/if/flow/default-authentication-flow/?next={target}")
        assert told == {"component": "xak-flow-redirect", "to": "/"}
