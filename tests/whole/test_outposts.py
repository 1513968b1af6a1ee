"""LDAP and RADIUS outposts on a box: containers that authentik has let in, open to whom the stack file names."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from bench.machine.network import GATEWAY
from tests.whole.test_client import SETTINGS, Whole, whole

__all__ = ["whole"]

pytestmark = [pytest.mark.box, pytest.mark.timeout(1200)]

APP: dict[str, Any] = {"groups": ["engineering"], "clients": ["198.51.100.7/32"]}
APPS: dict[str, Any] = {
    "nas": {**APP, "protocol": "ldap", "url": "https://nas.acme.example"},
    "wifi": {**APP, "protocol": "radius", "url": "https://wifi.acme.example"},
}
BASE = "dc=ldap,dc=acme,dc=example"
REFUSED, NOBODY_THERE = 50, 255


@pytest.fixture(scope="module")
def client(whole: Whole) -> Iterator[Whole]:
    """The client, brought up with both apps; its operator is not among their clients."""
    whole.project.edit("acme", {"apps": APPS})
    whole.up()
    yield whole
    whole.gatehouse("destroy", "acme", "--confirm", "acme")
    assert whole.world.leftovers() == []


def outputs(client: Whole) -> dict[str, Any]:
    said = client.project.pulumi("stack", "output", "--json", "--show-secrets", "--stack", "acme")
    return dict(json.loads(said))


def search(client: Whole, dn: str, password: str) -> tuple[int, list[str]]:
    """What `ldapsearch` ends with and finds from the operator's machine, over TLS."""
    done = client.world.run(
        ["env", "LDAPTLS_REQCERT=never", "ldapsearch", "-x", "-LLL", "-o", "ldif-wrap=no", "-o", "nettimeout=5",
         "-H", f"ldaps://{outputs(client)['address']}:636", "-D", dn, "-y", "/dev/stdin", "-b", BASE,
         "(mail=*@acme.example)"],
        input=password, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    return done.returncode, [
        line.removeprefix("dn: ") for line in done.stdout.splitlines() if line[:4] == "dn: "
    ]


def radius(client: Whole, username: str, password: str) -> subprocess.CompletedProcess[str]:
    """What `radclient` says on the operator's machine."""
    told = outputs(client)
    secret = client.project.folder / "shared"
    secret.write_text(told["sharedSecrets"]["wifi"])
    done: subprocess.CompletedProcess[str] = client.world.run(
        ["radclient", "-x", "-r", "2", "-t", "10", "-S", str(secret), f"{told['address']}:1812", "auth"],
        input=f'User-Name = "{username}", User-Password = "{password}"\n',
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    return done


@pytest.mark.case("ldap")
def test_apps_on_the_box_reach_it_and_strangers_do_not(client: Whole) -> None:
    healthy = client.on_box("docker", "ps", "--filter", "health=healthy", "--format", "'{{.Names}}'").split()
    assert {"gatehouse-ldap", "gatehouse-radius"} <= set(healthy)
    connect = 'import socket; socket.create_connection((\\"gatehouse-ldap\\", 3389), 5); print(\\"reached\\")'
    image = f"ghcr.io/goauthentik/server:{SETTINGS['authentik']['version']}"
    inside = f'docker run --rm --network gatehouse --entrypoint python3 {image} -c "{connect}"'
    assert client.on_box(inside).strip() == "reached"
    told = outputs(client)
    assert search(client, told["apps"]["nas"]["bindDn"], told["bindPasswords"]["nas"]) == (NOBODY_THERE, [])


@pytest.mark.case("ldap", "radius")
def test_clients_are_let_in_and_ask_about_those_who_may_use_the_app(client: Whole) -> None:
    near = {name: {**app, "clients": [f"{GATEWAY}/32"]} for name, app in APPS.items()}
    client.project.edit("acme", {"apps": near})
    client.up()
    told = outputs(client)
    assert told["apps"]["nas"]["addressOutside"] == "ldaps://auth.acme.example:636"
    jane, mallory = (f"cn={name},ou=users,{BASE}" for name in ("jane", "mallory"))
    bind = told["apps"]["nas"]["bindDn"], told["bindPasswords"]["nas"]
    assert search(client, *bind) == (0, [jane, mallory])
    password = {name: client.secrets.value(f"person/{name}/password") for name in ("jane", "mallory")}
    assert search(client, jane, password["jane"]) == (0, [jane])
    assert search(client, mallory, password["mallory"]) == (REFUSED, [])
    assert "Received Access-Accept" in radius(client, "jane", password["jane"]).stdout
    assert "Received Access-Reject" in radius(client, "mallory", password["mallory"]).stdout
    assert "No change." in client.up()


def test_a_stopped_outpost_is_started_again(client: Whole) -> None:
    client.on_box("docker", "stop", "gatehouse-ldap")
    assert "gatehouse-ldap" in client.up()
    told = outputs(client)
    assert search(client, told["apps"]["nas"]["bindDn"], told["bindPasswords"]["nas"])[0] == 0
