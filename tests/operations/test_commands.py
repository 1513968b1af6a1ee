"""The operator's commands as they are typed, good input and bad."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bench.plain import PlainWorld
from bench.project import Project
from components.secrets import check_root_secret
from tests.operations.client import BenchClient

pytestmark = pytest.mark.engine

ASKED = ("--domain", "acme.example", "--operator", "sam", "--email", "sam@agency.example")
JANE = {"username": "jane", "name": "Jane Doe", "email": "jane@acme.example", "groups": ["staff"]}
MIKE = {"username": "mike", "name": "Mike", "email": "mike@acme.example", "groups": ["board"]}
GRAFANA = {"preset": "grafana", "url": "https://grafana.acme.example", "groups": ["staff"]}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("commands") / "project")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, world: PlainWorld) -> Iterator[BenchClient]:
    client = BenchClient(
        tmp_path_factory.mktemp("client") / "project", world,
        groups=["staff", "board"], people=[JANE, MIKE], apps={"grafana": GRAFANA},
    )  # fmt: skip
    client.up()
    yield client
    client.end()


def stack_file(project: Project, name: str) -> Path:
    return project.folder / "stacks" / f"Pulumi.{name}.yaml"


# new ----------------------------------------------------------------------------------------------------------------


def test_new_writes_a_stack_file_that_is_valid_at_once(project: Project) -> None:
    said = project.gatehouse("new", "acme", *ASKED, "--authentik-url", "http://127.0.0.1:9000")
    assert "./gatehouse doctor acme" in said
    text = stack_file(project, "acme").read_text()
    document = yaml.safe_load(text)
    assert set(document["config"]["gatehouse:rootSecret"]) == {"secure"}
    root = project.pulumi("config", "get", "--stack", "acme", "gatehouse:rootSecret").strip()
    check_root_secret(root)
    assert root not in text
    assert root not in said
    for_server = (
        "--ssh-key",
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ sam",
    )
    project.gatehouse("new", "other", *ASKED, *for_server)
    assert (
        yaml.safe_load(stack_file(project, "other").read_text())["config"]["gatehouse:server"]["type"]
        == "cx23"
    )
    assert project.pulumi("config", "get", "--stack", "other", "gatehouse:rootSecret").strip() != root


def test_new_overwrites_nothing(project: Project) -> None:
    before = stack_file(project, "acme").read_bytes()
    said = project.gatehouse("new", "acme", *ASKED, "--authentik-url", "http://127.0.0.1:9000", check=False)
    assert "stacks/Pulumi.acme.yaml exists already" in said
    assert "Choose another name, or edit that file" in said
    assert stack_file(project, "acme").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        (("Not A Name", *ASKED, "--authentik-url", "http://127.0.0.1:9000"), "gatehouse:client"),
        (("bad", "--domain", "nodots", *ASKED[2:], "--authentik-url", "http://127.0.0.1:9000"), "gatehouse:domain"),
        (("bad", *ASKED[:4], "--email", "nobody", "--authentik-url", "http://127.0.0.1:9000"), "operators[0].email"),
        (("bad", *ASKED, "--ssh-key", "ssh-rsa short"), "operators[0].sshKey"),
        (("bad", *ASKED, "--version", "2019.1", "--authentik-url", "http://127.0.0.1:9000"), "authentik.version"),
        (("bad", *ASKED, "--authentik-url", "not a url"), "authentik.url"),
        (("../../etc/bad", *ASKED, "--authentik-url", "http://127.0.0.1:9000"), "gatehouse:client"),
    ],
)  # fmt: skip
def test_new_writes_nothing_that_is_not_valid(
    project: Project, arguments: tuple[str, ...], path: str
) -> None:
    before = sorted((project.folder / "stacks").iterdir())
    said = project.gatehouse("new", *arguments, check=False)
    assert path in said
    assert "Traceback" not in said
    assert sorted((project.folder / "stacks").iterdir()) == before


def test_new_needs_a_passphrase_and_an_engine(project: Project, tmp_path: Path) -> None:
    wanted = ("new", "bad", *ASKED, "--authentik-url", "http://127.0.0.1:9000")
    said = project.gatehouse(*wanted, check=False, PULUMI_CONFIG_PASSPHRASE="")
    assert "There is no passphrase" in said
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" in said
    said = project.gatehouse(*wanted, check=False, PATH=str(tmp_path))
    assert "There is no `pulumi` on PATH" in said
    assert "make demo" in said
    assert not stack_file(project, "bad").exists()
    assert "bad" not in project.pulumi("stack", "ls")


# Every command ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [
        ["preview"],
        ["up", "--yes"],
        ["destroy", "--confirm", "nobody"],
        ["outputs"],
        ["login-check"],
        ["doctor"],
    ],
)
def test_a_client_that_there_is_not(project: Project, command: list[str]) -> None:
    said = project.gatehouse(command[0], "nobody", *command[1:], check=False)
    assert "stacks/Pulumi.nobody.yaml" in said
    assert "./gatehouse new nobody" in said
    assert "Traceback" not in said


def test_without_an_engine(project: Project, tmp_path: Path) -> None:
    for command in (["preview", "acme"], ["up", "acme", "--yes"], ["outputs", "acme"], ["doctor", "acme"]):
        said = project.gatehouse(*command, check=False, PATH=str(tmp_path))
        assert "pulumi" in said
        assert "make demo" in said
        assert "Traceback" not in said


# doctor, preview, outputs, login-check ------------------------------------------------------------------------------


def test_doctor_changes_nothing(client: BenchClient) -> None:
    client.api.delete("/_bench/totals")
    said = client.project.gatehouse("doctor", "acme")
    assert "stacks/Pulumi.acme.yaml" in said
    assert "missing" not in said
    assert [each for each in client.api.get("/_bench/totals").json() if each["method"] != "GET"] == []


def test_doctor_lists_every_mistake_of_a_stack_file(client: BenchClient) -> None:
    client.edit(people=[{**JANE, "email": "nobody"}, {**MIKE, "groups": ["nowhere"]}])
    try:
        said = client.project.gatehouse("doctor", "acme", check=False)
    finally:
        client.edit(people=[JANE, MIKE])
    assert "gatehouse:people[0].email" in said
    assert "gatehouse:people[1].groups" in said


def test_preview_can_expect_no_change(client: BenchClient) -> None:
    client.project.gatehouse("preview", "acme", "--expect-no-changes")
    client.edit(groups=["staff", "board", "more"])
    try:
        said = client.project.gatehouse("preview", "acme", "--expect-no-changes", check=False)
        assert "1 thing" in said
        assert "would change" in said
        assert "authentik_core:group more" in said
        assert client.names("group") == ["board", "staff"]
    finally:
        client.edit(groups=["staff", "board"])


def test_preview_asks_authentik_nothing_and_shows_drift_only_with_refresh(client: BenchClient) -> None:
    client.api.patch("/api/v3/core/applications/grafana/", json={"name": "By hand"}).raise_for_status()
    client.api.delete("/_bench/totals")
    client.project.gatehouse("preview", "acme", "--expect-no-changes")
    assert client.api.get("/_bench/totals").json() == []
    said = client.project.gatehouse(
        "preview", "acme", "--refresh", "--diff", "--expect-no-changes", check=False
    )
    assert "By hand" in said
    assert "would change" in said
    client.up()
    assert client.one("application", "grafana")["name"] == "Grafana"


def test_outputs(client: BenchClient) -> None:
    told = json.loads(client.project.gatehouse("outputs", "acme", "--json"))
    app = told["apps"]["grafana"]
    assert app["issuer"] == f"{client.world.issuer}/application/o/grafana/"
    assert app["discoveryUrl"] == f"{app['issuer']}.well-known/openid-configuration"
    assert app["clientId"] == client.secrets.value("app/grafana/client-id")
    assert told["adminUrl"].startswith(client.world.issuer)
    table = client.project.gatehouse("outputs", "acme")
    assert app["clientId"] in table
    assert client.secrets.value("app/grafana/client-secret") not in table


def test_login_check_says_what_is_as_declared(client: BenchClient) -> None:
    said = client.project.gatehouse("login-check", "acme")
    assert "grafana: jane may log in; logged in" in said
    assert "grafana: mike may not; refused" in said
    assert "NOT" not in said
    binding = client.all("binding")[0]
    client.api.delete(f"/api/v3/policies/bindings/{binding['pk']}/").raise_for_status()
    said = client.project.gatehouse("login-check", "acme", "--app", "grafana", check=False)
    assert "NOT as declared  grafana: mike may not; logged in" in said
    assert "did not end as the stack file says" in said
    client.up()
    said = client.project.gatehouse("login-check", "acme", "--app", "wiki", check=False)
    assert "no app to log in to named wiki" in said
    assert "Apps: grafana" in said


def test_destroy_wants_the_clients_name(client: BenchClient) -> None:
    said = client.project.gatehouse("destroy", "acme", "--confirm", "acne", check=False)
    assert "'acne' is not 'acme'; nothing was touched" in said
    assert client.names("group") == ["board", "staff"]


def test_what_lies_on_disk_is_for_its_owner_alone(client: BenchClient) -> None:
    folder = client.project.folder / ".gatehouse"
    for place in [each for each in folder.iterdir() if each.name != "state"]:
        assert stat.S_IMODE(place.stat().st_mode) & 0o077 == 0, place
