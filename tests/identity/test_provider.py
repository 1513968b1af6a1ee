"""The provider as the engine sees it: a process of its own, over gRPC, against an authentik."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dill
import grpc
import httpx
import pytest

from bench.authentik.testing import Running
from components.identity.provider import AuthentikProvider
from components.objects.errors import ObjectError
from components.objects.values import is_unknown
from tests.identity.conftest import TOKEN
from tests.objects.plugin import ROOT, UNKNOWN, Plugin, connected, local, pickled, plugin, process


def props(kind: str, logical: str, adopt: bool = False, **fields: Any) -> dict[str, Any]:
    return {**fields, "gatehouse": {"kind": kind, "logical": logical, **({"adopt": True} if adopt else {})}}


def group(name: str = "staff", **more: Any) -> dict[str, Any]:
    return props(
        "authentik_core.group", more.pop("logical", name), more.pop("adopt", False), name=name, **more
    )


PROVIDER = {
    "name": "grafana",
    "authorization_flow": "default-provider-authorization-implicit-consent",
    "invalidation_flow": "default-provider-invalidation-flow",
    "client_id": "grafana-id",
    "client_secret": "grafana-secret-value",
    "redirect_uris": [{"matching_mode": "strict", "url": "https://grafana.acme.example/login"}],
    "property_mappings": [
        "goauthentik.io/providers/oauth2/scope-openid",
        "goauthentik.io/providers/oauth2/scope-email",
    ],
    "signing_key": "authentik Self-signed Certificate",
    "grant_types": ["authorization_code", "refresh_token"],
}


def oauth2(**changes: Any) -> dict[str, Any]:
    return props("authentik_providers_oauth2.oauth2provider", "grafana", **(PROVIDER | changes))


@pytest.fixture
def config(server: Running) -> dict[str, str]:
    return {"address": server.url, "token": TOKEN, "bootstrap": server.token, "line": "2026.8"}


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[grpc.Channel, Path]]:
    with process() as started:
        yield started


@pytest.fixture
def channel(running: tuple[grpc.Channel, Path]) -> Iterator[grpc.Channel]:
    """To a provider process of all tests, which has no notes of what another created."""
    yield running[0]
    shutil.rmtree(running[1] / ".gatehouse", ignore_errors=True)


@pytest.fixture
def engine(channel: grpc.Channel, config: dict[str, str]) -> Plugin:
    return connected(channel, AuthentikProvider(), config).later()


@pytest.fixture
def nowhere(channel: grpc.Channel, request: pytest.FixtureRequest) -> Plugin:
    """A provider of a line, 2026.8 unless the test asks for another, at an address where nobody answers."""
    line = getattr(request, "param", "2026.8")
    config = {"address": "http://127.0.0.1:9", "token": TOKEN, "line": line}
    return connected(channel, AuthentikProvider(), config).later()


def test_the_pickle_is_a_reference_to_a_frozen_name() -> None:
    blob = pickled(AuthentikProvider())
    assert b"components.identity.provider" in blob
    assert b"AuthentikProvider" in blob
    assert len(blob) < 100
    assert AuthentikProvider.serialize_as_secret_always is False


RECORDED = "gASVOQAAAAAAAACMHGNvbXBvbmVudHMuaWRlbnRpdHkucHJvdmlkZXKUjBFBdXRoZW50aWtQcm92aWRlcpSTlCmBlC4="
"""The provider as the first states hold it."""


@pytest.mark.parametrize(
    "before",
    [
        {"unset": ["flow_recovery"], "values": {"branding_title": "Before"}},
        {"json": '{"branding_title": "Before", "flow_recovery": null}'},
    ],
    ids=["first", "present"],
)
def test_states_of_every_version_are_understood(
    before: dict[str, Any], config: dict[str, str], admin: httpx.Client
) -> None:
    """A class that moved, or outputs of another form, would leave every client's state behind."""
    provider = dill.loads(base64.b64decode(RECORDED))
    assert type(provider) is AuthentikProvider
    outputs = {
        "domain": "authentik-default",
        "branding_title": "Acme",
        "gatehouse": {"kind": "authentik_brands.brand", "logical": "brand", "adopt": True, "adopted": True},
        "gatehouse_before": before,
    }
    brand = admin.get("/core/brands/").json()["results"][0]["brand_uuid"]
    with local(provider, config) as later:
        assert later.read(brand, outputs)[1]["branding_title"] == "authentik"
        later.delete(brand, outputs)
    assert admin.get("/core/brands/").json()["results"][0]["branding_title"] == "Before"


