"""No secret of a client is anywhere in clear: state, screen, logs, `ps`; the root secret is in the state in no form."""

from __future__ import annotations

import base64
import json
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import psutil
import pytest

from bench.plain import PlainWorld
from components.secrets import SECRET_FORMS, SSH_KEYS, Secrets, check_root_secret
from tests.operations.client import MARK, BenchClient, wait_for

pytestmark = pytest.mark.engine

PEOPLE = [
    {"username": name, "name": name, "email": f"{name}@acme.example", "groups": ["staff"]}
    for name in ("jane", "mike")
]
APPS: dict[str, Any] = {
    "grafana": {"preset": "grafana", "url": "https://grafana.acme.example", "groups": ["staff"]},
    "wiki": {
        "everyone": True,
        "protocol": "oidc",
        "url": "https://wiki.acme.example",
        "redirectUris": ["https://wiki.acme.example/cb"],
    },
}
NOTES = {
    **APPS["wiki"],
    "url": "https://notes.acme.example",
    "redirectUris": ["https://notes.acme.example/cb"],
}
RAW = "only-in-a-raw-object-7f3a"
"""What is secret in a field that is none by nature."""
OBJECTS: list[dict[str, Any]] = [
    {"kind": "authentik_core.group", "name": "machines", "fields": {"attributes": {"plain": "visible"}}},
    {"kind": "authentik_policies_expression.expressionpolicy", "name": "gate", "fields": {}},
]
PLACES = ("objects[0].fields.attributes.api.key", "objects[1].fields.expression")
ONLY_IN_CONFIG = "only-in-the-stack-file"
ROTATED = {"app/grafana/client-secret": 2, "person/jane/password": 3}


def forms(secret: str | bytes) -> set[str]:
    """What a secret looks like in clear: as it is, quoted for URLs or JSON, in hexadecimal, in base64 at any offset."""
    raw = secret if isinstance(secret, bytes) else secret.encode()
    found = {raw.hex()}
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw).decode().rstrip("=")
        inner = encoded[
            (0, 2, 3)[offset] : -1
        ]  # the first and last characters also hold bits of the neighbours
        found |= {inner, inner.replace("+", "-").replace("/", "_")}
    if isinstance(secret, str):
        found |= {secret, secret[::-1], urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret)}
        found.add(json.dumps(secret)[1:-1])
    return found


def names() -> list[str]:
    """Every secret that this client could have, but for client ids, which are none, and for outposts."""
    found = list(SSH_KEYS)
    for name in SECRET_FORMS:
        if "client-id" not in name and "<protocol>" not in name:
            found += (
                [name.replace("<id>", app).replace("<username>", "jane") for app in APPS]
                if "<" in name
                else [name]
            )
    return sorted({*found, "person/mike/password"})


