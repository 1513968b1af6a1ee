"""What a rehearsal does with its copy, on an authentik of the bench that is reached through a relay."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.plain import PlainWorld
from operations import rehearse
from operations.rehearse import Server
from operations.relay import relay
from tests.host import mocks
from tests.operations.client import BenchClient

pytestmark = pytest.mark.engine

CLIENT = {
    "groups": ["staff"],
    "people": [
        {"username": "max", "name": "Max", "email": "max@acme.example"},
        {"username": "jane", "name": "Jane", "email": "jane@acme.example", "groups": ["staff"]},
    ],
    "apps": {"grafana": {"preset": "grafana", "url": "https://grafana.acme.example", "groups": ["staff"]}},
}


@pytest.fixture(scope="module")
def client(world: PlainWorld, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BenchClient]:
    """A client with an app that one of two people may use."""
    made = BenchClient(tmp_path_factory.mktemp("rehearse") / "gatehouse", world, **CLIENT)
    made.up()
    yield made
    made.end()


@pytest.fixture
def copy(client: BenchClient) -> Iterator[Server]:
    """The same authentik, as a copy on a box is reached: by a command that copies bytes."""
    with relay(lambda there: ["sh", "-c", there], "127.0.0.1", client.world.port) as socket:
        yield Server(client.world.issuer, client.world.token, socket)


def test_a_copy_is_logged_in_to_by_its_own_apps(client: BenchClient, copy: Server) -> None:
    settings = mocks.settings(
        rootSecret=client.root,
        server=None,
        operators=None,
        box="none",
        authentik={"version": client.world.version, "url": client.world.issuer, "token": client.world.token},
        **CLIENT,
    )
    logins = [*rehearse._logins(settings, copy)]
    assert [(each.where, each.who, each.accepted) for each in logins] == [
        ("authentik", "somebody made for it", True),
        ("grafana", "jane", True),
    ], logins


def test_a_copy_is_held_against_the_living(copy: Server) -> None:
    with copy.client() as here, copy.client() as there:
        compared = [rehearse.compare(what, here, there) for what in rehearse.KINDS]
    assert all(each.ok for each in compared)
    counts = {each.what: each.count for each in compared}
    assert counts["apps"] == counts["clients of OpenID Connect"] == 1
    assert all(counts.values()), counts


def test_the_order_of_lists_and_fields_is_no_difference() -> None:
    here = [{"url": "https://a.example", "matching_mode": "strict"}, {"url": "https://b.example"}]
    there = [{"url": "https://b.example"}, {"matching_mode": "strict", "url": "https://a.example"}]
    assert rehearse._settled(here) == rehearse._settled(there)
    assert rehearse._settled(here) != rehearse._settled(there[:1])
    assert rehearse._settled(here) != rehearse._settled([{**here[0], "matching_mode": "regex"}, here[1]])