def test_check_and_diff_contact_nobody(nowhere: Plugin) -> None:
    inputs = nowhere.check(oauth2(name=" grafana ", access_token_validity="hours=1"))
    assert inputs["name"] == "grafana"
    assert nowhere.diff("1", inputs, inputs) == (False, [])
    assert nowhere.diff("1", inputs, {**inputs, "name": "other"}) == (True, [])
    swapped = {**inputs, "property_mappings": list(reversed(inputs["property_mappings"]))}
    assert nowhere.diff("1", inputs, swapped) == (False, [])
    without = {name: value for name, value in inputs.items() if name != "access_token_validity"}
    assert nowhere.diff("1", inputs, without) == (True, [])


@pytest.mark.parametrize("nowhere", ["2026.2"], indirect=True)
def test_check_objects_by_the_catalog_of_the_line(nowhere: Plugin) -> None:
    wrong = {name: value for name, value in PROVIDER.items() if name != "invalidation_flow"}
    assert nowhere.failures(props("authentik_providers_oauth2.oauth2provider", "x", **wrong)) == [
        (
            "grant_types",
            "exists from 2026.5 on, as far as known; this stack runs 2026.2. Leave it out, or change the version",
        ),
        ("", "invalidation_flow is missing. Give it the name of another object"),
    ]
    said = {"identifier": "ci/cd", "intent": "app_password", "expires": "2031-01-31T12:00:00"}
    token = props("authentik_core.token", "x", **said)
    assert sorted(nowhere.failures(token), reverse=True) == [
        ("identifier", "has '/' in it. Use letters from a to z, digits, - and _ only"),
        ("expires", "says no time zone. Write 2031-01-31T12:00:00+00:00, or with Z, if that is UTC"),
    ]
    later = props("authentik_core.token", "x", identifier="ci", expires=UNKNOWN)
    assert nowhere.failures(later) == []


def test_unknown_reference_replaces_only_where_deletion_cascades(nowhere: Plugin) -> None:
    olds = nowhere.check(oauth2())
    unknown = {**olds, "authorization_flow": UNKNOWN}
    assert is_unknown(nowhere.check(unknown)["authorization_flow"])
    assert nowhere.diff("1", olds, unknown) == (True, ["authorization_flow"])
    assert nowhere.diff("1", olds, {**olds, "invalidation_flow": UNKNOWN}) == (True, [])


def test_a_client_from_nothing_and_back(engine: Plugin, admin: httpx.Client) -> None:
    made = [
        group(is_superuser=False, attributes={"tier": 1.0, "ratio": 0.5}),
        props(
            "authentik_core.user",
            "jane",
            username="jane",
            name="Jane",
            groups=["staff"],
            password="Jane-pass-0123",
        ),
        oauth2(),
        props("authentik_core.application", "grafana", slug="grafana", name="Grafana", provider="grafana"),
        props(
            "authentik_policies.policybinding",
            "grafana-staff",
            target="authentik_core.application:grafana",
            group="staff",
            order=0.0,
        ),
    ]
    held = []
    for wanted in made:
        inputs = engine.check(wanted)
        id_, outputs = engine.create(inputs)
        held.append((id_, inputs, outputs))
        assert outputs == inputs
    assert admin.get("/core/groups/?name=staff").json()["results"][0]["attributes"] == {
        "tier": 1,
        "ratio": 0.5,
    }
    [jane] = admin.get("/core/users/?username=jane").json()["results"]
    assert [each["name"] for each in jane["groups_obj"]] == ["staff"]

    for id_, inputs, outputs in held:
        again, read, read_inputs = engine.read(id_, outputs)
        assert (again, read) == (id_, outputs)
        assert read_inputs == inputs
        assert engine.diff(id_, read, inputs) == (False, [])

    with local(AuthentikProvider(), engine.config) as fresh:
        for id_, _, outputs in reversed(held):
            fresh.delete(id_, outputs)
    assert admin.get("/core/groups/?name=staff").json()["results"] == []
    assert admin.get("/providers/oauth2/").json()["results"] == []