@dataclass
class Watched:
    """A client, all that was seen of it, and what must not be seen."""

    client: BenchClient
    screens: dict[str, str] = field(default_factory=dict)
    arguments: set[str] = field(default_factory=set)
    environments: set[tuple[str, str]] = field(default_factory=set)

    def secrets(self) -> dict[str, set[str]]:
        """Every secret by name, in every form; also those of later generations."""
        client = self.client
        later = Secrets(client.root, ROTATED)
        found = {name: forms(client.secrets.value(name)) for name in names()}
        found |= {f"{name}, rotated": forms(later.value(name)) for name in ROTATED}
        found["authentik's token"] = forms(client.world.token)
        found["a secret of a raw object"] = forms(RAW)
        return found | {"the root secret": self.root_forms()}

    def root_forms(self) -> set[str]:
        """The root secret, and the bytes in it."""
        return forms(self.client.root) | forms(check_root_secret(self.client.root))

    def run(self, label: str, *args: str, check: bool = True, pulumi: bool = False) -> str:
        """Run a command while `ps` is watched; what it said is kept."""
        over = threading.Event()
        watcher = threading.Thread(target=self.watch, args=[over])
        watcher.start()
        try:
            said = (self.client.project.pulumi if pulumi else self.client.project.gatehouse)(
                *args, check=check
            )
        finally:
            over.set()
            watcher.join()
        self.screens[label] = said
        return said

    def watch(self, over: threading.Event) -> None:
        """Note what every process of the run was started with."""
        known: set[int] = set()
        while not over.wait(0.01):
            for pid in set(psutil.pids()) - known:
                with suppress(psutil.Error, OSError):
                    process = psutil.Process(pid)
                    environment = process.environ()
                    if environment.get(MARK) == self.client.mark:
                        self.arguments.add(" ".join(process.cmdline()))
                        self.environments |= set(environment.items())
                    if process.cmdline():
                        known.add(pid)

    def clean(self) -> None:
        """See that nothing so far shows a secret, and the state holds the root secret and the config in no form."""
        places = list(self.places())
        for name, looks in self.secrets().items():
            for place, text in places:
                assert not [look for look in looks if look in text], f"{name} is in {place}"
        open_state = self.client.project.pulumi("stack", "export", "--show-secrets", "--stack", "acme")
        assert not [look for look in self.root_forms() if look in open_state], (
            "the root secret is in the state"
        )
        assert ONLY_IN_CONFIG not in open_state

    def places(self) -> Iterator[tuple[str, str]]:
        """Everything that others may see."""
        yield from self.screens.items()
        yield "the arguments of a process", "\n".join(self.arguments)
        for name, value in self.environments:
            # Pulumi hands the config to the program in a variable of its own, which only its owner can read.
            if name != "PULUMI_CONFIG":
                yield f"the environment variable {name}", value
        for log in self.client.world.directory.glob("*.log"):
            yield f"authentik's {log.name}", log.read_text()
        yield "the exported state", self.client.project.pulumi("stack", "export", "--stack", "acme")
        folder = self.client.project.folder
        for file in [*(folder / ".gatehouse").rglob("*"), *(folder / "stacks").iterdir()]:
            if file.is_file():
                yield str(file.relative_to(folder)), file.read_text()


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, world: PlainWorld) -> Iterator[Watched]:
    client = BenchClient(
        tmp_path_factory.mktemp("secrets") / "project", world, groups=["staff"], people=PEOPLE, apps=APPS,
        operators=[{"name": "sam", "email": f"{ONLY_IN_CONFIG}@agency.example"}], objects=OBJECTS,
    )  # fmt: skip
    for place in PLACES:
        args = ["config", "set", "--stack", "acme", "--secret", "--path", f"gatehouse:{place}"]
        client.project.pulumi(*args, given=f'return "{RAW}"')
    yield Watched(client)
    client.end()


def test_the_look_outs_see_what_they_look_for(watched: Watched) -> None:
    """Every form is found where it stands, so that not finding it means something."""
    secret = watched.client.secrets.value("person/jane/password")
    for pad in range(4):
        text = base64.b64encode(b"x" * pad + f"user:{secret}!".encode()).decode()
        assert any(look in text for look in forms(secret))
    assert any(
        look in urllib.parse.urlencode({"token": "a b/ü+" + secret}) for look in forms("a b/ü+" + secret)
    )
    assert len(names()) > 12


def test_nothing_shows_when_all_goes_well(watched: Watched) -> None:
    watched.run("doctor", "doctor", "acme")
    watched.run("preview", "preview", "acme", "--diff")
    watched.run("up", "up", "acme", "--yes")
    watched.run("outputs", "outputs", "acme")
    watched.run("outputs as JSON", "outputs", "acme", "--json")
    assert len(watched.arguments) >= 4, "gatehouse, pulumi, the language host, the program, the provider"
    assert "PULUMI_CONFIG" in {name for name, _ in watched.environments}
    watched.clean()


