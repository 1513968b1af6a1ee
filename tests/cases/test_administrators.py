"""Administrators need a security key: every way around it that is known is tried, and with one they get in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from bench.authentik import devices
from bench.plain import PlainWorld
from bench.security_key import SecurityKey
from bench.tests.authentik.browser import FLOW, PAGE, VALIDATE, WEBAUTHN, Person
from tests.operations.client import BenchClient

pytestmark = pytest.mark.engine

DENIED = "ak-stage-access-denied"
IN = "xak-flow-redirect"
RECOVERY = "gatehouse-recovery"
TOTP_SETUP = "default-authenticator-totp-setup"
KEYS = {"administrators": {"hardwareKey": True}, "recovery": True}
NAMES = ("ada", "leo", "tom", "sam")
"""Administrators are ada, who is to get a key, leo, who has none, and tom with an authenticator app."""


class Office(BenchClient):
    """A client with administrators."""

    def person(self, username: str, key: SecurityKey | None = None, password: str = "") -> Person:
        own = self.secrets.value(f"person/{username}/password")
        return Person(self.world.issuer, username, password or own, key)

    def ask(self, method: str, path: str, **body: Any) -> Any:
        answer = self.api.request(method, f"/api/v3{path}", json=body or None).raise_for_status()
        return answer.json() if answer.content else None

    def found(self, path: str, **wanted: str) -> Any:
        (one,) = self.api.get(f"/api/v3{path}", params=wanted).raise_for_status().json()["results"]
        return one

    def quiet(self) -> None:
        self.pulumi("preview", "--refresh", "--expect-no-changes")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("administrators")
    people = [
        {
            "username": name,
            "name": name.title(),
            "email": f"{name}@acme.example",
            "groups": ["staff" if name == "sam" else "admins"],
        }
        for name in NAMES
    ]
    groups = ["staff", {"name": "admins", "superuser": True}]
    with PlainWorld(folder / "world", lambda _: None, memory=True).running() as world:
        client = Office(folder / "project", world, groups=groups, people=people)
        client.up()
        yield client
        client.end()


def test_nobody_gets_around_the_key(office: Office, record_figure: Callable[..., None]) -> None:
    """What a running authentik let through is tried; impersonation, mails and other sources on a stand-in."""
    before = {name: office.person(name) for name in NAMES}
    assert {name: person.flow(PAGE)["component"] for name, person in before.items()} == dict.fromkeys(
        NAMES, IN
    )
    told = before["tom"].flow(f"/if/flow/{TOTP_SETUP}/?")
    seed = parse_qs(urlsplit(told["config_url"]).query)["secret"][0]
    before["tom"].answer(TOTP_SETUP, "ak-stage-authenticator-totp", code=devices.totp(seed))

    office.edit(login=KEYS)
    said = office.project.gatehouse("preview", "acme", GATEHOUSE_PULUMI="")
    assert "administrators who have no security key yet are logged out, and set one up" in said
    said = office.up()
    assert "logged out, until they have set up a security key: ada, akadmin, leo, tom" in said
    office.quiet()

    ways: dict[str, Callable[[], bool]] = {}
    """What is tried -> whether it was refused."""
    ways["an old session"] = lambda: not any(before[name].inside() for name in ("ada", "leo", "tom"))

    def by_password() -> bool:
        leo = office.person("leo")
        return leo.flow(PAGE)["component"] == WEBAUTHN and not leo.inside()

    ways["the password alone"] = by_password

    def by_app_password() -> bool:
        user = office.found("/core/users/", username="leo")
        token = {"identifier": "leo-app", "intent": "app_password", "user": user["pk"], "expiring": False}
        office.ask("POST", "/core/tokens/", **token)
        key = office.ask("GET", "/core/tokens/leo-app/view_key/")["key"]
        leo = office.person("leo", password=key)
        return "Invalid password" in str(leo.flow(PAGE)) and not leo.inside()

    ways["an app password"] = by_app_password

    def by_impersonation() -> bool:
        user = office.found("/core/users/", username="ada")
        path = f"/api/v3/core/users/{user['pk']}/impersonate/"
        return office.api.post(path, json={"reason": "x"}).status_code == 401

    ways["impersonation"] = by_impersonation

    def by_recovery() -> bool:
        user = office.found("/core/users/", username="leo")
        link = office.ask("POST", f"/core/users/{user['pk']}/recovery/")["link"]
        leo = office.person("leo")
        end = leo.flow(link.removeprefix(office.world.issuer))
        return end["component"] == DENIED and "No (allowed) MFA" in end["error_message"] and not leo.inside()

    ways["a recovery mail"] = by_recovery

    def by_broken_policy() -> bool:
        policy = office.found("/policies/expression/", name="gatehouse-needs-key")
        path = f"/policies/expression/{policy['pk']}/"
        office.ask("PATCH", path, name=policy["name"], expression="raise ValueError('broken')")
        leo = office.person("leo")
        refused = leo.flow(PAGE)["component"] == WEBAUTHN and not leo.inside()
        office.ask("PATCH", path, name=policy["name"], expression=policy["expression"])
        return refused

    ways["a policy that raises"] = by_broken_policy

    def by_totp() -> bool:
        """The password and another factor lead to the set-up of a key, and no further."""
        tom = office.person("tom")
        asked = tom.flow(PAGE)
        assert [each["device_class"] for each in asked["device_challenges"]] == ["totp"]
        end = tom.answer(FLOW, VALIDATE, code=devices.totp(seed))
        return end["component"] == WEBAUTHN and not tom.inside()

    ways["another factor"] = by_totp

    def by_key_of_somebody_else() -> bool:
        leo = office.person("leo", SecurityKey())
        leo.enrol(leo.flow(PAGE))
        assert leo.inside()
        ada = office.person("ada", leo.key)
        ada.enrol(ada.flow(PAGE))
        other = SecurityKey()
        again = office.person("ada", other)
        return "response_errors" in again.sign(again.flow(PAGE)) and not again.inside()

    ways["another key"] = by_key_of_somebody_else

    def by_a_second_key_in_an_open_session() -> bool:
        leo = office.person("leo", SecurityKey())
        assert leo.flow(PAGE)["component"] == VALIDATE
        ada = office.person("ada", SecurityKey())
        return ada.flow(PAGE)["component"] == VALIDATE and not ada.inside()

    ways["a key without the first one"] = by_a_second_key_in_an_open_session

    refused = {name for name, way in ways.items() if way()}
    record_figure("test", mfa_bypasses_refused=(len(refused), len(ways)))
    assert refused == ways.keys()


def test_with_a_key_they_get_in_and_the_first_administrator_of_a_fresh_server_too(office: Office) -> None:
    tom = office.person("sam")
    assert tom.flow(PAGE)["component"] == IN, "who is nobody special is not asked"
    user = office.found("/core/users/", username="akadmin")
    office.ask("POST", f"/core/users/{user['pk']}/set_password/", password="the-first-password-0123")
    first = office.person("akadmin", SecurityKey(), password="the-first-password-0123")
    assert first.enrol(first.flow(PAGE))["component"] == IN
    me = first.http.get("/api/v3/core/users/me/").json()["user"]
    assert me["is_superuser"]
    again = office.person("akadmin", first.key, password="the-first-password-0123")
    assert again.sign(again.flow(PAGE))["component"] == IN
    assert again.http.get("/api/v3/core/users/").status_code == 200
    # In the open session another key is set up with the first one only.
    asked = again.flow("/if/flow/default-authenticator-webauthn-setup/?")
    assert asked["component"] == VALIDATE
    assert again.sign(asked, slug="default-authenticator-webauthn-setup")["component"] == WEBAUTHN


def test_it_goes_with_its_reason_and_no_condition_goes_before_its_stage(office: Office) -> None:
    why = "their keys come in January, says Kim"
    office.api.delete("/_bench/journal")
    office.edit(login={"administrators": {"hardwareKey": False, "because": why}})
    assert why in office.up()
    deleted = [
        each["path"] for each in office.api.get("/_bench/journal").json() if each["method"] == "DELETE"
    ]
    ours = [path for path in deleted if path.startswith("/api/v3/policies/bindings/")]
    assert len(ours) == 1, "that of authentik's own stage, which stays; the others go with their stages"
    assert [path for path in deleted if path.startswith("/api/v3/flows/bindings/")]
    office.quiet()
    assert office.ask("GET", "/admin/settings/")["impersonation"] is True
    leo = office.person("leo")
    assert leo.flow(PAGE)["component"] == VALIDATE, "whoever has a key is still asked for it"
    left = office.ask("GET", "/stages/all/?page_size=100")["results"]
    assert not [each["name"] for each in left if each["name"].startswith("gatehouse-key")]
    usual = office.found("/stages/password/", name="default-authentication-password")
    assert "authentik.core.auth.TokenBackend" in usual["backends"]
