"""`gatehouse offboard` on a real client: somebody with everything is out of everything, by one command."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from bench.plain import PlainWorld
from operations.cli import app
from tests.operations.client import BenchClient, wait_for
from tests.people.belongings import SCOPES, Belongings

pytestmark = pytest.mark.engine
APPS = ("wiki", "docs", "board")
PEOPLE = [
    {"username": "ada", "name": "Ada", "email": "ada@acme.example", "groups": ["admins"]},
    {"username": "jane", "name": "Jane Doe", "email": "jane@acme.example", "groups": ["staff", "finance"]},
    {"username": "nora", "name": "Nora", "email": "nora@acme.example", "groups": ["staff"]},
    {"username": "olga", "name": "Olga", "email": "olga@acme.example", "groups": ["staff"]},
]


@pytest.fixture(scope="module")
def client(world: PlainWorld, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BenchClient]:
    apps = {
        slug: {
            "protocol": "oidc", "url": f"https://{slug}.acme.example", "groups": ["staff"],
            "redirectUris": [f"https://{slug}.acme.example/cb"], "scopes": SCOPES.split(),
            "fields": {"provider": {"grant_types": ["authorization_code", "refresh_token", "client_credentials"]}},
            **({"users": ["jane", "nora"]} if slug == "board" else {}),
        }
        for slug in APPS
    }  # fmt: skip
    groups = ["staff", "finance", {"name": "admins", "superuser": True}]
    operators = [{"name": "jane", "email": "Jane@acme.example"}]
    client = BenchClient(
        tmp_path_factory.mktemp("client"), world, groups=groups, people=PEOPLE, apps=apps, operators=operators
    )
    client.up()
    yield client
    client.end()


def belongings(client: BenchClient, username: str) -> Belongings:
    secrets = client.secrets
    apps = {
        slug: (secrets.value(f"app/{slug}/client-id"), secrets.value(f"app/{slug}/client-secret"))
        for slug in APPS
    }
    password = secrets.value(f"person/{username}/password")
    return Belongings(client.world.issuer, client.api, username, password, apps).collect()


def test_somebody_with_everything_is_out_of_everything(
    client: BenchClient, record_figure: Callable[..., None]
) -> None:
    jane = belongings(client, "jane")
    before = jane.works()
    assert all(before.values())
    shown = client.project.gatehouse("offboard", "acme", "jane@acme.example", "--dry-run")
    assert "jane (Jane Doe, jane@acme.example) leaves acme:" in shown
    assert "stacks/Pulumi.acme.yaml: locked out, and in no group" in shown
    assert "authentik: out of the groups finance, staff" in shown
    assert "authentik: 1 second factor (" in shown
    assert "left behind: nobody else is in the group finance" in shown
    assert "whatever used the API token jane-api-" in shown
    assert "also operates acme" in shown
    assert shown.rstrip().endswith("Nothing was touched.")
    assert all(jane.works().values())

    said = client.project.gatehouse("offboard", "acme", "jane", "--yes")
    after = jane.works()
    assert not any(after.values())
    assert set(jane.left().values()) == {0}
    assert said.count("refused: ") == 4  # first password; API token; app password at the login and at an app
    assert "did not work before" not in said
    assert "STILL" not in said
    record_figure("test", offboard_ways_closed=(len(after) - sum(after.values()), len(before)))

    config = yaml.safe_load((client.project.folder / "stacks/Pulumi.acme.yaml").read_text())["config"]
    assert config["gatehouse:people"][1] == {**PEOPLE[1], "groups": [], "active": False}
    assert config["gatehouse:apps"]["board"]["users"] == ["nora"]
    # Drift is looked for, and finds the person as the file has them; only the binding of the app goes.
    up = client.up()
    assert "nothing" not in up
    assert not client.one("user", "jane")["is_active"]


def test_a_run_that_is_killed_is_finished_by_the_next(client: BenchClient) -> None:
    nora = belongings(client, "nora")
    client.freeze("DELETE", r"/api/v3/oauth2/refresh_tokens/\d+/", after=1)
    run = client.project.start("offboard", "acme", "nora", "--yes")
    wait_for(client.frozen, "the second refresh token to be deleted")
    client.kill(run)
    client.no_faults()
    assert nora.left()["tokens"] == 2
    said = json.loads(client.project.gatehouse("offboard", "acme", "nora", "--yes", "--json"))
    assert not any(nora.works().values())
    assert set(nora.left().values()) == {0}
    (done,) = said["clients"]
    assert (done["username"], done["still_open"], done["error"]) == ("nora", [], None)
    assert {each["after"] for each in done["tried"]} == {False}


def test_the_account_that_the_stack_works_with_stays(client: BenchClient) -> None:
    before = (client.project.folder / "stacks/Pulumi.acme.yaml").read_text()
    said = client.project.gatehouse("offboard", "acme", "akadmin", "--yes", check=False)
    assert "akadmin cannot leave acme yet" in said
    assert "the account that this stack works with" in said
    assert (client.project.folder / "stacks/Pulumi.acme.yaml").read_text() == before


def test_who_may_not_use_an_app_any_more_loses_what_it_was_granted(client: BenchClient) -> None:
    olga = belongings(client, "olga")
    said = client.project.gatehouse("offboard", "acme", "olga", "--app", "wiki", "--yes", check=False)
    assert "olga may still use wiki" in said
    apps = client.settings["apps"]
    wiki = {**apps["wiki"], "groups": ["readers"]}
    client.edit(groups=[*client.settings["groups"], "readers"], apps={**apps, "wiki": wiki})
    client.up()
    assert olga.renew("wiki")  # the group alone ends nothing
    assert "refresh token" in client.project.gatehouse("offboard", "acme", "olga", "--app", "wiki", "--yes")
    assert not olga.renew("wiki")
    assert not olga.userinfo("wiki").is_success
    assert olga.renew("docs")
    assert olga.sessions[0].http.get("/api/v3/core/users/me/").is_success


def test_who_may_use_what_is_told_in_every_form(client: BenchClient, tmp_path: Path) -> None:
    said = client.project.gatehouse("access", "acme", "--app", "docs")
    assert re.search(r"olga +may +in group staff", said)
    assert re.search(r"ada +may not +not in group staff", said)
    shown = json.loads(
        client.project.gatehouse("access", "acme", "--format", "json", "--since", "2026-01-01", "--mfa")
    )
    may = {(each["person"], each["app"]) for each in shown["access"] if each["may"]}
    assert ("olga", "docs") in may
    assert ("ada", "docs") not in may
    assert shown["changes"] == []
    assert shown["since"]
    assert {person["username"]: person["factors"] for person in shown["people"]}["olga"] == ["webauthn"]
    page = tmp_path / "access.html"
    client.project.gatehouse("access", "acme", "--format", "html", "--to", str(page))
    assert "Who may use what at acme" in page.read_text()
    assert page.stat().st_mode & 0o777 == 0o600


def test_an_address_is_looked_for_at_every_client(client: BenchClient) -> None:
    said = client.project.gatehouse("offboard", "--all-clients", "olga@acme.example", "--dry-run")
    assert "olga (Olga, olga@acme.example) leaves acme:" in said
    nobody = client.project.gatehouse("offboard", "--all-clients", "x@y.example", check=False)
    assert "acme has nobody called x@y.example" in nobody
    unknown = client.project.gatehouse("offboard", "acme", "olgaa", check=False)
    assert "acme has nobody called olgaa" in unknown
    assert "Write olga" in unknown


def test_a_command_that_does_not_say_who_leaves_is_refused() -> None:
    for words in (["acme"], ["--all-clients", "acme", "jane@acme.example"]):
        refused = CliRunner().invoke(app, ["offboard", *words])
        assert "Say who leaves which client" in str(refused.exception)
    refused = CliRunner().invoke(app, ["offboard", "--all-clients", "jane"])
    assert "goes by the address" in str(refused.exception)
    refused = CliRunner().invoke(app, ["offboard", "acme", "jane", "--json"])
    assert "Give --yes with it, after a look with --dry-run" in str(refused.exception)
