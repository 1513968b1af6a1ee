"""What people ask of programs like this one, upstream, and what gatehouse does: a test for each, by issue number.

954 and its like are issues of the Terraform provider for authentik; 7707 and 12186 of authentik itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from bench.authentik.testing import Running
from components.identity import dialect
from components.identity.bootstrap import Bootstrap
from components.identity.dialect import Authentik
from components.identity.kinds import ReleaseLine
from components.identity.plan import Plan
from components.objects.errors import ObjectError
from components.objects.http import Http
from components.objects.reconcile import DesiredObject, ObjectState, Reconciler
from tests.identity.conftest import PASSED, TOKEN

UPSTREAM = (956, 954, 914, 895, 802, 649, 740, 920, 304, 457, 525, 341, 7707, 12186)
COMPLAINTS = frozenset(map(str, UPSTREAM))
answered: set[str] = set()
"""Complaints whose test has passed."""

PROVIDER = "authentik_providers_oauth2.oauth2provider"
FIELDS: dict[str, Any] = {
    "name": "grafana",
    "authorization_flow": "default-provider-authorization-explicit-consent",
    "invalidation_flow": "default-provider-invalidation-flow",
    "client_id": "grafana",
    "client_secret": "a secret",
    "redirect_uris": [{"matching_mode": "strict", "url": "https://grafana.acme.example/login"}],
    "property_mappings": ["goauthentik.io/providers/oauth2/scope-openid"],
}


class Watched(Authentik):
    """An authentik whose writes are listed, with what was sent."""

    def __init__(self, server: Running) -> None:
        super().__init__(server.url, server.token, None, ReleaseLine("2026.8"))
        self.writes: list[tuple[str, str, Any]] = []

    def request(self, method: str, path: str, *, params: Any = None, body: Any = None) -> Any:
        if method != "GET":
            self.writes.append((method, path, body))
        return super().request(method, path, params=params, body=body)


@pytest.fixture(autouse=True)
def _count(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if request.node.stash.get(PASSED, False):
        answered.update(COMPLAINTS.intersection(re.findall(r"\d+", request.node.name)))


@pytest.fixture
def authentik(server: Running) -> Watched:
    return Watched(server)


def create(authentik: Authentik, kind: str, adopt: bool = False, **fields: Any) -> ObjectState:
    return Reconciler(authentik).create(DesiredObject(kind, "x", fields, adopt))


def test_956_no_change_is_no_write(authentik: Watched) -> None:
    held = create(authentik, PROVIDER, **FIELDS)
    authentik.writes.clear()
    for _ in range(3):
        engine = Reconciler(authentik)
        read = engine.read(authentik.kind(PROVIDER), held)
        assert read == held
        engine.update(held, DesiredObject(PROVIDER, "x", FIELDS))
    assert authentik.writes == []


def test_954_a_provider_outlives_its_former_flow(authentik: Watched, admin: httpx.Client) -> None:
    flow = {"slug": "old", "name": "old", "title": "old", "designation": "authorization"}
    old = create(authentik, "authentik_flows.flow", **flow)
    held = create(authentik, PROVIDER, **FIELDS | {"authorization_flow": "old"})
    with pytest.raises(ObjectError, match="still uses flow 'old'"):
        Reconciler(authentik).delete(authentik.kind("authentik_flows.flow"), "old", old)
    Reconciler(authentik).update(held, DesiredObject(PROVIDER, "x", FIELDS))
    assert Reconciler(authentik).delete(authentik.kind("authentik_flows.flow"), "old", old) == "deleted"
    assert admin.get(f"/providers/oauth2/{held.pk}/").status_code == 200


def test_914_the_type_of_a_redirect_uri_is_sent(authentik: Watched, admin: httpx.Client) -> None:
    uris = [
        {"matching_mode": "strict", "url": "https://x.example/out", "redirect_uri_type": "logout"},
        {"matching_mode": "strict", "url": "https://x.example/in"},
    ]
    held = create(authentik, PROVIDER, **FIELDS | {"redirect_uris": uris})
    kept = admin.get(f"/providers/oauth2/{held.pk}/").json()["redirect_uris"]
    assert [uri["redirect_uri_type"] for uri in kept] == ["logout", "authorization"]
    assert Reconciler(authentik).read(authentik.kind(PROVIDER), held) == held


@pytest.mark.parametrize("complaint", ["895", "802"])
def test_what_belongs_together_is_sent_together(authentik: Watched, complaint: str) -> None:
    kind = "authentik_stages_authenticator_validate.authenticatorvalidatestage"
    fields = {
        "name": "mfa",
        "not_configured_action": "configure",
        "configuration_stages": ["default-authenticator-totp-setup"],
        "device_classes": ["totp"],
    }
    held = create(authentik, kind, **fields)
    Reconciler(authentik).update(
        held, DesiredObject(kind, "x", fields | {"device_classes": ["totp", "webauthn"]})
    )
    method, _, body = authentik.writes[-1]
    assert method == "PATCH"
    assert set(body) == set(fields)
    assert body["not_configured_action"] == "configure"


def test_649_a_field_that_is_no_longer_declared_is_cleared(authentik: Watched, admin: httpx.Client) -> None:
    more = {
        "signing_key": "authentik Self-signed Certificate",
        "sub_mode": "user_email",
        "logout_uri": "https://x.y/z",
    }
    held = create(authentik, PROVIDER, **FIELDS | more)
    Reconciler(authentik).update(held, DesiredObject(PROVIDER, "x", FIELDS))
    kept = admin.get(f"/providers/oauth2/{held.pk}/").json()
    assert (kept["signing_key"], kept["sub_mode"], kept["logout_uri"]) == (None, "hashed_user_id", "")


@pytest.mark.parametrize("complaint", ["740", "920"])
def test_a_setting_of_another_version_is_found_before_anything_is_contacted(complaint: str) -> None:
    plan = Plan("2026.2")
    plan.add(PROVIDER, "grafana", {**FIELDS, "grant_types": ["authorization_code"]})
    [finding] = plan.problems()
    assert "exists from 2026.5 on" in finding.what


@pytest.mark.parametrize(
    ("complaint", "kind", "fields", "changed"),
    [
        (
            "304",
            "authentik_flows.flow",
            {"slug": "default-authentication-flow"},
            {"title": "Welcome to Acme"},
        ),
        (
            "457",
            "authentik_stages_identification.identificationstage",
            {"name": "default-authentication-identification"},
            {"user_fields": ["email"]},
        ),
        (
            "525",
            "authentik_flows.flowstagebinding",
            {
                "target": "default-authentication-flow",
                "stage": "default-authentication-mfa-validation",
                "order": 30,
            },
            {"invalid_response_action": "restart"},
        ),
    ],
)
def test_default_objects_are_taken_over_by_name(
    authentik: Watched, complaint: str, kind: str, fields: dict[str, Any], changed: dict[str, Any]
) -> None:
    held = create(authentik, kind, adopt=True, **fields, **changed)
    assert held.adopted
    [(method, path, _)] = authentik.writes
    assert (method, path.startswith(authentik.kind(kind).path)) == ("PATCH", True)
    assert Reconciler(authentik).read(authentik.kind(kind), held) == held
    assert Reconciler(authentik).delete(authentik.kind(kind), "x", held).startswith("kept")


def test_341_the_embedded_outpost_is_found_by_name_and_keeps_its_settings(
    authentik: Watched, admin: httpx.Client
) -> None:
    proxy = FIELDS | {"external_host": "https://dash.acme.example", "mode": "forward_single", "name": "dash"}
    ours = ("name", "authorization_flow", "invalidation_flow", "external_host", "mode")
    create(authentik, "authentik_providers_proxy.proxyprovider", **{name: proxy[name] for name in ours})
    before = admin.get("/outposts/instances/").json()["results"][0]
    held = create(
        authentik,
        "authentik_outposts.outpost",
        adopt=True,
        name="authentik Embedded Outpost",
        providers=["dash"],
        config={"authentik_host": "https://auth.acme.example"},
    )
    after = admin.get("/outposts/instances/").json()["results"][0]
    assert after["config"] == {**before["config"], "authentik_host": "https://auth.acme.example"}
    assert len(after["providers"]) == 1
    Reconciler(authentik).delete(authentik.kind("authentik_outposts.outpost"), "x", held)
    assert admin.get("/outposts/instances/").json()["results"][0]["providers"] == []
    assert admin.get("/outposts/instances/").json()["results"][0]["config"] == before["config"]


def test_7707_the_first_token_needs_no_discovery(server: Running) -> None:
    Bootstrap(Http(server.url, "authentik"), TOKEN, server.token).run()
    Bootstrap(Http(server.url, "authentik"), TOKEN, None).run()


def test_12186_a_default_object_that_never_comes_is_named(
    authentik: Watched, admin: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialect, "PAUSE", 0.02)
    monkeypatch.setattr(dialect, "SETTLING", 0.2)
    admin.delete("/flows/instances/default-provider-invalidation-flow/")
    with pytest.raises(
        ObjectError, match="names 'default-provider-invalidation-flow', and there is no such flow"
    ):
        create(authentik, PROVIDER, **FIELDS)


def test_every_complaint_is_answered(record_figure: Callable[..., None]) -> None:
    """Last in this module: counts what has passed before it."""
    record_figure("test", complaints_answered=(len(answered), len(COMPLAINTS)))
    assert answered == COMPLAINTS
