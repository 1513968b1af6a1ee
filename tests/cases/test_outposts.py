"""LDAP and RADIUS apps from a stack file alone, asked by the clients that everybody has."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from bench.plain import PlainWorld, free_port
from tests.cases.test_apps import FILES, Apps

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(
        not (shutil.which("ldapsearch") and shutil.which("radclient")),
        reason="bench/setup.sh installs them, as root",
    ),
]

OUTSIDER = "person/out/password"
PEOPLE = [
    {"username": "jane", "name": "Jane Doe", "email": "jane@acme.example", "groups": ["staff"]},
    {"username": "out", "name": "Out Sider", "email": "out@acme.example"},
]
NAS: dict[str, Any] = {"protocol": "ldap", "url": "https://nas.acme.example", "groups": ["staff"]}
OWN = {**NAS, "baseDn": "dc=nas,dc=acme,dc=example"}
WIFI: dict[str, Any] = {
    "protocol": "radius", "url": "https://wifi.acme.example", "groups": ["staff"], "clients": ["127.0.0.1/32"],
}  # fmt: skip
BASE = "dc=ldap,dc=acme,dc=example"
WRONG, REFUSED = 49, 50


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apps]:
    """A client with one app of each, brought up."""
    with client_of(tmp_path_factory.mktemp("outposts"), "2026.8.3") as client:
        client.edit(apps={"nas": NAS, "wifi": WIFI}, login={"mfa": "required"})
        client.up()
        yield client


@contextmanager
def client_of(folder: Path, version: str) -> Iterator[Apps]:
    """A client with people, on an authentik of this version."""
    with PlainWorld(folder / "world", lambda _: None, memory=True, version=version).running() as world:
        client = Apps(folder / "project", world)
        client.edit(groups=["staff"], people=PEOPLE)
        yield client
        client.end()


@contextmanager
def outpost(client: Apps, kind: str, **listen: int) -> Iterator[Callable[[], str]]:
    """The stand-in of an outpost, run as its container would be; gives what reads its log."""
    ports = {f"AUTHENTIK_LISTEN__{name}": f"127.0.0.1:{port}" for name, port in listen.items()}
    log = client.project.folder / f"{kind}.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.outposts", kind],
            env={
                **os.environ, **ports, "AUTHENTIK_HOST": client.world.issuer, "PYTHONUNBUFFERED": "1",
                "AUTHENTIK_TOKEN": client.told("outpostTokens")[kind],
            },
            stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        wait_for_ping(listen["METRICS"], process, log)
        yield log.read_text
    finally:
        process.kill()
        process.wait()


def wait_for_ping(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            assert httpx.get(f"http://127.0.0.1:{port}/outpost.goauthentik.io/ping").status_code == 204
            return
        except httpx.HTTPError:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)


def search(port: int, dn: str, password: str, *args: str, scheme: str = "ldap") -> tuple[int, list[str]]:
    """What `ldapsearch` ends with and finds, by names."""
    done = subprocess.run(
        ["ldapsearch", "-x", "-LLL", "-o", "ldif-wrap=no", "-H", f"{scheme}://127.0.0.1:{port}", "-D", dn,
         "-y", "/dev/stdin", "-b", BASE, *args],
        input=password, env={**os.environ, "LDAPTLS_REQCERT": "never"}, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    return done.returncode, [
        line.removeprefix("dn: ") for line in done.stdout.splitlines() if line[:4] == "dn: "
    ]


@pytest.mark.case("ldap")
def test_an_app_looks_people_up_and_lets_in_those_who_may(client: Apps) -> None:
    told, secret = client.told()["nas"], client.secrets.value
    assert told["bindDn"] == f"cn=ldap-nas,ou=users,{BASE}"
    bind = client.told("bindPasswords")["nas"]
    assert bind == secret("app/nas/bind-password")
    jane = f"cn=jane,ou=users,{BASE}"
    ports = {"LDAP": free_port(), "LDAPS": free_port(), "METRICS": free_port()}
    with outpost(client, "ldap", **ports):
        # The app's own account finds everybody, although a second factor is required of people.
        code, found = search(
            ports["LDAP"], told["bindDn"], bind, "(&(objectClass=user)(mail=*@acme.example))"
        )
        assert (code, found) == (0, [jane, f"cn=out,ou=users,{BASE}"])
        code, found = search(ports["LDAPS"], told["bindDn"], bind, "(cn=ja*)", "memberOf", scheme="ldaps")
        assert (code, found) == (0, [jane])
        assert search(ports["LDAP"], told["bindDn"], bind + "x", "(cn=jane)") == (WRONG, [])
        # People have to have a second factor here, and have none: they are not let in past it.
        assert search(ports["LDAP"], jane, secret("person/jane/password"), "(cn=*)") == (WRONG, [])

        client.edit(login={})
        client.up()
        # Who may use the app is let in, and sees themselves and their groups alone.
        code, found = search(ports["LDAP"], jane, secret("person/jane/password"), "(cn=*)")
        assert (code, found) == (0, [jane, f"cn=staff,ou=groups,{BASE}"])
        outsider = f"cn=out,ou=users,{BASE}"
        assert search(ports["LDAP"], outsider, secret(OUTSIDER), "(cn=*)") == (REFUSED, [])
        assert search(ports["LDAP"], outsider, "wrong", "(cn=*)") == (WRONG, [])
        # Somebody takes the right to search away by hand: it is seen, and given back.
        (role,) = [each for each in client.get("rbac/roles/")["results"] if each["name"] == "ldap-nas"]
        body = {
            "permissions": ["authentik_providers_ldap.search_full_directory"],
            "model": "authentik_providers_ldap.ldapprovider", "object_pk": str(client.provider("nas", "ldap")["pk"]),
        }  # fmt: skip
        path = f"/api/v3/rbac/permissions/assigned_by_roles/{role['pk']}/unassign/"
        assert client.api.patch(path, json=body).status_code == 204
        assert len(search(ports["LDAP"], told["bindDn"], bind, "(objectClass=user)")[1]) == 1
        assert "ldap_search" in client.pulumi("preview", "--refresh")
        client.up()
        assert len(search(ports["LDAP"], told["bindDn"], bind, "(objectClass=user)")[1]) > 2
    client.quiet()


@pytest.mark.case("ldap")
def test_an_app_that_people_log_in_to_by_the_browser_speaks_ldap_beside_it(client: Apps) -> None:
    """The case's file, which declares everything as raw objects, and the same with settings."""
    oidc = yaml.safe_load((FILES / "ldap.yaml").read_text())["gatehouse:apps"]["jellyfin"]
    both = {"jellyfin": oidc, "nas": OWN, "wifi": WIFI}
    client.lay("ldap", people=PEOPLE, groups=["staff", "media"], apps=both)
    raw = next(each for each in client.get("outposts/instances/")["results"] if each["name"] == "ldap")
    assert raw["providers"] == [client.provider("jellyfin-ldap", "ldap")["pk"]]
    ldap = {"protocol": "ldap", "url": oidc["url"], "groups": ["media"], "bindMode": "cached"}
    client.edit(objects=[], apps={**both, "jellyfin-by-ldap": ldap})
    client.up()
    names = {each["name"]: each["providers"] for each in client.get("outposts/instances/")["results"]}
    wanted = [client.provider(name, "ldap")["pk"] for name in ("jellyfin-by-ldap", "nas")]
    assert sorted(names["gatehouse LDAP"]) == sorted(wanted)
    assert "ldap" not in names
    client.quiet()


