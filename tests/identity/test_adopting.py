"""What an object that was there before us keeps, through the reconcile engine against an authentik."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from bench.authentik.testing import Running
from components.identity.dialect import Authentik
from components.identity.kinds import ReleaseLine
from components.objects.desired import DesiredObject
from components.objects.errors import ObjectError
from components.objects.reconcile import ObjectState, Reconciler

GROUP, OUTPOST = "authentik_core.group", "authentik_outposts.outpost"
OAUTH2, PROXY = "authentik_providers_oauth2.oauth2provider", "authentik_providers_proxy.proxyprovider"
EMBEDDED = "authentik Embedded Outpost"


def engine(server: Running) -> Reconciler:
    return Reconciler(Authentik(server.url, server.token, None, ReleaseLine("2026.8")))


def flows(admin: httpx.Client) -> dict[str, str]:
    slugs = {"authorization_flow": "default-provider-authorization-implicit-consent",
             "invalidation_flow": "default-provider-invalidation-flow"}  # fmt: skip
    return {name: admin.get(f"/flows/instances/{slug}/").json()["pk"] for name, slug in slugs.items()}


def proxy(admin: httpx.Client, name: str) -> Any:
    hosts = {"external_host": "https://dash.example", "internal_host": "http://dash"}
    made = admin.post("/providers/proxy/", json={"name": name, "mode": "proxy", **hosts, **flows(admin)})
    assert made.status_code == 201, made.text
    return made.json()["pk"]


def test_an_outpost_that_was_there_keeps_the_providers_of_others(
    server: Running, admin: httpx.Client
) -> None:
    def behind() -> list[Any]:
        found: list[Any] = admin.get(outpost).json()["providers"]
        return sorted(found)

    theirs, one, two = proxy(admin, "theirs"), proxy(admin, "one"), proxy(admin, "two")
    [item] = admin.get("/outposts/instances/", params={"name__iexact": EMBEDDED}).json()["results"]
    outpost = f"/outposts/instances/{item['pk']}/"
    admin.patch(outpost, json={"providers": [theirs]})
    wanted = DesiredObject(OUTPOST, "x", {"name": EMBEDDED, "providers": ["one"]}, adopt=True)
    held = engine(server).create(wanted)
    assert behind() == [theirs, one]
    assert held.fields["providers"] == ["one"]
    kind = ReleaseLine("2026.8").kind(OUTPOST)
    seen = engine(server).read(kind, held)
    assert seen is not None
    assert seen.fields["providers"] == ["one"]
    held = engine(server).update(held, replace(wanted, fields={"name": EMBEDDED, "providers": ["two"]}))
    assert behind() == [theirs, two]
    assert engine(server).delete(kind, "x", held).startswith("kept")
    assert behind() == [theirs]


def test_a_default_that_the_version_before_wrote_is_put_back(server: Running, admin: httpx.Client) -> None:
    made = admin.post("/core/groups/", json={"name": "staff", "is_superuser": False}).json()
    held = ObjectState(made["pk"], {"name": "staff", "is_superuser": False}, True, {"is_superuser": True})
    defaulted = frozenset({"is_superuser"})
    wanted = DesiredObject(
        GROUP, "staff", {"name": "staff", "is_superuser": False}, True, defaulted=defaulted
    )
    after = engine(server).update(held, wanted)
    assert after.fields == {"name": "staff"}
    assert admin.get(f"/core/groups/{made['pk']}/").json()["is_superuser"] is True


def test_a_provider_of_another_kind_is_refused_in_words(server: Running, admin: httpx.Client) -> None:
    saml = {"name": "Provider for Wiki", "acs_url": "https://wiki.example/acs", **flows(admin)}
    pk = admin.post("/providers/saml/", json=saml).json()["pk"]
    behind = proxy(admin, "Provider for Dash")
    admin.post("/core/applications/", json={"name": "Wiki", "slug": "wiki", "provider": pk})
    admin.post("/core/applications/", json={"name": "Dash", "slug": "dash", "provider": behind})
    for slug, words in (("wiki", "'Provider for Wiki' (SAML Provider)"), ("dash", "'Provider for Dash'")):
        wanted = DesiredObject(
            OAUTH2, slug, {"name": slug}, True, frozenset(), frozenset({"name"}), owner=slug
        )
        with pytest.raises(ObjectError) as caught:
            engine(server).create(wanted)
        assert f"application {slug!r} has {words}" in str(caught.value)
    other = proxy(admin, "dash")
    with pytest.raises(ObjectError, match="another one that it does not have is called 'dash'"):
        engine(server).create(DesiredObject(PROXY, "dash", {"name": "dash"}, True, owner="dash"))
    renamed = {"name": "another", "mode": "proxy", "internal_host": "http://dash"}
    assert admin.patch(f"/providers/proxy/{other}/", json=renamed).status_code == 200
    held = engine(server).create(
        DesiredObject(PROXY, "dash", {"name": "dash"}, True, defaulted=frozenset({"name"}), owner="dash")
    )
    assert (held.pk, held.fields["name"]) == (str(behind), "Provider for Dash")
