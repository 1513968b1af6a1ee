"""What the state remembers of a client is kept to: by gatehouse's commands, and by plain Pulumi too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.plain import PlainWorld
from components.client import Client
from components.memory import CLIENT, CONFIRM, KEPT, PERSON, Memory
from components.problems import Problems
from components.secrets import Secrets, new_root_secret
from tests.host import mocks
from tests.operations.client import BenchClient

JANE = {"username": "jane", "name": "Jane Doe", "email": "jane@acme.example", "groups": ["staff"]}
MIKE = {"username": "mike", "name": "Mike", "email": "mike@acme.example", "groups": ["staff"]}
GRAFANA = {"preset": "grafana", "url": "https://grafana.acme.example", "groups": ["staff"]}
PASSWORD = "person/jane/password"
APP_SECRET = "app/grafana/client-secret"


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PlainWorld]:
    folder = tmp_path_factory.mktemp("world")
    with PlainWorld(folder / "authentik", lambda _: None, memory=True).running() as running:
        yield running


@pytest.fixture
def client(tmp_path_factory: pytest.TempPathFactory, world: PlainWorld) -> Iterator[BenchClient]:
    made = BenchClient(
        tmp_path_factory.mktemp("client") / "project", world,
        groups=["staff"], people=[JANE, MIKE], apps={"grafana": GRAFANA},
    )  # fmt: skip
    made.up()
    made.api.delete("/_bench/totals")
    yield made
    made.end()


def remembered(client: BenchClient) -> dict[str, Any]:
    (component,) = [each for each in client.latest()["resources"] if each["type"] == CLIENT]
    memory: dict[str, Any] = component["outputs"]["memory"]
    return memory


def generations(**given: int) -> dict[str, Any]:
    return {
        "secrets": {
            "generations": {name.replace("__", "/").replace("_", "-"): n for name, n in given.items()}
        }
    }


@pytest.mark.engine
@pytest.mark.case("9")
def test_another_root_secret_is_refused_before_a_call_is_made(client: BenchClient) -> None:
    project = client.project
    assert remembered(client)["root"] == client.secrets.fingerprint
    other = new_root_secret()
    project.pulumi("config", "set", "--stack", "acme", "--secret", "gatehouse:rootSecret", given=other)
    state = client.stored.read_bytes()
    for said in (
        project.gatehouse("doctor", "acme", check=False),
        project.gatehouse("preview", "acme", check=False),
        project.gatehouse("preview", "acme", "--refresh", check=False),
        client.up(check=False),
        project.gatehouse("login-check", "acme", check=False),
        project.gatehouse("destroy", "acme", "--confirm", "acme", check=False),
        client.pulumi("preview", check=False),
    ):
        assert (
            "gatehouse:rootSecret" in said and "not the root secret that acme was brought up with" in said
        ), said
        assert "Traceback" not in said and other not in said
    assert client.stored.read_bytes() == state
    assert "not the root secret" in client.pulumi("up", check=False)
    assert client.api.get("/_bench/totals").json() == []
    project.pulumi("config", "set", "--stack", "acme", "--secret", "gatehouse:rootSecret", given=client.root)
    project.gatehouse("preview", "acme", "--expect-no-changes")


@pytest.mark.engine
@pytest.mark.case("14")
def test_retired_secrets_never_come_back(client: BenchClient) -> None:
    # A generation that is counted up and taken out again.
    client.edit(**generations(app__grafana__client_secret=3))
    client.up()
    client.edit(secrets={})
    line = f"generations: {{{APP_SECRET}: 3}}"
    assert line in client.pulumi("preview", check=False)
    assert line in client.up(check=False)
    # A person who goes, and another one with the same user name.
    client.edit(people=[MIKE], **generations(app__grafana__client_secret=3))
    client.up()
    another = {**JANE, "name": "Jane Smith", "email": "smith@acme.example"}
    client.edit(people=[another, MIKE])
    line = f"generations: {{{PASSWORD}: 2}}"
    for said in (
        client.project.gatehouse("doctor", "acme", check=False),
        client.pulumi("preview", check=False),
    ):
        assert line in said
        assert "mike" not in said
    client.edit(**generations(app__grafana__client_secret=3, person__jane__password=2))
    client.up()
    assert not client.can_log_in("jane")  # by the first generation of that password
    # Nothing rotates for those who are simply there.
    client.project.gatehouse("preview", "acme", "--expect-no-changes")
    assert client.can_log_in("mike")
    assert remembered(client)["retired"] == []
    # An app that comes back under its id gets another secret, and may keep its client id.
    client.edit(apps={}, **generations(person__jane__password=2))
    client.up()
    client.edit(apps={"grafana": GRAFANA})
    said = client.up(check=False)
    assert f"generations: {{{APP_SECRET}: 4}}" in said and "client-id: " not in said
    assert client.names("application") == []


@pytest.mark.engine
@pytest.mark.case("9")
def test_a_state_from_before_there_was_a_memory_gets_one(client: BenchClient) -> None:
    forget(client)
    client.project.gatehouse("preview", "acme", "--expect-no-changes")
    assert "No change." in client.project.gatehouse("up", "acme")
    assert remembered(client)["root"] == client.secrets.fingerprint
    assert remembered(client)["issuer"] == client.world.issuer


def forget(client: BenchClient) -> None:
    """Take the memory out of the state, as an earlier version of gatehouse left it."""
    exported = json.loads(client.pulumi("stack", "export"))
    kept = [each for each in exported["deployment"]["resources"] if each["type"] != "pulumi:providers:pulumi"]
    for each in kept:
        if each["type"] == CLIENT:
            each["outputs"] = {}
    exported["deployment"]["resources"] = kept
    client.pulumi("stack", "import", given=json.dumps(exported))


# Without an engine --------------------------------------------------------------------------------------------------


def test_what_is_protected_is_what_memory_knows_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of what gatehouse protects agrees with what the program registers as protected."""
    monkeypatch.chdir(tmp_path)
    registered = mocks.run(lambda: Client.from_settings(mocks.settings(cloudflareToken="x" * 40)))
    assert {(each.type, each.name) for each in registered if each.request.protect} == set(KEPT)


