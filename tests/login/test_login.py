"""Logging in as a browser does, against a scripted authentik built from recordings of a real one."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from joserfc import jwk

from operations.browser import Where
from operations.login import LoginResult, log_in
from operations.oidc import Client
from tests.login.scripted import BASE, PASSWORDS, Authentik

ISSUER = f"{BASE}/application/o/grafana/"


def client(**changes: str) -> Client:
    known = {
        "issuer": ISSUER,
        "client_id": "grafana-client",
        "client_secret": "grafana-secret-0123",
        "redirect_uri": "https://grafana.example.test/cb",
    }
    return Client(**{**known, **changes})


def attempt(
    authentik: Authentik, who: str = "alice", password: str | None = None, **changes: str
) -> LoginResult:
    return log_in(client(**changes), who, password or PASSWORDS[who], transport=authentik.transport())


def refused(result: LoginResult, where: Where, *words: str) -> None:
    assert not result.accepted
    assert result.where == where, result.why
    for word in words:
        assert word in result.why
    for secret in (*PASSWORDS.values(), "grafana-secret-0123", "the-code"):
        assert secret not in result.why


def test_somebody_who_may() -> None:
    authentik = Authentik()
    result = attempt(authentik)
    assert (result.accepted, result.where, result.why) == (True, Where.DONE, "")
    assert result.claims["preferred_username"] == "alice"
    assert result.claims["groups"] == ["app-users"]
    assert result.claims["iss"] == ISSUER
    assert not [one for one in authentik.seen if "grafana.example.test" in one], "the app need not be there"


def test_somebody_whom_a_policy_keeps_out_gets_a_page_with_status_200() -> None:
    refused(
        attempt(Authentik(), "mallory"),
        Where.POLICY,
        "'mallory'",
        "does not let them into this app",
        "groups",
    )


def test_a_wrong_password() -> None:
    result = attempt(Authentik(), "alice", "wrong-password")
    refused(result, Where.IDENTITY, "'alice'", "Invalid password", "not active")
    assert "wrong-password" not in result.why


def test_a_redirect_uri_that_is_not_allowed() -> None:
    result = attempt(Authentik(), redirect_uri="https://other.example.test/cb")
    refused(result, Where.REQUEST, "400", "'grafana-client'", "'https://other.example.test/cb'")


def test_an_app_that_authentik_does_not_know() -> None:
    result = attempt(Authentik(), issuer=f"{BASE}/application/o/nope/")
    refused(result, Where.REQUEST, "/application/o/nope/", "404", "no application of that name")


@pytest.mark.parametrize("issuer", [ISSUER.rstrip("/"), ISSUER.replace("http:", "https:")])
def test_an_issuer_that_differs_by_a_letter(issuer: str) -> None:
    refused(attempt(Authentik(), issuer=issuer), Where.REQUEST, "to the letter", "X-Forwarded-Proto")


def test_a_wrong_client_secret() -> None:
    refused(
        attempt(Authentik(), client_secret="other"), Where.TOKENS, "invalid_client", "client id or secret"
    )


@pytest.mark.parametrize("error", ["invalid_request", "unauthorized_client"])
def test_grant_types_that_lack_the_code(error: str) -> None:
    authentik = Authentik()
    authentik.error = error
    refused(attempt(authentik), Where.REQUEST, error, "grant types")


def test_a_state_that_is_not_ours() -> None:
    authentik = Authentik()
    authentik.state = "other"
    refused(attempt(authentik), Where.REQUEST, "state")


def test_without_a_signing_key() -> None:
    authentik = Authentik()
    authentik.published = {}
    refused(attempt(authentik), Where.TOKENS, "HS256", "signing key")


def test_a_signature_with_another_key() -> None:
    authentik = Authentik()
    authentik.key = jwk.RSAKey.generate_key(2048, {"kid": "k1"})
    refused(attempt(authentik), Where.TOKENS, "signature")


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"nonce": "other"}, "'nonce'"),
        ({"aud": "other"}, "'aud'"),
        ({"iss": "other"}, "'iss'"),
        ({"exp": 1}, "clocks"),
        ({"sub": "other"}, "somebody else"),
    ],
)
def test_tokens_that_do_not_fit(claims: dict[str, Any], words: str) -> None:
    authentik = Authentik()
    authentik.wrong_claims = claims
    refused(attempt(authentik), Where.TOKENS, words)


def test_consent_is_given() -> None:
    authentik = Authentik()
    authentik.stages.append("ak-stage-consent")
    assert attempt(authentik).accepted


@pytest.mark.parametrize(
    ("stage", "where", "words"),
    [
        ("ak-stage-access-denied", Where.POLICY, "Flow does not apply to current user."),
        ("ak-stage-authenticator-validate", Where.FACTOR, "second factor"),
        ("ak-stage-authenticator-webauthn", Where.FACTOR, "second factor"),
        ("ak-stage-prompt", Where.IDENTITY, "ak-stage-prompt"),
        ("xak-flow-error", Where.IDENTITY, "fails"),
    ],
)
def test_challenges_that_end_a_login(stage: str, where: Where, words: str) -> None:
    authentik = Authentik()
    authentik.stages.append(stage)
    refused(attempt(authentik), where, words)


def test_a_flow_that_asks_for_the_name_again() -> None:
    authentik = Authentik()
    authentik.stages = ["identification", "identification"]
    refused(attempt(authentik), Where.IDENTITY, "same again")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (httpx.ConnectError("[Errno -2] Name or service not known"), "does not resolve"),
        (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] unable to get issuer"), "not trusted"),
        (
            httpx.ConnectError("[SSL: TLSV1_UNRECOGNIZED_NAME] tlsv1 unrecognized name"),
            "no certificate for it",
        ),
        (httpx.ReadTimeout("timed out"), "30 seconds"),
        (httpx.ConnectError("[Errno 111] Connection refused"), "Connection refused"),
    ],
)
def test_what_can_not_be_reached(error: httpx.HTTPError, words: str) -> None:
    def broken(request: httpx.Request) -> httpx.Response:
        error.request = request
        raise error

    result = log_in(client(), "alice", "x", transport=httpx.MockTransport(broken))
    refused(result, Where.REACH, "127.0.0.1", words)


def test_an_authentik_that_is_starting() -> None:
    def starting(request: httpx.Request) -> httpx.Response:
        if "authorize" in request.url.path:
            return httpx.Response(503, json={"error": "authentik starting"}, headers={"Retry-After": "5"})
        return Authentik().handle(request)

    refused(
        log_in(client(), "alice", "x", transport=httpx.MockTransport(starting)), Where.REACH, "503", "not up"
    )


class App(Authentik):
    """The same with an app in front that logs people in with it."""

    def __init__(self, page: httpx.Response | None = None) -> None:
        super().__init__()
        self.page = page or httpx.Response(200, json={"name": "Alice"})

    def handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.host != "grafana.example.test":
            return super().handle(request)
        if request.url.path == "/cb":
            assert request.url.params["code"] == "the-code"
            return httpx.Response(302, headers={"location": "/me"})
        if request.url.path == "/me":
            return self.page
        query = {
            "client_id": "grafana-client",
            "redirect_uri": self.redirect_uris[0],
            "response_type": "code",
            "scope": "openid",
            "state": "s",
            "nonce": "n",
        }
        return httpx.Response(
            302, headers={"location": f"{BASE}/application/o/authorize/?{urlencode(query)}"}
        )

    def visit(self, who: str = "alice", url: str = "https://grafana.example.test/") -> LoginResult:
        return log_in(url, who, PASSWORDS[who], transport=self.transport())


def urlencode(query: dict[str, str]) -> str:
    return str(httpx.QueryParams(query))


def test_through_an_app() -> None:
    result = App().visit()
    assert result.accepted
    assert result.claims == {"name": "Alice"}


def test_through_an_app_whose_policy_keeps_somebody_out() -> None:
    refused(App().visit("mallory"), Where.POLICY, "permission denied")


def test_an_app_that_does_not_take_the_person_in() -> None:
    page = httpx.Response(403, html="<head><title>x</title></head><p>No role for <b>Alice</b>.</p>")
    refused(App(page).visit(), Where.APP, "grafana.example.test answers 403", "No role for Alice .")


def test_an_app_that_asks_nobody() -> None:
    refused(App().visit(url="https://grafana.example.test/me"), Where.APP, "without asking")


def test_an_app_that_sends_people_round_in_circles() -> None:
    page = httpx.Response(302, headers={"location": "/"})
    refused(App(page).visit(), Where.APP, "in circles")


def test_a_port_that_nobody_listens_on() -> None:
    result = log_in(client(issuer="http://127.0.0.1:1/application/o/grafana/"), "alice", "x", verify=False)
    refused(result, Where.REACH, "127.0.0.1", "can't be reached")
