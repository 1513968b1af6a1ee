"""What a login asks besides a password, as `gatehouse:login` says it, tried on the bench's authentik."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bench.plain import PlainWorld
from bench.security_key import SecurityKey
from bench.tests.authentik.browser import FLOW, PAGE, VALIDATE, Person
from tests.operations.client import BenchClient

pytestmark = pytest.mark.engine

IN, DENIED, PROMPT = "xak-flow-redirect", "ak-stage-access-denied", "ak-stage-prompt"
REMEMBER = "ak-stage-user-login"
NAMES = ("jane", "max", "rosa")
LOGIN = {
    "sessions": {"lasts": "hours=8", "remember": "days=30", "onlyOne": True},
    "passwords": {"minLength": 14, "strength": 3, "haveIBeenPwned": True},
    "lockOut": {"after": 3},
    "passkeys": True,
    "terms": {"text": "Be kind.", "version": "2026-11"},
    "brand": {"title": "Acme", "language": "de"},
}


class House(BenchClient):
    """A client with people."""

    def person(self, username: str, key: SecurityKey | None = None) -> Person:
        password = self.secrets.value(f"person/{username}/password")
        return Person(self.world.issuer, username, password, key)

    def arrives(self, person: Person) -> Any:
        """Log in up to the end, terms accepted where they are asked for."""
        told = person.flow(PAGE)
        if told["component"] == PROMPT:
            told = person.answer(FLOW, PROMPT, **{"attributes.gatehouse_terms_2026_11": True})
        return person.answer(FLOW, REMEMBER, remember_me=False) if told["component"] == REMEMBER else told


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    people = [{"username": name, "name": name.title(), "email": f"{name}@acme.example"} for name in NAMES]
    with PlainWorld(folder / "world", lambda _: None, memory=True).running() as world:
        client = House(folder / "project", world, people=people, login=LOGIN)
        client.up()
        yield client
        client.end()


def errors(told: Any) -> str:
    return " ".join(each["string"] for found in told["response_errors"].values() for each in found)


def test_terms_are_accepted_once_and_not_without_a_tick(house: House) -> None:
    house.pulumi("preview", "--refresh", "--expect-no-changes")
    jane = house.person("jane")
    assert jane.flow(PAGE)["component"] == PROMPT
    for answer in ({}, {"attributes.gatehouse_terms_2026_11": False}):
        assert "accept the terms" in errors(jane.answer(FLOW, PROMPT, **answer))
        assert not jane.inside()
    accepted = jane.answer(FLOW, PROMPT, **{"attributes.gatehouse_terms_2026_11": True})
    assert accepted["component"] == REMEMBER, "the next question"
    assert house.person("jane").flow(PAGE)["component"] == REMEMBER, "not asked again"
    house.pulumi("preview", "--refresh", "--expect-no-changes")


def test_sessions_last_as_long_as_they_should_and_there_is_one(house: House) -> None:
    first = house.person("jane")
    assert house.arrives(first)["component"] == IN
    assert first.inside()
    second = house.person("jane")
    second.flow(PAGE)
    second.answer(FLOW, REMEMBER, remember_me=True)
    (cookie,) = [each for each in second.http.cookies.jar if each.name == "authentik_session"]
    (shorter,) = [each for each in first.http.cookies.jar if each.name == "authentik_session"]
    assert cookie.expires and shorter.expires
    assert cookie.expires - shorter.expires > 29 * 86_400
    assert second.inside()
    assert not first.inside()


def test_wrong_passwords_lock_one_person_out(house: House) -> None:
    rosa = house.person("rosa")
    rosa.answers["ak-stage-password"] = {"password": "wrong"}
    rosa.flow(PAGE)
    for _ in range(2):
        rosa.answer(FLOW, "ak-stage-password", password="wrong")
    denied = house.person("rosa").flow(PAGE)
    assert denied["component"] == DENIED, "with the right password"
    assert "Too many wrong passwords" in denied["error_message"]
    assert house.arrives(house.person("max"))["component"] == IN


def test_new_passwords_follow_the_rules(house: House) -> None:
    """What zxcvbn and haveibeenpwned say is a stand-in of the bench's."""
    jane = house.person("jane")
    house.arrives(jane)
    change = "default-password-change"
    assert jane.flow(f"/if/flow/{change}/?")["component"] == PROMPT
    tries = {
        "short-1234": "at least 14 characters",
        "password-password-1": "too weak",
        "correct horse battery staple": "online lists",
    }
    for password, why in tries.items():
        assert why in errors(jane.answer(change, PROMPT, password=password, password_repeat=password))
    good = "a-quiet-lantern-7"
    assert jane.answer(change, PROMPT, password=good, password_repeat=good)["component"] == IN


def test_a_passkey_takes_the_place_of_name_and_password(house: House) -> None:
    key = SecurityKey()
    holder = house.person("max", key)
    house.arrives(holder)
    setup = "default-authenticator-webauthn-setup"
    holder.enrol(holder.flow(f"/if/flow/{setup}/?"), slug=setup)
    page = house.person("max").http.get(f"/api/v3/flows/executor/{FLOW}/?query=next%3D%2F").json()
    assert page["passwordless_url"].startswith("/if/flow/gatehouse-passkey/")
    for holder_of, component in ((key, REMEMBER), (SecurityKey(), VALIDATE)):
        anybody = Person(house.world.issuer, "", "", holder_of)
        asked = anybody.flow("/if/flow/gatehouse-passkey/?")
        assert anybody.sign(asked, slug="gatehouse-passkey")["component"] == component


def test_the_pages_look_as_they_should_and_all_of_it_goes_again(house: House) -> None:
    brand = house.api.get("/api/v3/core/brands/", params={"domain": "authentik-default"}).json()["results"][0]
    assert (brand["branding_title"], brand["attributes"]) == ("Acme", {"settings": {"locale": "de"}})
    house.edit(login={})
    house.up()
    house.pulumi("preview", "--refresh", "--expect-no-changes")
    brand = house.api.get("/api/v3/core/brands/", params={"domain": "authentik-default"}).json()["results"][0]
    assert (brand["branding_title"], brand["attributes"]) == ("authentik", {})
    assert house.arrives(house.person("max"))["component"] == VALIDATE, "whoever has a key is asked for it"