def state(*kept: tuple[str, str], **outputs: Any) -> list[dict[str, Any]]:
    """A client's state as far as the memory looks at it, with these things protected."""
    secrets = mocks.secrets()
    memory = Memory().for_next_run(mocks.settings(), secrets, "gatehouse@acme.example") | outputs
    component = {"urn": "a::b::c::acme", "type": CLIENT, "outputs": {"memory": memory}}
    key = {"urn": "a::b::c::deploy", "type": "hcloud:index/sshKey:SshKey"}
    return [
        component,
        key,
        *({"urn": f"a::b::c::{name}", "type": kind, "protect": True} for kind, name in kept),
    ]


def objections(resources: list[dict[str, Any]], **settings: Any) -> list[str]:
    wanted = mocks.settings(**settings)
    found = Memory.from_resources(resources).problems(wanted, wanted.derived(), confirmed=False)
    return [str(each) for each in found]


@pytest.mark.case("6")
def test_what_is_protected_must_be_wanted() -> None:
    assert objections(state(*KEPT)) == []
    assert objections(state(*KEPT), protect=False) == []
    elsewhere = {
        "box": "none",
        "server": None,
        "authentik": {"version": "2026.8.3", "url": "https://auth.acme.example", "token": "x" * 40},
    }
    assert len(objections(state(*KEPT), **elsewhere)) == len(KEPT)
    assert objections(state(), **elsewhere) == []
    (said,) = objections(state(*KEPT), network={"ipv6": False})
    assert said.startswith("gatehouse:network.ipv6: acme has a protected ipv6 address")


@pytest.mark.case("11")
def test_another_domain_is_to_be_confirmed_and_npm_is_logged_in_to_as_before() -> None:
    (said,) = objections(state(), domain="new.example")
    assert said.startswith("gatehouse:domain: authentik has answered at https://auth.acme.example, and would")
    assert "--confirm acme" in said
    # What a state says that is older than the memory.
    older = [
        {
            "urn": "a::b::c::gatehouse-acme",
            "type": "pulumi:pulumi:Stack",
            "outputs": {"adminUrl": "https://auth.old.example/if/admin/"},
        },
        {
            "urn": "a::b::c::npm",
            "type": "pulumi:providers:pulumi-python",
            "outputs": {"gatehouse:identity": "gatehouse@old.example"},
        },
    ]
    older.append({"urn": "a::b::c::deploy", "type": "hcloud:index/sshKey:SshKey"})
    assert Memory.from_resources(older[:-1]) == Memory()  # nothing was made yet: there is nothing to lose
    assert Memory.from_resources(older).issuer == "https://auth.old.example"
    assert Memory.from_resources(older).identity == "gatehouse@old.example"
    assert len(objections(older)) == 1


