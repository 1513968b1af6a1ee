"""`gatehouse presets` and `gatehouse settings` as they are typed."""

from __future__ import annotations

import base64
import os
import pty
import subprocess
from collections.abc import Iterator

import pytest

from bench.plain import PlainWorld
from bench.project import PYTHON
from components.secrets import Secrets
from tests.operations.client import BenchClient
from tests.presets.test_presets import OWN

pytestmark = pytest.mark.engine

APPS = {
    "grafana": {"preset": "grafana", "url": "https://grafana.acme.example", "groups": ["staff"]},
    "portainer": {"preset": "portainer", "url": "https://docker.acme.example", "groups": ["staff"]},
    "tickets": {"preset": "tickets", "url": "https://tickets.acme.example", "groups": ["staff"],
                "parameters": {"provider": "sso"}},
    "wiki": {"protocol": "oidc", "url": "https://wiki.acme.example", "groups": ["staff"],
             "redirectUris": ["https://wiki.acme.example/cb"]},
}  # fmt: skip
TEMPLATE = """\
    settings:
      - {where: tickets.conf, format: env, text: 'TICKETS_CLIENT=${client_id} ${nonsense}'}
"""


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, world: PlainWorld) -> Iterator[BenchClient]:
    """A client that was never brought up: nothing of this needs more than its stack file."""
    client = BenchClient(tmp_path_factory.mktemp("client") / "project", world, groups=["staff"], apps=APPS)
    own = client.project.folder / "presets"
    own.mkdir()
    (own / "tickets.yaml").write_text(OWN.replace("parameters:", TEMPLATE + "parameters:"))
    yield client
    client.end()


def parts(client: BenchClient, *args: str) -> tuple[str, str]:
    """What `gatehouse settings` writes: what is pasted, and what is said about it."""
    code, pasted, said = client.project.ended("settings", "acme", *args)
    assert code == 0
    return pasted, " ".join(said.split())


def test_settings_are_pasted_and_what_is_said_of_them_is_not(client: BenchClient) -> None:
    pasted, said = parts(client, "grafana")
    lines = dict(line.split("=", 1) for line in pasted.splitlines())
    assert lines["GF_SERVER_ROOT_URL"] == "https://grafana.acme.example"
    assert lines["GF_AUTH_GENERIC_OAUTH_CLIENT_ID"] == client.secrets.value("app/grafana/client-id")
    assert lines["GF_AUTH_GENERIC_OAUTH_CLIENT_SECRET"] == "<the client secret: add --show-secrets>"
    assert lines["GF_AUTH_GENERIC_OAUTH_AUTH_URL"] == f"{client.world.issuer}/application/o/authorize/"
    assert "the container's environment:" in said
    assert "Secrets are left out" in said
    assert "--format ini" in said
    assert "oauth_allow_insecure_email_lookup" in said
    secret = Secrets(client.root).value("app/grafana/client-secret")
    assert secret not in pasted + said
    pasted, said = parts(client, "grafana", "--show-secrets", "--format", "ini")
    assert f"client_secret = {secret}" in pasted
    assert "left out" not in said


def test_an_app_without_a_preset_gets_a_sheet(client: BenchClient) -> None:
    pasted, said = parts(client, "wiki")
    assert f"Issuer: {client.world.issuer}/application/o/wiki/\n" in pasted
    assert "Redirect URIS: https://wiki.acme.example/cb\n" in pasted
    assert "its documentation says" in said


def test_what_is_asked_for_in_vain_is_got_once_the_remedy_was_followed(client: BenchClient) -> None:
    project = client.project
    assert "Write grafana" in project.gatehouse("settings", "acme", "graphana", check=False)
    assert "Take one of env, ini" in project.gatehouse(
        "settings", "acme", "grafana", "--format", "json", check=False
    )
    assert "Leave --format out" in project.gatehouse(
        "settings", "acme", "wiki", "--format", "json", check=False
    )
    assert "Leave --copy out" in project.gatehouse("settings", "acme", "wiki", "--copy", check=False)
    assert "Issuer" in project.gatehouse("settings", "acme", "wiki")
    said = project.gatehouse("settings", "acme", "tickets", check=False)
    assert (
        "presets/tickets.yaml: a template of its settings cannot be filled in: 'nonsense' is undefined"
        in said
    )
    assert "./gatehouse presets lists them all" in project.gatehouse("presets", "qqqq", check=False)
    assert "Matrix Synapse" in project.gatehouse("presets")


def test_settings_are_copied_to_the_terminal(client: BenchClient) -> None:
    """On a real terminal, whose clipboard gets what is pasted and nothing that is said about it."""
    master, slave = pty.openpty()
    done = subprocess.Popen(
        [PYTHON, "-m", "operations", "settings", "acme", "wiki", "--copy"], cwd=client.project.folder,
        env={**client.project.environment, "TERM": "xterm-256color"}, stdin=slave, stdout=slave, stderr=slave,
    )  # fmt: skip
    os.close(slave)
    seen = b""
    while True:
        try:
            seen += os.read(master, 65536)
        except OSError:  # what Linux says when nobody writes any more
            break
    os.close(master)
    assert done.wait(timeout=60) == 0
    copied = base64.b64decode(seen.split(b"\033]52;c;")[1].split(b"\a")[0]).decode()
    assert copied.startswith("Issuer: ")
    assert "documentation" not in copied
    assert "Sent to the terminal's clipboard" in seen.decode()


def test_presets_are_listed_looked_for_and_shown(client: BenchClient) -> None:
    project = client.project
    assert "Ticketing" in project.gatehouse("presets", "tickets")  # one's own
    found = project.gatehouse("presets", "MAIL", "server")
    assert "mailcow" in found
    assert "grafana" not in found
    shown = project.gatehouse("presets", "outline")
    for each in (
        "email_verified",
        "outline/outline",
        "1.9.1",
        "read in the app's source",
        "Accounts that are there",
    ):
        assert each in shown
    assert "Yours: presets/tickets.yaml" in project.gatehouse("presets", "tickets")


def test_doctor_says_which_protocol_was_chosen_and_why_and_what_is_wrong_with_presets(
    client: BenchClient,
) -> None:
    broken = client.project.folder / "presets" / "crm.yaml"
    broken.write_text(OWN.replace("about: tickets\n", ""))
    said = " ".join(client.project.gatehouse("doctor", "acme", check=False).split())
    broken.unlink()
    assert "gatehouse:apps.grafana speaks oidc rather than proxy: free edition has generic OAuth" in said
    assert "gatehouse:apps.tickets" not in said
    assert said.count("presets/crm.yaml:1") == 1
    assert "about is missing" in said
