"""Second factors as they were recorded: setting one up, being asked for it, and what is refused."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bench.authentik import devices
from bench.security_key import SecurityKey
from bench.tests.authentik.browser import FLOW, PAGE, VALIDATE, WEBAUTHN, Person
from bench.tests.authentik.conftest import Client
from bench.tests.authentik.test_login import person


@pytest.fixture(scope="module")
def strict(shared: Client) -> Client:
    """Everybody needs a security key at the login."""
    setup = shared(
        "POST", "/stages/authenticator/webauthn/", 201, name="key", friendly_name="Key",
        user_verification="required", resident_key_requirement="required",
    )  # fmt: skip
    usual = shared("GET", "/stages/authenticator/validate/?name=default-authentication-mfa-validation", 200)
    shared(
        "PATCH", f"/stages/authenticator/validate/{usual['results'][0]['pk']}/", 200,
        name="default-authentication-mfa-validation", not_configured_action="configure",
        configuration_stages=[setup["pk"]], device_classes=["webauthn"], webauthn_user_verification="required",
    )  # fmt: skip
    return shared


def errors(told: Any) -> str:
    return " ".join(each["string"] for found in told["response_errors"].values() for each in found)


def test_a_security_key_is_set_up_and_then_asked_for(strict: Client) -> None:
    made = person(strict, "ada")
    ada = Person(strict.running.url, "ada", key=SecurityKey())
    asked = ada.flow(PAGE)
    assert asked["component"] == WEBAUTHN
    assert asked["registration"]["authenticatorSelection"]["userVerification"] == "required"
    assert not ada.inside(), "not logged in while it is set up"
    assert "Unexpected client data origin" in errors(ada.enrol(asked, origin="https://evil.example"))
    asked = ada.flow(PAGE)
    assert ada.enrol(asked)["component"] == "xak-flow-redirect"
    assert ada.inside()
    again = Person(strict.running.url, "ada", key=ada.key)
    asked = again.flow(PAGE)
    assert asked["component"] == VALIDATE
    thief = SecurityKey()
    assert ada.key
    thief.credential = ada.key.credential
    told = again.sign(asked, key=thief)
    assert errors(told) == "Assertion failed"
    ada.key.verifies = False
    told = again.sign(told)
    assert errors(told) == "Assertion failed"
    ada.key.verifies = True
    assert errors(again.answer(FLOW, VALIDATE, code="123456")) == "No compatible device class allowed"
    told = again.answer(FLOW, VALIDATE)
    assert errors(told) == "Empty response"
    assert not again.inside()
    assert again.sign(told)["component"] == "xak-flow-redirect"
    assert again.inside()
    (device,) = strict("GET", f"/authenticators/admin/all/?user={made['pk']}", 200)
    assert device["type"] == "authentik_stages_authenticator_webauthn.WebAuthnDevice"
    strict("DELETE", f"/authenticators/admin/webauthn/{device['pk']}/", 204)
    assert Person(strict.running.url, "ada").flow(PAGE)["component"] == WEBAUTHN


def test_an_authenticator_app_and_codes_on_paper(shared: Client) -> None:
    person(shared, "jane")
    shared_login(shared, ["totp", "static"], "skip")
    jane = Person(shared.running.url, "jane")
    assert jane.flow(PAGE)["component"] == "xak-flow-redirect"
    asked = jane.flow("/if/flow/default-authenticator-totp-setup/?")
    seed = parse_qs(urlsplit(asked["config_url"]).query)["secret"][0]
    setup = "default-authenticator-totp-setup"
    assert "response_errors" in jane.answer(setup, "ak-stage-authenticator-totp", code="000000")
    told = jane.answer(setup, "ak-stage-authenticator-totp", code=devices.totp(seed))
    assert told["component"] == "xak-flow-redirect"
    codes = jane.flow("/if/flow/default-authenticator-static-setup/?")["codes"]
    assert jane.answer("default-authenticator-static-setup", "ak-stage-authenticator-static")
    for code, taken in (("000000", False), (devices.totp(seed), True), (codes[0], True), (codes[0], False)):
        again = Person(shared.running.url, "jane")
        assert again.flow(PAGE)["component"] == VALIDATE
        told = again.answer(FLOW, VALIDATE, code=code)
        assert again.inside() is taken, told


def shared_login(client: Client, classes: list[str], action: str) -> None:
    usual = client("GET", "/stages/authenticator/validate/?name=default-authentication-mfa-validation", 200)
    client(
        "PATCH", f"/stages/authenticator/validate/{usual['results'][0]['pk']}/", 200,
        name="default-authentication-mfa-validation", device_classes=classes, not_configured_action=action,
        configuration_stages=[],
    )  # fmt: skip


def test_sessions_are_listed_and_ended(shared: Client) -> None:
    shared_login(shared, ["totp"], "skip")
    made = person(shared, "sam")
    sam = Person(shared.running.url, "sam")
    sam.flow(PAGE)
    assert sam.inside()
    assert len(shared("GET", "/core/authenticated_sessions/?user__username=sam", 200)["results"]) == 1
    shared("DELETE", f"/core/authenticated_sessions/bulk_delete/?user_pks={made['pk']}", 200)
    assert not sam.inside()


def test_too_many_wrong_passwords(shared: Client) -> None:
    person(shared, "rosa")
    rosa = Person(shared.running.url, "rosa")
    rosa.answers["ak-stage-password"] = {"password": "wrong"}
    assert errors(rosa.flow(PAGE)) == "Invalid password"
    for _ in range(3):
        assert errors(rosa.answer(FLOW, "ak-stage-password", password="wrong")) == "Invalid password"
    ended = rosa.answer(FLOW, "ak-stage-password", password="wrong")
    assert (ended["component"], ended["error_message"]) == ("ak-stage-access-denied", "Invalid password")
    (score,) = shared("GET", "/policies/reputation/scores/?identifier=rosa", 200)["results"]
    assert score["score"] == -5


def test_no_secret_of_a_device_leaves(shared: Client) -> None:
    for device in devices.TYPES:
        rows = shared("GET", f"/authenticators/admin/{device}/", 200)["results"]
        assert not re.search(r'"_|seed|codes', json.dumps(rows))