def test_an_override_retires_what_was_derived_and_a_client_keeps_its_name() -> None:
    secrets = Secrets(mocks.root_secret())
    secrets.value("redis/password")
    known = state(generations={"redis/password": 2}, retired=[])
    assert len(objections(known)) == 1
    assert objections(known, secrets={"generations": {"redis/password": 2}}) == []
    assert objections(known, secrets={"overrides": {"redis/password": "abcdefabcdef"}}) == []
    known[0]["urn"] = "a::b::c::beta"
    assert "client beta" in objections(known, secrets={"generations": {"redis/password": 2}})[0]


@pytest.mark.case("14")
def test_a_line_that_becomes_another_persons_is_pointed_out() -> None:
    jane = {
        "urn": "a::b::c::jane",
        "type": PERSON,
        "outputs": {"name": "Jane Doe", "email": "jane@acme.example"},
    }

    def doubts(**person: str) -> list[str]:
        wanted = mocks.settings(people=[{**JANE, **person}])
        return [
            str(each)
            for each in Memory.from_resources([*state(), jane]).problems(
                wanted, wanted.derived(), confirmed=False
            )
        ]

    assert doubts() == []
    assert doubts(name="Jane Smith") == []  # she has married
    assert doubts(email="doe@acme.example") == []
    (said,) = doubts(name="Jane Smith", email="smith@acme.example")
    assert said.startswith(
        "gatehouse:people[0]: jane was Jane Doe (jane@acme.example) and would be Jane Smith"
    )


def answers(resources: list[dict[str, Any]]) -> dict[str, Any]:
    """The engine's answer to a program that asks for its own state."""
    outputs = {each["urn"]: {"type": each["type"], "outputs": each.get("outputs", {})} for each in resources}
    return {"pulumi:pulumi:readStackResourceOutputs": {"outputs": outputs}}


@pytest.mark.case("11")
def test_npm_is_logged_in_to_as_before_when_the_domain_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    moved = mocks.settings(domain="new.example", cloudflareToken="c" * 40)
    with pytest.raises(Problems, match=r"authentik has answered at https://auth\.acme\.example"):
        mocks.run(lambda: Client.from_settings(moved), answers=answers(state()))
    monkeypatch.setenv(CONFIRM, "acme")
    found = mocks.run(lambda: Client.from_settings(moved), answers=answers(state()))
    first = "gatehouse@acme.example"
    (container,) = [each for each in found if each.name == "npm" and "Container" in each.type]
    assert f"INITIAL_ADMIN_EMAIL={first}" in container.inputs["envs"]
    assert [each.inputs["gatehouse:identity"] for each in found if "gatehouse:identity" in each.inputs] == [
        first
    ]


@pytest.mark.case("9")
def test_no_file_is_written_for_another_root_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    another = mocks.settings(rootSecret=new_root_secret(), cloudflareToken="c" * 40)
    with pytest.raises(Problems, match="not the root secret that acme was brought up with"):
        mocks.run(lambda: Client.from_settings(another), answers=answers(state()))
    assert list(tmp_path.iterdir()) == []


READ_DURING_A_WRITE = """
import pathlib
import pulumi.runtime

invoke = pulumi.runtime.invoke

def read_during_a_write(*args):
    pulumi.runtime.invoke = invoke
    (noted,) = pathlib.Path(".gatehouse/state").rglob("stacks/*/acme.json.attrs")
    was = noted.read_bytes()
    noted.write_bytes(b"")
    try:
        return invoke(*args)
    except Exception as error:
        pathlib.Path("failed").write_text(str(error))
        raise
    finally:
        noted.write_bytes(was)

pulumi.runtime.invoke = read_during_a_write
"""


@pytest.mark.engine
def test_the_state_is_read_again_when_the_engine_is_just_writing_it(client: BenchClient) -> None:
    """The engine empties the file with a state's attributes before it fills it again, also during a run."""
    program = client.project.folder / "__main__.py"
    first, rest = program.read_text().split("import pulumi  # noqa: E402", 1)
    program.write_text(f"{first}{READ_DURING_A_WRITE}import pulumi  # noqa: E402{rest}")
    assert "unchanged" in client.pulumi("preview")
    assert (client.project.folder / "failed").read_text().endswith("failed to load checkpoint: EOF")
