"""The sample app against the emulated authentik, over real HTTP, with the operator's login check as its
visitor.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import httpx
import pytest
import uvicorn

from bench.authentik.testing import serve
from bench.relying_party.app import build
from bench.relying_party.client import Attempt, Client, RefusedError
from operations import oidc
from operations.browser import Where
from operations.login import log_in

PASSWORD = "a-long-enough-password"


@dataclass(frozen=True)
class House:
    """An authentik with one application, its app, and two people of whom jane may use it."""

    app: str
    client: Client
    api: httpx.Client

    def registered(self) -> oidc.Client:
        """The app as the operator's check knows it."""
        one = self.client
        return oidc.Client(one.issuer, one.client_id, one.client_secret, one.redirect_uri)


@contextmanager
def served(app: object) -> Iterator[str]:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.005)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(5)
        listener.close()


def late(house: list[Client]) -> object:
    """An app whose client is known only after its address is."""

    async def app(scope: dict, receive: object, send: object) -> None:
        await build_once(house[0])(scope, receive, send)

    made: dict[Client, object] = {}

    def build_once(client: Client) -> object:
        return made.setdefault(client, build(client))

    return app


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    box: list[Client] = []
    with serve() as authentik, served(late(box)) as app:
        api = httpx.Client(base_url=f"{authentik.url}/api/v3", timeout=30)
        api.headers["authorization"] = f"Bearer {authentik.token}"

        def made(path: str, **body: object) -> dict:
            answer = api.post(path, json=body)
            assert answer.is_success, (path, answer.text)
            return answer.json() if answer.content else {}

        def first(path: str, **query: str) -> dict:
            return api.get(path, params=query).json()["results"][0]

        flows = {
            kind: first("/flows/instances/", slug=slug)["pk"]
            for kind, slug in (
                ("authorization_flow", "default-provider-authorization-implicit-consent"),
                ("invalidation_flow", "default-provider-invalidation-flow"),
            )
        }
        mappings = [
            first("/propertymappings/provider/scope/", managed=f"goauthentik.io/providers/oauth2/scope-{one}")
            for one in ("openid", "email", "profile")
        ]
        redirect_uri = f"{app}/login/generic_oauth"
        provider = made(
            "/providers/oauth2/",
            name="grafana",
            client_id="the-id",
            client_secret="the-secret",
            **flows,
            redirect_uris=[
                {"matching_mode": "strict", "url": redirect_uri, "redirect_uri_type": "authorization"}
            ],
            grant_types=["authorization_code", "refresh_token"],
            property_mappings=[one["pk"] for one in mappings],
            signing_key=first("/crypto/certificatekeypairs/", has_key="true")["pk"],
        )
        application = made("/core/applications/", name="Grafana", slug="grafana", provider=provider["pk"])
        group = made("/core/groups/", name="engineering")
        made("/policies/bindings/", target=application["pk"], group=group["pk"], order=0)
        for name, groups in (("jane", [group["pk"]]), ("mallory", [])):
            email = f"{name}@acme.example"
            user = made("/core/users/", username=name, name=name.title(), email=email, groups=groups)
            made(f"/core/users/{user['pk']}/set_password/", password=PASSWORD)
        box.append(Client(f"{authentik.url}/application/o/grafana/", "the-id", "the-secret", redirect_uri))
        yield House(app, box[0], api)


@pytest.mark.parametrize("start", ["/", "/login/generic_oauth"])
def test_somebody_who_may_is_in(house: House, start: str) -> None:
    result = log_in(f"{house.app}{start}", "jane", PASSWORD)
    assert (result.accepted, result.why) == (True, "")
    assert result.claims["preferred_username"] == "jane"
    assert result.claims["groups"] == ["engineering"]
    assert (result.claims["iss"], result.claims["aud"]) == (house.client.issuer, "the-id")


def test_somebody_in_no_group_is_refused(house: House) -> None:
    result = log_in(f"{house.app}/", "mallory", PASSWORD)
    assert (result.accepted, result.where) == (False, Where.POLICY)


def test_the_check_works_without_the_app(house: House) -> None:
    result = log_in(house.registered(), "jane", PASSWORD)
    assert (result.accepted, result.why) == (True, "")
    assert result.claims["email"] == "jane@acme.example"
    wrong = log_in(replace(house.registered(), client_secret="other"), "jane", PASSWORD)
    assert (wrong.accepted, wrong.where) == (False, Where.TOKENS)
    refused = log_in(house.registered(), "mallory", PASSWORD)
    assert (refused.accepted, refused.where) == (False, Where.POLICY)


def test_a_wrong_password(house: House) -> None:
    result = log_in(f"{house.app}/", "jane", "not-the-password")
    assert (result.accepted, result.where) == (False, Where.IDENTITY)


def test_pages(house: House) -> None:
    with httpx.Client(base_url=house.app) as browser:
        assert browser.get("/me").status_code == 401
        assert browser.get("/health").json() == {"status": "ok"}
        assert browser.get("/whoami", headers={"X-Seen": "1"}).json()["headers"]["x-seen"] == "1"
        assert (
            browser.get("/login/generic_oauth?code=x&state=y").json()["error"]
            == "no login was begun in this browser"
        )
        begun = browser.get("/")
        assert begun.status_code == 302
        assert "code_challenge_method=S256" in begun.headers["location"]
        answer = browser.get("/login/generic_oauth?code=x&state=y")
        assert (answer.status_code, answer.json()["error"]) == (400, "the state is not the one that was sent")
        answer = browser.get("/login/generic_oauth?error=access_denied&error_description=no")
        assert (answer.status_code, answer.json()["error"]) == (403, "access_denied: no")
        browser.get("/")
        state = httpx.URL(browser.get("/").headers["location"]).params["state"]
        answer = browser.get(f"/login/generic_oauth?code=x&state={state}")
        assert answer.status_code == 403
        assert "invalid_grant" in answer.json()["error"]


def test_an_issuer_without_its_slash_is_refused(house: House) -> None:
    wrong = replace(house.client, issuer=house.client.issuer.rstrip("/"))
    with served(build(wrong)) as app:
        answer = httpx.get(f"{app}/")
    assert answer.status_code == 502
    assert "issuer is" in answer.json()["error"]


@pytest.mark.parametrize(("field", "value"), [("nonce", "other"), ("aud", "other"), ("iss", "other")])
def test_tokens_for_somebody_else_are_refused(house: House, field: str, value: str) -> None:
    jwks = httpx.get(f"{house.client.issuer}jwks/").json()
    attempt = Attempt()
    with pytest.raises(RefusedError, match="id token"):
        house.client.checked("eyJhbGciOiJub25lIn0.e30.", jwks, attempt)
    with pytest.raises(RefusedError, match="no signing key"):
        house.client.checked("x", {}, attempt)
    from joserfc import jwk, jwt

    key = jwk.RSAKey.generate_key(2048, {"kid": "k"})
    claims = {
        "iss": house.client.issuer,
        "aud": "the-id",
        "nonce": attempt.nonce,
        "sub": "s",
        "exp": time.time() + 60,
    }
    good = jwt.encode({"alg": "RS256", "kid": "k"}, claims, key)
    published = {"keys": [key.as_dict(private=False)]}
    assert house.client.checked(good, published, attempt)["sub"] == "s"
    bad = jwt.encode({"alg": "RS256", "kid": "k"}, claims | {field: value}, key)
    with pytest.raises(RefusedError, match=field):
        house.client.checked(bad, published, attempt)
