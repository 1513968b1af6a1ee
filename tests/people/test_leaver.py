"""Somebody leaves: wherever a run is cut off, the next one finishes it; and who must not leave does not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from bench.authentik.testing import Running, serve
from bench.tests.authentik.browser import CONTEXT, PASSWORD
from bench.tests.authentik.conftest import Client
from bench.tests.authentik.test_login import person
from components.identity.dialect import Authentik
from components.identity.kinds import ReleaseLine
from components.secrets import new_root_secret
from components.settings import Settings, parse
from operations.errors import OperatorError
from operations.leaver import Leaver, NobodyError, carry_out, leaver
from operations.proof import still_open
from operations.stack import Stack
from tests.people.belongings import CALLBACK, Belongings

ROOT = new_root_secret()


class Killed(BaseException):
    """The run ends here."""


class Cut(Authentik):
    """An authentik that answers so many times, and then the run is cut off."""

    left: int

    def request(self, method: str, path: str, **more: Any) -> Any:
        if self.left == 0:
            raise Killed
        self.left -= 1
        return super().request(method, path, **more)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with serve(version="2026.8.3") as emulator:
        client = Client(emulator)
        staff = client("POST", "/core/groups/", 201, name="staff")["pk"]
        scopes = client("GET", "/propertymappings/provider/scope/", 200)["results"]
        provider = client.provider(
            "wiki", client_id="wiki", client_secret="s" * 20, property_mappings=[each["pk"] for each in scopes],
            redirect_uris=[{"matching_mode": "strict", "url": CALLBACK.format("wiki")}],
            grant_types=["authorization_code", "refresh_token", "client_credentials"],
        )  # fmt: skip
        app = client("POST", "/core/applications/", 201, name="wiki", slug="wiki", provider=provider["pk"])
        client("POST", "/policies/bindings/", 201, target=app["pk"], group=staff, order=0)
        yield emulator


def asked(emulator: Running, token: str = "") -> Authentik:
    return Authentik(emulator.url, token or emulator.token, None, ReleaseLine("2026.8"))


def written(tmp_path: Path, emulator: Running, *people: dict[str, Any]) -> tuple[Stack, Settings]:
    """A stack with these people, as its file has it and decrypted."""
    config: dict[str, Any] = {
        "client": "acme", "domain": "acme.example", "box": "none", "groups": ["staff", "books"], "people": list(people),
        "authentik": {"version": "2026.8.3", "url": emulator.url, "token": {"secure": "v1:x"}},
        "rootSecret": {"secure": "v1:y"},
    }  # fmt: skip
    if any(each["username"] == "kim" for each in people):
        config["login"] = {"invitations": {"join": {"group": "staff", "expires": "2099-01-01T00:00:00Z"}}}
        config["apps"] = {
            "ledger": {"preset": "grafana", "url": "https://ledger.acme.example", "users": ["kim"]}
        }
    stack = Stack("acme")
    stack.file = tmp_path / "Pulumi.acme.yaml"
    text = {"config": {f"gatehouse:{name}": value for name, value in config.items()}}
    stack.file.write_text("# kept\n" + yaml.safe_dump(text, sort_keys=False))
    clear = {**config, "rootSecret": ROOT, "authentik": {**config["authentik"], "token": emulator.token}}
    return stack, parse(clear)


def entry(username: str, **more: Any) -> dict[str, Any]:
    return {
        "username": username,
        "name": username,
        "email": f"{username}@acme.example",
        "groups": ["staff"],
        **more,
    }


def at_work(emulator: Running, username: str) -> Belongings:
    client = Client(emulator)
    group = client("GET", "/core/groups/?name=staff", 200)["results"][0]["pk"]
    person(client, username, email=f"{username}@acme.example", groups=[group])
    headers = {"Authorization": f"Bearer {emulator.token}"}
    admin = httpx.Client(base_url=emulator.url, headers=headers, verify=CONTEXT)
    apps = {"wiki": ("wiki", "s" * 20)}
    return Belongings(emulator.url, admin, username, PASSWORD, apps).collect(sessions=1)


def test_wherever_it_is_cut_off_the_next_run_finishes_it(running: Running, tmp_path: Path) -> None:
    number, finished = 0, False
    while not finished:
        username = f"jane{number}"
        jane = at_work(running, username)
        stack, settings = written(tmp_path, running, entry(username))
        cut = Cut(running.url, running.token, None, ReleaseLine("2026.8"))
        cut.left = number
        first = leaver(stack, settings, asked(running), username)
        try:
            carry_out(first, cut)
            finished = True
        except Killed:
            # Whatever follows, no `up` lets them in again.
            config = yaml.safe_load(stack.file.read_text())["config"]
            assert config["gatehouse:people"][0]["active"] is False
            _, settings = written(tmp_path, running, entry(username, groups=[], active=False))
        second = leaver(stack, settings, asked(running), username)
        carry_out(second, asked(running))
        assert number % 4 or not any(jane.works().values()), number  # to try all of it takes a second
        assert set(jane.left().values()) == {0}, number
        assert list(still_open(second, asked(running))) == []
        number += 1
    assert number > 10
    assert leaver(stack, settings, asked(running), username).is_out


def test_the_last_administrator_stays(running: Running, tmp_path: Path) -> None:
    """The stack works with a service account, and akadmin is locked out: one person is left."""
    client = Client(running)
    admins = client("POST", "/core/groups/", 201, name="admins", is_superuser=True)["pk"]
    robot = client(
        "POST", "/core/users/service_account/", 200, name="robot", create_group=False, expiring=False
    )
    client("PATCH", f"/core/users/{robot['user_pk']}/", 200, groups=[admins])
    client("POST", "/core/tokens/", 201, identifier="robot", intent="api", user=robot["user_pk"])
    token = client("GET", "/core/tokens/robot/view_key/", 200)["key"]
    ada = person(client, "ada", email="ada@acme.example", groups=[admins])
    akadmin = client("GET", "/core/users/?username=akadmin", 200)["results"][0]["pk"]
    stack, settings = written(tmp_path, running, entry("ada"))
    before = stack.file.read_text()
    server = asked(running, token)
    server.request("PATCH", f"/core/users/{akadmin}/", body={"is_active": False})
    try:
        with pytest.raises(OperatorError, match="nobody would administrate authentik any more") as refused:
            leaver(stack, settings, server, "ada")
        assert "a person in a group with `superuser: true`" in refused.value.remedy
        assert stack.file.read_text() == before
        # The remedy: another one first.
        person_of(server, "bea", admins)
        carry_out(leaver(stack, settings, server, "ada"), server)
        assert not server.request("GET", f"/core/users/{ada['pk']}/")["is_active"]
    finally:
        server.request("PATCH", f"/core/users/{akadmin}/", body={"is_active": True})
    with pytest.raises(OperatorError, match="no person but an account that a program works with"):
        leaver(stack, settings, server, "robot")


def person_of(server: Authentik, username: str, group: str) -> None:
    server.request("POST", "/core/users/", body={"username": username, "name": username, "groups": [group]})


def test_somebody_is_found_by_address_and_only_if_it_is_one(running: Running, tmp_path: Path) -> None:
    client = Client(running)
    for username in ("twin1", "twin2"):
        person(client, username, email="twin@acme.example")
    stack, settings = written(tmp_path, running, entry("unborn"))
    server = asked(running)
    with pytest.raises(OperatorError, match="twin1 and twin2 have the address"):
        leaver(stack, settings, server, "twin@acme.example")
    assert leaver(stack, settings, server, "twin2").username == "twin2"
    with pytest.raises(NobodyError, match="acme has nobody called nobody"):
        leaver(stack, settings, server, "nobody")
    only_written: Leaver = leaver(stack, settings, server, "unborn@acme.example")
    assert only_written.user is None
    assert list(only_written.steps()) == ["stacks/Pulumi.acme.yaml: locked out, and in no group"]


def test_somebody_takes_over_what_nobody_else_has(running: Running, tmp_path: Path) -> None:
    client = Client(running)
    books = client("POST", "/core/groups/", 201, name="books")["pk"]
    person(client, "kim", email="kim@acme.example", groups=[books])
    people = [entry("kim", groups=["staff", "books"]), entry("lee"), entry("mia", active=False)]
    stack, settings = written(tmp_path, running, *people)
    server = asked(running)
    assert "nobody else is in the group books" in leaver(stack, settings, server, "kim").left_behind
    with pytest.raises(OperatorError, match="nobody called mia in its stack file who could take over"):
        leaver(stack, settings, server, "kim", "mia")
    gone = leaver(stack, settings, server, "kim", "lee")
    assert any(
        "the invitation join can make an account until 2099-01-01" in each for each in gone.left_behind
    )
    assert gone.handed == ["lee takes over the group books", "lee takes over the app ledger"]
    assert not [each for each in gone.left_behind if each.startswith("nobody else")]
    assert "stacks/Pulumi.acme.yaml: lee takes over the app ledger" in list(gone.steps())
    carry_out(gone, server)
    config = yaml.safe_load(stack.file.read_text())["config"]
    assert [(each["groups"], each.get("active", True)) for each in config["gatehouse:people"]] == [
        ([], False), (["staff", "books"], True), (["staff"], False),
    ]  # fmt: skip
    assert config["gatehouse:apps"]["ledger"]["users"] == ["lee"]


def test_an_account_at_a_source_stays_linked_and_makes_no_new_one(running: Running, tmp_path: Path) -> None:
    client = Client(running)
    ines = at_work(running, "ines")
    flow = client.flow("default-source-enrollment")
    source = client(
        "POST", "/sources/oauth/", 201, name="gh", slug="gh", provider_type="openidconnect", consumer_key="x",
        consumer_secret="x", authorization_url="https://idp.example/a", access_token_url="https://idp.example/t",
        profile_url="https://idp.example/p", enrollment_flow=flow,
    )["pk"]  # fmt: skip
    stack, settings = written(tmp_path, running, entry("ines", adopt=True))
    left = leaver(stack, settings, asked(running), "ines").left_behind
    assert "gh makes an account for whoever comes: close theirs there as well" in left
    assert any(each.startswith("their entry in the stack file has to stay") for each in left)
    with running.store.writing():
        linked = {"pk": 1, "user": ines.pk, "source": source, "identifier": "4711"}
        running.store.insert("/sources/user_connections/oauth/", 1, linked)
    gone = leaver(stack, settings, asked(running), "ines")
    assert (
        "their account at gh stays linked to the closed one, so that it makes no new one" in gone.left_behind
    )
    carry_out(gone, asked(running))
    links = client("GET", f"/sources/user_connections/all/?user={ines.pk}", 200)["results"]
    assert [link["identifier"] for link in links] == ["4711"]
    assert not any(ines.works().values())
    client("DELETE", "/sources/oauth/gh/", 204)


def test_a_recovery_mail_that_activates_is_a_way_in(running: Running, tmp_path: Path) -> None:
    client = Client(running)
    zoe = at_work(running, "zoe")
    stack, settings = written(tmp_path, running, entry("zoe"))
    flow = client(
        "POST", "/flows/instances/", 201, name="recovery", slug="recovery", title="R", designation="recovery",
        authentication="none",
    )  # fmt: skip
    stage = client(
        "POST", "/stages/email/", 201, name="mail", activate_user_on_success=True, use_global_settings=True
    )
    client("POST", "/flows/bindings/", 201, target=flow["pk"], stage=stage["pk"], order=0)
    gone = leaver(stack, settings, asked(running), "zoe")
    carry_out(gone, asked(running))
    (left,) = still_open(gone, asked(running))
    assert "a recovery mail would make the account active again" in left
    assert "the e-mail stage mail" in left
    client("DELETE", f"/flows/instances/{flow['slug']}/", 204)
    assert list(still_open(gone, asked(running))) == []
    assert not any(zoe.works().values())
