"""A whole client on a box: killed while it comes up, healed, unchanged, logged in to, taken down."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.machine import missing
from bench.project import Project
from bench.world import World
from components.secrets import SECRET_FORMS, Secrets, new_root_secret

pytestmark = [pytest.mark.box, pytest.mark.timeout(1200)]

MARK = "GATEHOUSE_TEST_WHOLE"
PATIENCE = 240.0
SETTINGS: dict[str, Any] = {
    "client": "acme",
    "domain": "acme.example",
    "server": {"type": "cx23", "location": "nbg1"},
    "authentik": {"version": "2026.8.3"},
    "redis": "auto",
    "groups": ["staff", "engineering"],
    "people": [
        {
            "username": "jane",
            "name": "Jane",
            "email": "jane@acme.example",
            "groups": ["staff", "engineering"],
        },
        {"username": "mallory", "name": "Mallory", "email": "mallory@acme.example", "groups": ["staff"]},
    ],
    "apps": {
        "grafana": {"preset": "grafana", "url": "https://grafana.acme.example", "groups": ["engineering"]},
    },
}
# What the engine says when it begins something: the run is killed right then. With time enough, at all of them.
KILLED_AT = (
    pytest.param("hcloud:index:Volume data creating", marks=pytest.mark.nightly),
    "hcloud:index:Server server creating",
    pytest.param("command:local:Command hardening creating", marks=pytest.mark.nightly),
    "docker:index:Container postgres creating",
    "npm:certificate gatehouse auth.acme.example creating",
)

# An app that knows nothing of logins, and how an operator runs one.
APPS = {
    **SETTINGS["apps"],
    "wiki": {
        "protocol": "proxy", "url": "https://wiki.acme.example", "upstream": "http://wiki:8080",
        "groups": ["engineering"],
    },
}  # fmt: skip
WIKI = (
    "docker", "run", "--detach", "--name", "wiki", "--network", "gatehouse", "--entrypoint", "python3",
    "ghcr.io/goauthentik/server:2026.8.3", "-m", "http.server", "8080",
)  # fmt: skip

# Which of the targets can be reached from here, and what authentik says of itself at its public name.
REACH = """
import json, socket, ssl, urllib.request
from concurrent.futures import ThreadPoolExecutor

def reached(target):
    try:
        socket.create_connection(target, 2).close()
    except OSError:
        return False
    return True

targets = {targets}
with ThreadPoolExecutor(len(targets)) as pool:
    print(json.dumps([one for one, yes in zip(targets, pool.map(reached, targets)) if yes]))
