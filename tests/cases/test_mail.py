"""Mails that authentik sends, through a real mail server on loopback, up to the end of what their links lead to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bench.mail import Mailbox, serving
from bench.plain import PlainWorld
from bench.tests.authentik.browser import PAGE, Person
from tests.operations.client import BenchClient

pytestmark = pytest.mark.engine

IN, PROMPT, CONFIRM = "xak-flow-redirect", "ak-stage-prompt", "ak-stage-consent"
RECOVERY = "gatehouse-recovery"
UNTIL = "2099-01-01T00:00:00+00:00"
LOGIN = {"recovery": True, "invitations": {"spring": {"group": "staff", "expires": UNTIL}}}


@pytest.fixture(scope="module")
def mailbox() -> Iterator[Mailbox]:
    with serving() as box:
        yield box


@pytest.fixture(scope="module")
def client(mailbox: Mailbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BenchClient]:
    folder = tmp_path_factory.mktemp("mail")
    people = [
        {"username": "max", "name": "Max", "email": "max@acme.example", "groups": ["staff"]},
        {"username": "eve", "name": "Eve", "email": "eve@acme.example", "active": False},
    ]
    told = {"HOST": "127.0.0.1", "PORT": str(mailbox.port), "FROM": "sso@acme.example"}
    environment = {f"AUTHENTIK_EMAIL__{name}": value for name, value in told.items()}
    world = PlainWorld(folder / "world", lambda _: None, memory=True, environment=environment)
    with world.running():
        client = BenchClient(folder / "project", world, groups=["staff"], people=people, login=LOGIN)
        client.up()
        yield client
        client.end()


def ask(client: BenchClient, who: str) -> Any:
    """Ask for a mail, by the link on the login page; what the page says."""
    return Person(client.world.issuer, who).flow(f"/if/flow/{RECOVERY}/?")


def errors(told: Any) -> str:
    return " ".join(each["string"] for found in told["response_errors"].values() for each in found)


def test_a_forgotten_password_up_to_the_new_one(client: BenchClient, mailbox: Mailbox) -> None:
    assert ask(client, "max@acme.example")["component"] == "ak-stage-email"
    mail = mailbox.to("max@acme.example")
    assert (mail["Subject"], mail["From"]) == ("Reset your password", "sso@acme.example")
    link = mailbox.link("max@acme.example").removeprefix(client.world.issuer)
    max_ = Person(client.world.issuer, "max")
    page = f"/api/v3/flows/executor/{RECOVERY}/"
    query = link.partition("?")[2]
    for _scanner in range(2):  # opens the link, and answers nothing
        assert (
            Person(client.world.issuer, "x").http.get(page, params={"query": query}).json()["component"]
            == CONFIRM
        )

    def answer(component: str, **body: str) -> Any:
        reply = max_.http.post(page, params={"query": query}, json={"component": component, **body})
        while reply.status_code == 302:
            reply = max_.http.get(reply.headers["location"])
        return reply.json()

    asked = max_.http.get(page, params={"query": query}).json()
    assert answer(CONFIRM, token=asked["token"])["component"] == PROMPT
    short = answer(PROMPT, password="short", password_repeat="short")
    assert errors(short) == "Use at least 12 characters."
    unlike = answer(PROMPT, password="a-quiet-lantern-7", password_repeat="a-quiet-lantern-8")
    assert errors(unlike) == "Passwords don't match."
    assert (
        answer(PROMPT, password="a-quiet-lantern-7", password_repeat="a-quiet-lantern-7")["component"] == IN
    )
    assert max_.inside()
    assert Person(client.world.issuer, "max", "a-quiet-lantern-7").flow(PAGE)["component"] == IN
    assert not client.can_log_in("max"), "with the former password"
    late = Person(client.world.issuer, "x").http.get(page, params={"query": query}).json()
    assert late["component"] == "ak-stage-identification", "the link is used up"


def test_nobody_else_gets_a_mail(client: BenchClient, mailbox: Mailbox) -> None:
    before = len(mailbox.mails)
    assert ask(client, "nobody@acme.example")["component"] == "ak-stage-email", "the same page"
    closed = ask(client, "eve@acme.example")
    assert closed["error_message"] == "This account is closed."
    assert ask(client, "max")["component"] == "ak-stage-email"
    mailbox.to("max@acme.example")
    assert {mail["To"] for mail in mailbox.mails[before:]} <= {"max@acme.example"}


def test_an_invitation_up_to_the_new_account(client: BenchClient) -> None:
    kim = Person(client.world.issuer, "kim")
    refused = kim.flow("/if/flow/gatehouse-join-spring/?")
    assert refused["component"] == "ak-stage-access-denied"
    invited = client.api.get("/api/v3/stages/invitation/invitations/").json()["results"][0]
    query = f"itoken={invited['pk']}"
    assert kim.flow(f"/if/flow/gatehouse-join-spring/?{query}")["component"] == PROMPT
    given = {"username": "kim", "name": "Kim", "email": "kim@acme.example"}
    secret = {"password": "a-quiet-lantern-9", "password_repeat": "a-quiet-lantern-9"}
    slug = "gatehouse-join-spring"
    assert kim.answer(slug, PROMPT, **given, **secret)["component"] == IN
    assert kim.inside()
    staff = client.one("group", "staff")["pk"]
    assert client.one("user", "kim")["groups"] == [staff]
    assert Person(client.world.issuer, "kim", "a-quiet-lantern-9").flow(PAGE)["component"] == IN
