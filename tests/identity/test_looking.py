"""What a preview that may look at the server says of what is not in the stack yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from bench.authentik.testing import Running
from components.identity.provider import AuthentikProvider
from components.objects.preflight import ENVIRONMENT
from tests.identity.conftest import TOKEN

FLOW, BRAND, GROUP = "authentik_flows.flow", "authentik_brands.brand", "authentik_core.group"
OAUTH2, STEP = "authentik_providers_oauth2.oauth2provider", "authentik_flows.flowstagebinding"
Checked = Callable[..., list[str]]


class Request:
    """What `configure` gets."""

    def __init__(self, **values: str) -> None:
        self.config = values


@pytest.fixture
def checked(server: Running, monkeypatch: pytest.MonkeyPatch) -> Checked:
    """Checks one object in a process that may look; the failures."""
    monkeypatch.setenv(ENVIRONMENT, "1")
    provider = AuthentikProvider()
    provider.configure(Request(address=server.url, token=server.token, line="2026.8"))  # type: ignore[arg-type]

    def check(
        kind: str, adopt: bool = False, logical: str = "x", olds: Any = None, **fields: Any
    ) -> list[str]:
        meta = {"kind": kind, "logical": logical, **({"adopt": True} if adopt else {})}
        known = {**olds, "gatehouse": meta} if olds else {}
        return [each.reason for each in provider.check(known, {**fields, "gatehouse": meta}).failures]

    return check


def test_a_name_that_nothing_bears_is_an_error(checked: Checked) -> None:
    [failure] = checked(BRAND, domain="x.example", flow_recovery="nowhere")
    assert (
        failure
        == "flow_recovery names 'nowhere', and there is no such flow. Correct the name, or declare the object"
    )
    assert checked(BRAND, olds={"domain": "x.example"}, domain="x.example", flow_recovery="nowhere") == [
        failure
    ]
    assert checked(BRAND, domain="x.example", flow_recovery="default-authentication-flow") == []


def test_a_bare_name_that_several_kinds_have_is_an_error(checked: Checked, admin: httpx.Client) -> None:
    slug = "default-authentication-flow"
    made = admin.post("/core/applications/", json={"name": "Same", "slug": slug})
    assert made.status_code == 201
    binding = {"group": "authentik Admins", "order": 0}
    [failure] = checked("authentik_policies.policybinding", target=slug, **binding)
    assert f"target names {slug!r}, which 2 objects are called: application and flow" in failure
    assert f"Write authentik_core.application:{slug} or authentik_flows.flow:{slug}" in failure
    assert checked("authentik_policies.policybinding", target=f"authentik_flows.flow:{slug}", **binding) == []


def test_what_is_declared_counts_although_it_is_still_to_be_made(checked: Checked) -> None:
    assert checked(FLOW, slug="join", name="Join", title="Join", designation="enrollment") == []
    assert checked(BRAND, domain="x.example", flow_recovery="join") == []
    stage = "authentik_stages_deny.denystage"
    assert checked(STEP, target="join", stage="no", order=0) != []
    assert checked(stage, name="no") == []
    assert checked(STEP, target="join", stage="no", order=0) == []
    binding = {
        "target": "authentik_flows.flowstagebinding:join/no/0",
        "group": "authentik Admins",
        "order": 0,
    }
    assert checked("authentik_policies.policybinding", **binding) == []


def test_what_adopting_would_change_is_said(checked: Checked, capfd: pytest.CaptureFixture[str]) -> None:
    slug = "default-authentication-flow"
    assert checked(FLOW, adopt=True, slug=slug, title="Welcome to Acme", layout="stacked") == []
    said = capfd.readouterr().err
    assert 'and changes title: "Welcome to authentik!" => "Welcome to Acme"' in said
    assert "layout" not in said
    checked(FLOW, adopt=True, slug=slug, title="Welcome to authentik!")
    assert "changes nothing in it" in capfd.readouterr().err
    checked(FLOW, adopt=True, slug="elsewhere", name="x", title="x", designation="recovery")
    assert "there is no flow 'elsewhere' to take over; it would be made" in capfd.readouterr().err


def test_what_will_be_refused_is_said(
    checked: Checked, admin: httpx.Client, capfd: pytest.CaptureFixture[str]
) -> None:
    admin.post("/core/groups/", json={"name": "staff"})
    [failure] = checked(GROUP, name="staff")
    assert "group 'staff' is there already" in failure
    assert checked(GROUP, olds={"name": "staff"}, name="staff") == []
    assert capfd.readouterr().err == ""


def test_another_secret_is_said_without_being_shown(
    server: Running, admin: httpx.Client, checked: Checked, capfd: pytest.CaptureFixture[str]
) -> None:
    slugs = {"authorization_flow": "default-provider-authorization-implicit-consent"}
    slugs["invalidation_flow"] = "default-provider-invalidation-flow"
    pks = {name: admin.get(f"/flows/instances/{slug}/").json()["pk"] for name, slug in slugs.items()}
    made = {"name": "app", "redirect_uris": [], "client_secret": "theirs-0123456789", **pks}
    assert admin.post("/providers/oauth2/", json=made).status_code == 201
    secret = {"client_secret": "ours-0123456789"}
    [failure] = checked(OAUTH2, adopt=True, name="app", redirect_uris=[], **slugs, **secret)
    assert "is there and has another client_secret, which taking over leaves as found" in failure
    assert "0123456789" not in failure + capfd.readouterr().err


def test_a_server_that_is_not_there_is_said_once(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(ENVIRONMENT, "1")
    provider = AuthentikProvider()
    request: Any = Request(address="http://127.0.0.1:9", token=TOKEN, line="2026.8")
    provider.configure(request)
    for name in ("one", "two"):
        props = {"name": name, "gatehouse": {"kind": GROUP, "logical": name}}
        assert provider.check({}, props).failures == []
    assert capfd.readouterr().err.count("does not answer, so names") == 1


def test_without_being_asked_it_looks_at_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT, raising=False)
    provider = AuthentikProvider()
    request: Any = Request(address="http://127.0.0.1:9", token=TOKEN, line="2026.8")
    provider.configure(request)
    props = {"domain": "x", "flow_recovery": "nowhere", "gatehouse": {"kind": BRAND, "logical": "x"}}
    assert provider.check({}, props).failures == []


def test_a_secret_that_changes_is_named(server: Running, capfd: pytest.CaptureFixture[str]) -> None:
    provider = AuthentikProvider()
    request: Any = Request(address=server.url, token=server.token, line="2026.8")
    provider.configure(request)
    old = {
        "username": "jane",
        "password": "first-0123",
        "gatehouse": {"kind": "authentik_core.user", "logical": "jane"},
    }
    assert provider.diff("1", old, {**old, "password": "second-0123"}).changes
    assert capfd.readouterr().err == "jane: password changes; the value is secret\n"
    assert not provider.diff("1", old, old).changes
    assert capfd.readouterr().err == ""