@pytest.mark.case("radius")
def test_an_access_point_lets_in_those_who_may(client: Apps, tmp_path: Path) -> None:
    client.edit(login={})
    client.up()
    shared = tmp_path / "secret"
    shared.write_text(client.told("sharedSecrets")["wifi"])
    port, secret = free_port(), client.secrets.value

    def answer(username: str, password: str, secret_file: Path = shared) -> str:
        done = subprocess.run(
            ["radclient", "-x", "-r", "1", "-t", "20", "-S", str(secret_file), f"127.0.0.1:{port}", "auth"],
            input=f'User-Name = "{username}", User-Password = "{password}", Message-Authenticator = 0x00\n',
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        return next(
            (word for word in ("Access-Accept", "Access-Reject") if f"Received {word}" in done.stdout), ""
        )

    with outpost(client, "radius", RADIUS=port, METRICS=free_port()):
        assert answer("jane", secret("person/jane/password")) == "Access-Accept"
        assert answer("jane", "wrong") == "Access-Reject"
        assert answer("out", secret(OUTSIDER)) == "Access-Reject"
    client.quiet()


def test_nothing_of_it_is_in_the_state_in_clear_and_all_goes_with_the_apps(client: Apps) -> None:
    state = client.stored.read_text()
    for name in (
        "app/nas/bind-password",
        "app/wifi/shared-secret",
        "outpost/ldap/token",
        "outpost/radius/token",
    ):
        assert client.secrets.value(name) not in state, name
    client.edit(apps={})
    client.up()
    assert [each["name"] for each in client.get("outposts/instances/")["results"]] == [
        "authentik Embedded Outpost"
    ]
    assert not [each for each in client.get("rbac/roles/")["results"] if each["name"].startswith("ldap-")]
    assert client.names("user") == ["jane", "out"]


def test_on_the_oldest_line_a_group_stands_between_the_account_and_its_right(tmp_path: Path) -> None:
    with client_of(tmp_path, "2025.8.6") as client:
        client.edit(apps={"nas": NAS})
        client.up()
        bind = client.told("bindPasswords")["nas"]
        ports = {"LDAP": free_port(), "LDAPS": free_port(), "METRICS": free_port()}
        with outpost(client, "ldap", **ports):
            dn = client.told()["nas"]["bindDn"]
            code, found = search(ports["LDAP"], dn, bind, "(mail=*@acme.example)")
            assert (code, found) == (0, [f"cn={name},ou=users,{BASE}" for name in ("jane", "out")])
        client.quiet()
