"""What goes wrong is said by name: what, where, and what to do; and nothing is half done afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.plain import PlainWorld
from tests.operations.client import BenchClient

pytestmark = pytest.mark.engine

JANE = {"username": "jane", "name": "Jane Doe", "email": "jane@acme.example", "groups": ["staff"]}
SHORT = {"READY": 600.0, "SILENT_ELSEWHERE": 60.0, "ADMITTED": 120.0}
"""Seconds that the program waits for an authentik; nobody wants to wait for that in a test."""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, world: PlainWorld) -> Iterator[BenchClient]:
    client = BenchClient(
        tmp_path_factory.mktemp("faults") / "project", world, groups=["staff"], people=[JANE]
    )
    bootstrap = client.project.folder / "components" / "identity" / "bootstrap.py"
    text = bootstrap.read_text()
    for name, seconds in SHORT.items():
        assert f"\n{name} = {seconds}\n" in text
        text = text.replace(f"\n{name} = {seconds}\n", f"\n{name} = 2.0\n")
    bootstrap.write_text(text)
    client.up()
    yield client
    client.end()


@pytest.fixture(autouse=True)
def calm(client: BenchClient) -> Iterator[None]:
    yield
    client.no_faults()


def test_authentik_is_not_ready_in_time(client: BenchClient) -> None:
    client.fault("GET", "/-/health/ready/|/core/users/me/", times=1000, status=503)
    said = client.up(check=False, GATEHOUSE_PATIENCE="2")
    assert f"authentik at {client.world.issuer}: it is not ready after 2 s" in said
    assert "See the logs of its server, worker and database, then run the same command again" in said
    assert "Traceback" not in said


def test_authentik_is_not_there(client: BenchClient) -> None:
    set_url = ("config", "set", "--stack", "acme", "--path", "gatehouse:authentik.url")
    client.project.pulumi(*set_url, "http://127.0.0.1:9")
    try:
        assert "--yes does not cover this" in client.up(check=False)
        said = client.project.gatehouse("up", "acme", "--yes", "--confirm", "acme", check=False)
    finally:
        client.project.pulumi(*set_url, client.world.issuer)
        client.project.gatehouse("up", "acme", "--yes", "--confirm", "acme")
    assert "authentik at http://127.0.0.1:9" in said
    assert "cannot connect" in said
    assert "then run the same command again" in said


def test_the_token_is_wrong_from_the_start(client: BenchClient) -> None:
    client.fault("GET", "/core/users/me/", times=1000, status=403, body={"detail": "Token invalid/expired"})
    said = client.up(check=False)
    assert "it is up, and refuses our token since 2 s (HTTP 403)" in said
    assert "authentik.token" in said or "derived value" in said


@pytest.mark.parametrize(("method", "path"), [("GET", "/core/users/$"), ("POST", "/core/groups/$")])
def test_the_token_is_revoked_in_the_middle(client: BenchClient, method: str, path: str) -> None:
    client.edit(groups=["staff", f"late-{method}"])
    client.fault(method, path, times=1000, status=403, body={"detail": "Token invalid/expired"})
    said = client.up(check=False)
    assert "it does not let us" in said
    assert "(HTTP 403)" in said
    assert f"authentik at {client.world.issuer}" in said
    assert "The token may have been revoked meanwhile: check it, then run the same command again" in said
    client.no_faults()
    client.up()
    assert client.names("group") == sorted(["staff", f"late-{method}"])


def test_a_race_answers_with_405_and_no_word(client: BenchClient) -> None:
    """authentik does so where two of its own transactions meet: the next attempt goes through."""
    client.edit(groups=["staff", "raced"])
    client.fault("POST", "/core/groups/$", status=405, body="")
    client.up()
    assert client.names("group") == ["raced", "staff"]


def test_405_for_ever_is_an_error(client: BenchClient) -> None:
    client.edit(groups=["staff", "raced", "never"])
    client.fault("POST", "/core/groups/$", status=405, body="", times=1000)
    said = client.up(check=False)
    assert "group 'never' failed without a word" in said
    assert "See the server's log, then run the same command again" in said
    assert client.names("group") == ["raced", "staff"]
    client.no_faults()
    client.up()
    assert client.names("group") == ["never", "raced", "staff"]


@pytest.mark.case("19")
def test_a_delete_that_meets_tasks_of_the_server_is_made_again(client: BenchClient) -> None:
    client.edit(groups=["staff"])
    client.fault("DELETE", "/core/groups/", status=405, body="", times=3)
    client.up()
    assert client.names("group") == ["staff"]
    assert client.faults_met()


def test_what_was_deleted_by_hand_comes_back(client: BenchClient) -> None:
    client.api.delete(f"/api/v3/core/groups/{client.one('group', 'staff')['pk']}/").raise_for_status()
    client.up()
    assert [each["name"] for each in client.one("user", "jane")["groups_obj"]] == ["staff"]


def test_something_else_has_the_name(client: BenchClient) -> None:
    body = {"name": "By hand", "slug": "files"}
    client.api.post("/api/v3/core/applications/", json=body).raise_for_status()
    before = client.one("application", "files")
    client.edit(
        apps={"files": {"everyone": True, "preset": "nextcloud", "url": "https://files.acme.example"}}
    )
    said = client.up(check=False)
    assert f"application 'files' is there already (pk {before['pk']})" in said
    assert "Give yours another name, or take over what is there with `adopt: true`" in said
    assert client.one("application", "files") == before
    client.edit(apps={})
    client.up()
    assert client.names("provider") == []
    assert client.one("application", "files") == before


# Before anything is contacted ---------------------------------------------------------------------------------------


def refused(client: BenchClient, **environment: str) -> str:
    """What `up` says that does not ask authentik anything."""
    client.api.delete("/_bench/totals")
    said = client.up(check=False, **environment)
    assert client.api.get("/_bench/totals").json() == []
    return said


def test_a_wrong_passphrase(client: BenchClient) -> None:
    said = refused(client, PULUMI_CONFIG_PASSPHRASE="not it")
    assert "incorrect passphrase" in said
    assert "PULUMI_CONFIG_PASSPHRASE" in said
    assert "set the right one" in said
    assert "stacks/Pulumi.acme.yaml" in said


def test_no_passphrase(client: BenchClient) -> None:
    passphrase = client.project.environment.pop("PULUMI_CONFIG_PASSPHRASE")
    try:
        said = refused(client)
    finally:
        client.project.environment["PULUMI_CONFIG_PASSPHRASE"] = passphrase
    assert "Set PULUMI_CONFIG_PASSPHRASE" in said


def test_a_root_secret_that_lost_a_character(client: BenchClient) -> None:
    set_root = ("config", "set", "--stack", "acme", "--secret", "gatehouse:rootSecret")
    client.project.pulumi(*set_root, given=client.root[:-1] + ("x" if client.root[-1] != "x" else "y"))
    try:
        said = refused(client)
    finally:
        client.project.pulumi(*set_root, given=client.root)
    assert "gatehouse:rootSecret" in said
    assert "its checksum does not match" in said
    assert client.root[:20] not in said


def test_no_root_secret(client: BenchClient) -> None:
    client.project.pulumi("config", "rm", "--stack", "acme", "gatehouse:rootSecret")
    try:
        said = refused(client)
        plain = client.pulumi("preview", check=False)
    finally:
        set_root = ("config", "set", "--stack", "acme", "--secret", "gatehouse:rootSecret")
        client.project.pulumi(*set_root, given=client.root)
    assert "gatehouse:rootSecret" in said
    assert "gatehouse new" in said
    assert "rootSecret" in plain
    client.up()


def test_several_mistakes_in_one_go(client: BenchClient) -> None:
    client.edit(domain="no domain", people=[{**JANE, "groups": ["staf"]}])
    try:
        said = refused(client)
    finally:
        client.edit(domain="acme.example", people=[JANE])
    assert "gatehouse:domain" in said
    assert "gatehouse:people[0].groups" in said
    assert "staff" in said