def test_drift_comes_back_as_outputs_and_inputs(engine: Plugin, admin: httpx.Client) -> None:
    inputs = engine.check(oauth2())
    id_, outputs = engine.create(inputs)
    admin.patch(f"/providers/oauth2/{id_}/", json={"sub_mode": "user_email", "property_mappings": []})
    with local(AuthentikProvider(), engine.config) as fresh:
        _, read, read_inputs = fresh.read(id_, outputs)
        assert read["property_mappings"] == []
        assert read == read_inputs
        assert "sub_mode" not in read
        assert fresh.diff(id_, read, inputs)[0]
        assert fresh.update(id_, read, inputs) == outputs
    assert len(admin.get(f"/providers/oauth2/{id_}/").json()["property_mappings"]) == 2
    assert admin.get(f"/providers/oauth2/{id_}/").json()["sub_mode"] == "user_email"


def test_gone_by_hand(engine: Plugin, admin: httpx.Client) -> None:
    id_, outputs = engine.create(engine.check(group()))
    admin.delete(f"/core/groups/{id_}/")
    with local(AuthentikProvider(), engine.config) as fresh:
        assert fresh.read(id_, outputs)[0] == ""
        fresh.delete(id_, outputs)
        with pytest.raises(ObjectError, match="no longer there"):
            fresh.update(id_, outputs, outputs)


def test_adopting_and_letting_go_of_a_default_object(engine: Plugin, admin: httpx.Client) -> None:
    wanted = props(
        "authentik_brands.brand",
        "brand",
        adopt=True,
        domain="authentik-default",
        branding_title="Acme",
        flow_recovery="default-authentication-flow",
    )
    id_, outputs = engine.create(engine.check(wanted))
    assert outputs["gatehouse"]["adopted"] is True
    assert json.loads(outputs["gatehouse_before"]["json"])["flow_recovery"] is None
    [brand] = admin.get("/core/brands/").json()["results"]
    assert (brand["branding_title"], brand["flow_recovery"] is None) == ("Acme", False)
    with local(AuthentikProvider(), engine.config) as fresh:
        assert fresh.read(id_, outputs)[1] == outputs
        fresh.delete(id_, outputs)
    [brand] = admin.get("/core/brands/").json()["results"]
    assert (brand["branding_title"], brand["flow_recovery"]) == ("authentik", None)


def test_hand_made_twin_is_refused_and_stays(engine: Plugin, admin: httpx.Client) -> None:
    admin.post("/core/groups/", json={"name": "staff"})
    with pytest.raises(grpc.RpcError) as caught:
        engine.create(engine.check(group()))
    text = caught.value.details()
    assert text.startswith("ObjectError: authentik at http://127.0.0.1")
    assert "adopt: true" in text
    assert "Traceback" not in text
    assert len(admin.get("/core/groups/?name=staff").json()["results"]) == 1


def test_user_without_its_password_converges_after_a_kill(
    engine: Plugin, admin: httpx.Client, config: dict[str, str]
) -> None:
    engine.create(engine.check(group()))
    staff = admin.get("/core/groups/?name=staff").json()["results"][0]["pk"]
    admin.post("/core/users/", json={"username": "jane", "name": "Jane", "groups": [staff]})
    urn = "urn:pulumi:acme::gatehouse::pulumi-python:dynamic/authentik_core:user::jane"
    user = props(
        "authentik_core.user",
        "jane",
        username="jane",
        name="Jane",
        groups=["staff"],
        password="New-pass-0123",
    )
    with plugin(AuthentikProvider(), config, {"GATEHOUSE_PENDING_CREATES": json.dumps([urn])}) as later:
        id_, outputs = later.create(later.check(user))
    assert "adopted" not in outputs["gatehouse"]
    assert outputs["password"] == "New-pass-0123"
    with local(AuthentikProvider(), config) as fresh:
        fresh.delete(id_, outputs)
    assert admin.get("/core/users/?username=jane").json()["results"] == []


