"""The way in: a server that is still starting, an account of our own, and tokens that are refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from bench.authentik.testing import PASSWORD, Running, serve
from components.identity import bootstrap, dialect
from components.identity.bootstrap import Bootstrap
from components.identity.dialect import Authentik
from components.identity.kinds import ReleaseLine
from components.objects import http
from components.objects.errors import ObjectError
from components.objects.http import Http
from components.objects.reconcile import DesiredObject, Reconciler
from tests.identity.conftest import TOKEN


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "PAUSE", 0.02)
    monkeypatch.setattr(dialect, "PAUSE", 0.02)
    monkeypatch.setattr(http, "_pause", lambda state: 0.02)


def test_an_account_of_our_own_takes_the_bootstrap_tokens_place(server: Running, admin: httpx.Client) -> None:
    assert Bootstrap(Http(server.url, "authentik"), TOKEN, server.token).run() is True
    assert Bootstrap(Http(server.url, "authentik"), TOKEN, server.token).run() is False
    me = httpx.get(f"{server.url}/api/v3/core/users/me/", headers={"Authorization": f"Bearer {TOKEN}"}).json()
    assert (me["user"]["username"], me["user"]["is_superuser"]) == ("gatehouse", True)
    Bootstrap(Http(server.url, "authentik"), TOKEN, None).run()
    Bootstrap(Http(server.url, "authentik"), TOKEN, "no longer valid").run()
    assert admin.get("/core/users/?username=gatehouse").json()["pagination"]["count"] == 1
    admin.delete("/core/tokens/gatehouse/")
    Bootstrap(Http(server.url, "authentik"), TOKEN, server.token).run()


def test_a_half_made_account_is_completed(server: Running, admin: httpx.Client) -> None:
    admins = admin.get("/core/groups/?name=authentik Admins").json()["results"][0]["pk"]
    user = {"username": "gatehouse", "name": "gatehouse", "type": "service_account", "groups": [admins]}
    pk = admin.post("/core/users/", json=user).json()["pk"]
    admin.post(
        "/core/tokens/", json={"identifier": "gatehouse", "user": pk, "intent": "api", "expiring": False}
    )
    Bootstrap(Http(server.url, "authentik"), TOKEN, server.token).run()


def test_a_first_start_is_waited_for() -> None:
    """Ready, then 403 for a good token, then an API without its default objects: each is waited for."""
    with serve(version="2026.8.3", ready_after=0.2, token_after=0.5, objects_after=0.9) as server:
        engine = Reconciler(Authentik(server.url, TOKEN, server.token, ReleaseLine("2026.8")))
        fields = {
            "name": "x",
            "authorization_flow": "default-provider-authorization-implicit-consent",
            "invalidation_flow": "default-provider-invalidation-flow",
            "property_mappings": ["goauthentik.io/providers/oauth2/scope-openid"],
            "redirect_uris": [],
        }
        held = engine.create(DesiredObject("authentik_providers_oauth2.oauth2provider", "x", fields))
        assert held.fields == fields


def test_a_refused_token_says_what_to_do_and_not_what_it_is(server: Running) -> None:
    with pytest.raises(ObjectError, match=r"authentik: it is up, and refuses our token") as caught:
        Bootstrap(Http(server.url, "authentik"), "wrong-token-value", "also-wrong-value", admitted=0.1).run()
    assert "wrong" not in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_a_server_that_never_gets_ready_is_named() -> None:
    with pytest.raises(
        ObjectError, match=r"(?s)authentik at x: it is not ready after 0 s: cannot connect.*See the logs"
    ):
        Bootstrap(Http("http://127.0.0.1:9", "authentik at x"), TOKEN, None, ready=0).run()


def test_names_that_will_never_come_are_not_waited_for(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialect, "SETTLING", 30.0)
    engine = Reconciler(Authentik(server.url, TOKEN, server.token, ReleaseLine("2026.8")))
    with pytest.raises(ObjectError, match="groups names 'nobody'"):
        engine.create(
            DesiredObject("authentik_core.user", "x", {"username": "x", "name": "x", "groups": ["nobody"]})
        )


def test_pages_that_change_while_they_are_read(server: Running, admin: httpx.Client) -> None:
    for number in range(150):
        admin.post("/core/groups/", json={"name": f"group {number:03}"})

    class Moving(Authentik):
        moves = 1

        def request(self, method: str, path: str, **more: object) -> object:
            answer = super().request(method, path, **more)  # type: ignore[arg-type]
            if path == "/core/groups/" and self.moves:
                self.moves -= 1
                admin.post("/core/groups/", json={"name": "a new first one"})
            return answer

    moving = Moving(server.url, TOKEN, server.token, ReleaseLine("2026.8"))
    names = [item["name"] for item in moving.list_objects(moving.kind("authentik_core.group"))]
    assert len(names) == len(set(names)) == 153
    assert "a new first one" in names


def test_a_server_that_is_not_there_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine reads several objects at a time: they would wait one after the other."""
    opened = []
    monkeypatch.setattr(dialect, "SILENT_ELSEWHERE", 0.1)
    monkeypatch.setattr(
        Bootstrap, "run", lambda self, real=Bootstrap.run: (opened.append(self), real(self))[1]
    )
    server = Authentik("http://127.0.0.1:9", TOKEN, None, ReleaseLine("2026.8"))
    assert not server.is_reachable()  # a look: it may be there when it is needed
    with ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(server.request, "GET", "/core/groups/") for _ in range(4)]
    assert {str(each.exception()).partition(" (")[0] for each in asked} == {
        "authentik at http://127.0.0.1:9: it is not ready after 0 s: cannot connect"
    }
    assert len(opened) == 2
