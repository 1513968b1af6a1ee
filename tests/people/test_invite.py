"""`gatehouse invite`: a mail to somebody whose account is new."""

from __future__ import annotations

import pytest

from bench.authentik.links import MAILS
from bench.authentik.testing import serve
from bench.tests.authentik.browser import PASSWORD, Browser
from bench.tests.authentik.conftest import Client
from bench.tests.authentik.test_login import person
from components.identity.dialect import Authentik
from components.identity.kinds import ReleaseLine
from components.secrets import new_root_secret
from components.settings import Settings, parse
from operations.errors import OperatorError
from operations.invite import invite


def settings(url: str, token: str, *, recovery: bool = True) -> Settings:
    return parse(
        {
            "client": "acme", "domain": "acme.example", "box": "none", "rootSecret": new_root_secret(),
            "login": {"recovery": recovery},
            "authentik": {"version": "2026.8.3", "url": url, "token": token},
        }
    )  # fmt: skip


def test_somebody_new_gets_a_link_of_their_own() -> None:
    with serve(version="2026.8.3") as running:
        client = Client(running)
        server = Authentik(running.url, running.token, None, ReleaseLine("2026.8"))
        wanted = settings(running.url, running.token)
        with pytest.raises(OperatorError, match="no way to choose a password by mail"):
            invite(settings(running.url, running.token, recovery=False), server, "jane", 3)
        with pytest.raises(OperatorError, match="nobody called jane"):
            invite(wanted, server, "jane", 3)
        jane = person(client, "jane", email="jane@acme.example", is_active=False)
        with pytest.raises(OperatorError, match="jane is locked out"):
            invite(wanted, server, "jane", 3)
        client("PATCH", f"/core/users/{jane['pk']}/", 200, is_active=True)
        with pytest.raises(OperatorError, match="no gatehouse-recovery-email yet"):
            invite(wanted, server, "jane", 3)
        about = {"name": "recovery", "slug": "recovery", "title": "R", "designation": "recovery"}
        flow = client("POST", "/flows/instances/", 201, **about)["pk"]
        client("POST", "/stages/email/", 201, name="gatehouse-recovery-email", use_global_settings=True)
        brand = client("GET", "/core/brands/?domain=authentik-default", 200)["results"][0]["brand_uuid"]
        client("PATCH", f"/core/brands/{brand}/", 200, domain="authentik-default", flow_recovery=flow)
        assert invite(wanted, server, "Jane@acme.example", 3) == "jane@acme.example"
        with running.store.reading():
            (mail,) = running.store.all(MAILS)
        assert mail["to"] == "jane@acme.example"
        assert str(mail["link"]).startswith(f"{running.url}/if/flow/recovery/?flow_token=")
        assert Browser(running.url, "jane", PASSWORD).flow("/if/flow/default-authentication-flow/?next=%2F")
        with pytest.raises(OperatorError, match="jane has logged in at acme before"):
            invite(wanted, server, "jane", 3)