def test_errors_hold_no_secret(engine: Plugin) -> None:
    bad = oauth2(
        client_secret="grafana-secret-value", redirect_uris=[{"matching_mode": "regex", "url": "https://x/("}]
    )
    with pytest.raises(grpc.RpcError) as caught:
        engine.create(engine.check(bad))
    assert "redirect_uris" in caught.value.details()
    assert "grafana-secret-value" not in caught.value.details()
    assert TOKEN not in caught.value.details()


def test_the_process_ends_with_its_launcher(config: dict[str, str]) -> None:
    """The official launcher is a shell script that stays: what counts is the engine above it."""
    launcher = textwrap.dedent(f"""
        import os, subprocess, sys, time
        script = 'echo $$ >&2; "{sys.executable}" -u -m pulumi.dynamic # pulumi-resource-pulumi-python'
        shell = subprocess.Popen(["sh", "-c", script + "; true"], stdout=subprocess.PIPE)
        print(shell.pid, shell.stdout.readline().decode().strip(), flush=True)
        time.sleep(60)
    """)
    above = subprocess.Popen(
        [sys.executable, "-c", launcher], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert above.stdout is not None
    shell, port = (int(each) for each in above.stdout.readline().split())
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        running = connected(channel, AuthentikProvider(), config)
        running.check(group())
        above.kill()
        above.wait()
        deadline = time.monotonic() + 10
        while Path(f"/proc/{shell}").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not Path(f"/proc/{shell}").exists()


def test_a_proxy_provider_that_was_deleted_is_no_oauth2_provider_any_more(engine: Plugin) -> None:
    """authentik lists proxy providers among those of OAuth2, too."""
    flows = {name: PROVIDER[name] for name in ("authorization_flow", "invalidation_flow")}
    kind, url = "authentik_providers_proxy.proxyprovider", "https://grafana.acme.example"
    behind = props(kind, "grafana", name="grafana", mode="forward_single", external_host=url, **flows)
    id_, outputs = engine.create(engine.check(behind))
    later = engine.later()
    wiki = {
        **oauth2(name="wiki", client_id="wiki-id"),
        "gatehouse": {**oauth2()["gatehouse"], "logical": "wiki"},
    }
    later.create(later.check(wiki))  # the list has been read
    later.delete(id_, outputs)
    assert later.create(later.check(oauth2()))[1]["name"] == "grafana"


def test_a_kind_that_the_declared_line_does_not_have_is_said_by_name(config: dict[str, str]) -> None:
    newer = props("authentik_requests.requestrule", "access", name="access")
    said = r"authentik_requests.requestrule, a kind that is not known for this server\.\n  Declare the server.s version"
    with local(AuthentikProvider(), config | {"line": "2025.8"}) as older:
        with pytest.raises(ObjectError, match=said):
            older.read("1", newer)
        with pytest.raises(ObjectError, match=said):
            older.delete("1", newer)


def test_an_adopted_object_does_not_make_room_for_another_kind(config: dict[str, str]) -> None:
    """It is given back, and so its name stays taken: that is said by the preview."""
    olds = oauth2()
    olds["gatehouse"]["adopted"] = True
    news = props("authentik_providers_proxy.proxyprovider", "grafana", name="grafana")
    with local(AuthentikProvider(), config) as later:
        assert later.diff("7", oauth2(), news) == (True, ["gatehouse"])
        with pytest.raises(
            ObjectError, match=r"'grafana' was there before .* a proxy provider cannot take its name"
        ):
            later.diff("7", olds, news)