ours = ssl.create_default_context()
ours.check_hostname, ours.verify_mode = False, ssl.CERT_NONE
url = "https://auth.acme.example/application/o/grafana/.well-known/openid-configuration"
lies = {{"X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example"}}
print(urllib.request.urlopen(urllib.request.Request(url, headers=lies), context=ours).read().decode())
"""


class Whole:
    """A client on a world of its own."""

    def __init__(self, folder: Path, world: World) -> None:
        self.world = world
        self.root = new_root_secret()
        self.secrets = Secrets(self.root)
        self.project = Project(folder, {**world.env(), MARK: str(folder)}, world.command)
        self.screen: list[str] = []
        operator = {"name": "sam", "email": "sam@agency.example", "sshKey": world.new_options[1]}
        self.project.stack("acme", {**SETTINGS, "operators": [operator]}, {"rootSecret": self.root})

    def gatehouse(self, *args: str) -> str:
        """One of the operator's commands; what it printed is kept."""
        self.screen.append(self.project.gatehouse(*args))
        return self.screen[-1]

    def up(self, *args: str) -> str:
        """`gatehouse up`, after which nothing is left to do; what it printed."""
        said = self.gatehouse("up", "acme", "--yes", *args)
        self.gatehouse("preview", "acme", "--expect-no-changes")
        return said

    def kill_up_at(self, words: str) -> None:
        """Start `gatehouse up`, and kill everything that it started as soon as it prints these words."""
        process = self.project.start("up", "acme", "--yes")
        assert process.stdout is not None
        began = time.monotonic()
        for line in process.stdout:
            self.screen.append(line)
            if words in line:
                break
            assert time.monotonic() - began < PATIENCE, f"{words!r} was not said in time"
        else:
            raise AssertionError(f"{words!r} was never said:\n{''.join(self.screen[-60:])}")
        while found := self.started():  # again, for those that were started while the first ones were killed
            for each in found:
                with contextlib.suppress(psutil.NoSuchProcess):  # ended by itself, its parent being gone
                    each.kill()
        process.wait()

    def started(self) -> list[psutil.Process]:
        """Every living process that a command of this test started."""
        found = []
        for each in psutil.process_iter():
            try:
                if each.pid != os.getpid() and each.environ().get(MARK) == str(self.project.folder):
                    found.append(each)
            except psutil.Error:
                continue
        return found

    def on_box(self, *command: str, given: str = "") -> str:
        """Run a command on the box as deploy, with `given` on its standard input; what it printed."""
        address = self.project.pulumi("stack", "output", "address", "--stack", "acme").strip()
        done = subprocess.run(
            self.world.command(["ssh", "-F", ".gatehouse/acme/ssh_config", address, *command]),
            cwd=self.project.folder, env=self.project.environment, check=True, capture_output=True, text=True,
            input=given,
        )  # fmt: skip
        return done.stdout

    def clouds(self) -> str:
        """What both clouds hold, as text."""
        url = "http://127.0.0.1:8101/_bench/state"
        script = f"import urllib.request; print(urllib.request.urlopen({url!r}).read().decode())"
        done = self.world.run(["python3", "-c", script], capture_output=True, text=True)
        return str(done.stdout)

    def ids(self) -> dict[str, str]:
        """The ids of what the state has outside, by URN."""
        return {
            each["urn"]: each["id"]
            for each in self.project.state("acme")["resources"]
            if each.get("id") and "pulumi:providers" not in each["urn"] and ":Command::" not in each["urn"]
        }

    def server(self) -> str:
        """The id of the server that the state holds."""
        resources = self.project.state("acme")["resources"]
        return str(next(each["id"] for each in resources if each["type"] == "hcloud:index/server:Server"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    if reasons := missing():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)("no box here: " + "; ".join(reasons))
    world = World(tmp_path_factory.mktemp("whole"))
    world.start()
    try:
        yield Whole(tmp_path_factory.mktemp("program") / "gatehouse", world)
    finally:
        world.clean()


@pytest.mark.parametrize("words", KILLED_AT)
def test_the_run_that_brings_it_up_is_killed(whole: Whole, words: str) -> None:
    whole.project.edit("acme", {"apps": APPS})
    whole.kill_up_at(words)


def test_a_client_comes_up_although_it_is_killed_again_and_again(whole: Whole) -> None:
    whole.project.edit("acme", {"apps": APPS})
    whole.up()
    state = json.loads(whole.clouds())
    hetzner = state.get("hetzner", state)
    for kind in ("servers", "volumes", "firewalls", "ssh_keys"):
        assert len(hetzner[kind]) == 1, (kind, hetzner[kind])
    assert "No change." in whole.up()
    assert not whole.project.state("acme").get("pending_operations")


def test_people_log_in_as_declared(whole: Whole) -> None:
    """To an app of its own by OpenID Connect, and to one behind nginx and authentik's outpost."""
    if not whole.on_box("docker", "ps", "--quiet", "--filter", "name=^wiki$"):
        whole.on_box(*WIKI)
    said = whole.gatehouse("login-check", "acme")
    for app in ("grafana", "wiki"):
        assert f"{app}: jane may log in; logged in" in said
        assert f"{app}: mallory may not; refused" in said


def test_no_secret_is_anywhere_in_clear(whole: Whole) -> None:
    clear = whole.project.pulumi("stack", "export", "--stack", "acme")
    shown = whole.project.pulumi("stack", "export", "--stack", "acme", "--show-secrets")
    logs = "".join(path.read_text(errors="replace") for path in whole.world.directory.glob("*.log"))
    user_data = [
        path.read_text() for path in whole.world.directory.rglob("nocloud/user-data") if path.is_file()
    ]
    assert user_data
    places = {"state": clear, "logs": logs, "screen": "".join(whole.screen), "user data": "".join(user_data)}
    names = [name for name in SECRET_FORMS if "<" not in name] + [
        "app/grafana/client-secret",
        "person/jane/password",
    ]
    for name in names:
        value = whole.secrets.value(name)
        for place, text in places.items():
            for form in (value, base64.b64encode(value.encode()).decode()):
                assert form not in text, f"{name} is in the {place} in clear"
    for place, text in {**places, "state with secrets shown": shown}.items():
        assert whole.root not in text, f"the root secret is in the {place}"
    for name in ("ssh/host", "ssh/deploy"):
        body = "".join(whole.secrets.ssh_key(name).private.splitlines()[1:-1])
        for place, text in places.items():
            assert body not in text.replace("\n", "").replace(" ", ""), f"{name} is in the {place}"


@pytest.mark.case("12")
def test_a_client_whose_state_is_lost_is_taken_in(whole: Whole) -> None:
    whole.up()
    before = whole.ids()
    shutil.rmtree(whole.project.folder / ".gatehouse/state/.pulumi")
    said = whole.gatehouse("recover", "acme", "--yes")
    assert "doubtful" not in said
    assert [line.split("  ")[0] for line in said.splitlines() if "missing" in line] == [
        "set-up of the box: hardening",
    ]
    # authentik's own: where the login asks for a second factor, what passes through it, and what takes a password.
    assert [line.split("  ")[0] for line in said.splitlines() if "taken over next" in line] == [
        "flow stage binding",
        "outpost authentik Embedded Outpost",
        "password stage default-authentication-password",
    ]
    whole.up()
    assert whole.ids() == before
    whole.gatehouse("preview", "acme", "--refresh", "--expect-no-changes")
    test_people_log_in_as_declared(whole)


BY_IPV6 = """
import socket, ssl
with socket.create_connection(("::1", 443), 20) as plain:
    with ssl._create_unverified_context().wrap_socket(plain, server_hostname="auth.acme.example") as connection:
        connection.sendall(b"GET / HTTP/1.1\\r\\nHost: auth.acme.example\\r\\nConnection: close\\r\\n\\r\\n")
        print(connection.recv(100).split()[1].decode())
"""


@pytest.mark.case("3")
def test_visitors_come_by_ipv6_too(whole: Whole) -> None:
    assert whole.on_box("python3", "-c", shlex.quote(BY_IPV6)).strip() in {"200", "302"}


@pytest.mark.case("16")
def test_apps_on_the_box_reach_the_proxy_and_nothing_else_of_the_client(whole: Whole) -> None:
    inspect = "docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}' "
    inspect += "$(docker ps --quiet --filter name=^gatehouse-)"
    inside = whole.on_box(inspect).split()
    assert len(inside) >= 8, inside
    box = [whole.project.pulumi("stack", "output", "address", "--stack", "acme").strip(), "172.31.240.1"]
    targets = [
        (one, port) for one in inside + box for port in (22, 80, 81, 443, 5432, 6379, 8080, 8443, 9000)
    ]
    program = REACH.format(targets=[*targets, ("169.254.169.254", 80), ("gatehouse-postgres", 5432)])
    image = "ghcr.io/goauthentik/server:2026.8.3"  # there is a Python in it
    app = f"docker run --rm --interactive --network gatehouse --entrypoint python3 {image} -"
    address, _, told = whole.on_box(app, given=program).partition("\n")
    proxy = "172.31.240.254"
    assert json.loads(address) == [[one, port] for one in (proxy, *box) for port in (80, 443)]
    # By its public name it is authentik, over https although nobody else's word is taken for that.
    assert json.loads(told)["issuer"] == "https://auth.acme.example/application/o/grafana/"


def test_what_was_deleted_by_hand_comes_back(whole: Whole) -> None:
    whole.on_box("docker", "rm", "--force", "gatehouse-npm")
    whole.up()
    test_people_log_in_as_declared(whole)


def test_a_server_that_is_made_anew_in_one_run_has_all_data(whole: Whole) -> None:
    logo = "/srv/gatehouse/authentik/data/logo"
    whole.on_box("sudo", "touch", logo, "/etc/own-disk")
    before = whole.server()
    whole.project.edit("acme", {"rebuild": 2})
    whole.up("--confirm", "acme")
    assert whole.server() != before
    assert whole.on_box("ls", "/etc/own-disk", "||", "sudo", "ls", logo) == f"{logo}\n"
    test_people_log_in_as_declared(whole)
    assert "No change." in whole.up()


@pytest.mark.case("9")
def test_another_root_secret_leaves_the_clients_files_alone(whole: Whole) -> None:
    whole.up()
    folder = whole.project.folder / ".gatehouse" / "acme"
    before = {name: (folder / name).read_bytes() for name in ("deploy_key", "known_hosts", "ssh_config")}
    set_root = ("config", "set", "--stack", "acme", "--secret", "gatehouse:rootSecret")
    whole.project.pulumi(*set_root, given=new_root_secret())
    try:
        for said in (
            whole.project.pulumi("preview", "--stack", "acme", check=False),
            whole.project.gatehouse("up", "acme", "--yes", check=False),
        ):
            assert "not the root secret that acme was brought up with" in " ".join(said.split())
    finally:
        whole.project.pulumi(*set_root, given=whole.root)
    assert {name: (folder / name).read_bytes() for name in before} == before


@pytest.mark.case("11")
def test_a_changed_domain_goes_through_in_one_run(whole: Whole) -> None:
    whole.up()
    server, containers = (
        whole.server(),
        whole.on_box("docker", "ps", "--quiet", "--filter", "name=gatehouse-npm"),
    )
    apps = {**APPS, "wiki": {**APPS["wiki"], "url": "https://wiki.demo.example"}}
    whole.project.edit("acme", {"domain": "demo.example", "apps": apps})
    said = whole.project.gatehouse("up", "acme", "--yes", check=False)
    assert "authentik has answered at https://auth.acme.example, and would answer at" in said
    assert "--confirm acme" in said
    whole.gatehouse("up", "acme", "--yes", "--confirm", "acme")
    told = json.loads(whole.project.pulumi("stack", "output", "--json", "--stack", "acme"))
    assert told["apps"]["grafana"]["issuer"] == "https://auth.demo.example/application/o/grafana/"
    assert "auth.acme.example" not in json.dumps(json.loads(whole.clouds()))
    # Nothing that gatehouse gets in with follows the domain: the proxy is the same, and is logged in to.
    assert whole.on_box("docker", "ps", "--quiet", "--filter", "name=gatehouse-npm") == containers
    assert whole.server() == server
    assert "No change." in whole.up()
    test_people_log_in_as_declared(whole)


def test_nothing_is_left_after_destroy(whole: Whole) -> None:
    whole.gatehouse("destroy", "acme", "--confirm", "acme")
    assert whole.world.leftovers() == []
    assert whole.started() == []