def test_they_are_there_for_who_asks(watched: Watched) -> None:
    told = json.loads(watched.client.project.gatehouse("outputs", "acme", "--show-secrets", "--json"))
    value = watched.client.secrets.value
    assert told["clientSecrets"] == {app: value(f"app/{app}/client-secret") for app in APPS}
    assert told["firstPasswords"] == {name: value(f"person/{name}/password") for name in ("jane", "mike")}


def test_nothing_shows_after_drift_refresh_and_update(watched: Watched) -> None:
    client = watched.client
    client.api.patch("/api/v3/core/applications/grafana/", json={"name": "By hand"}).raise_for_status()
    pk = client.one("provider", "grafana")["pk"]
    changed = client.api.patch(
        f"/api/v3/providers/oauth2/{pk}/", json={"client_secret": "changed-by-hand-" * 4}
    )
    changed.raise_for_status()
    machines = client.one("group", "machines")
    assert machines["attributes"] == {"plain": "visible", "api": {"key": f'return "{RAW}"'}}
    attributes = {"api": "changed-by-hand"}
    client.api.patch(
        f"/api/v3/core/groups/{machines['pk']}/", json={"attributes": attributes}
    ).raise_for_status()
    watched.run("preview with drift", "preview", "acme", "--refresh", "--diff")
    watched.run("refresh", "refresh", "--yes", "--skip-preview", "--diff", "--stack", "acme", pulumi=True)
    assert "changed-by-hand" not in watched.screens["preview with drift"] + watched.screens["refresh"]
    client.edit(secrets={"generations": ROTATED})
    watched.run("up of a rotation", "up", "acme", "--yes")
    later = Secrets(client.root, ROTATED)
    assert client.one("group", "machines")["attributes"]["api"] == {"key": f'return "{RAW}"'}
    assert client.one("provider", "grafana")["client_secret"] == later.value("app/grafana/client-secret")
    watched.clean()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/core/users/$", "person/anna/password"),
        ("/set_password/$", "person/anna/password"),
        ("/providers/oauth2/$", "app/notes/client-secret"),
    ],
)
def test_nothing_shows_when_authentik_refuses(watched: Watched, path: str, name: str) -> None:
    """Even if it repeats what it was sent, in the field's own error or in any other."""
    client = watched.client
    anna = {"username": "anna", "name": "Anna", "email": "anna@acme.example", "groups": ["staff"]}
    client.edit(**{"apps": {**APPS, "notes": NOTES}} if "/notes/" in name else {"people": [*PEOPLE, anna]})
    secret = client.secrets.value(name)
    body = {
        "password": [secret],
        "client_secret": [secret],
        "non_field_errors": [f"{'so ' * 60}{secret} is bad"],
    }
    client.fault("POST", path, times=20, status=400, body=body)
    output = watched.run(f"up while POST {path} is refused", "up", "acme", "--yes", check=False)
    client.no_faults()
    assert "HTTP 400" in output
    watched.clean()


def test_nothing_shows_when_the_token_is_refused(watched: Watched) -> None:
    client = watched.client
    client.fault(
        "GET", "/core/groups/$", times=20, status=403, body={"detail": f"Token {client.world.token} is bad"}
    )
    watched.run("up with a token that was revoked", "up", "acme", "--yes", check=False)
    client.no_faults()
    watched.clean()


def test_nothing_shows_when_a_run_is_killed_and_healed_and_all_is_taken_down(watched: Watched) -> None:
    client = watched.client
    client.edit(people=[*PEOPLE, {**PEOPLE[0], "username": "otto", "email": "otto@acme.example"}])
    client.hold("POST", "/set_password/$")
    run = client.project.start("up", "acme", "--yes")
    try:
        wait_for(client.faults_met, "the password to be set")
        client.rest()
    finally:
        client.kill(run)
    client.no_faults()
    watched.run("up after a kill", "up", "acme", "--yes")
    watched.clean()
    watched.run("destroy", "destroy", "acme", "--confirm", "acme")
    watched.clean()
