"""Provisioning and hardening on a real Debian that booted with gatehouse's own user data."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bench.machine import Machines
from bench.paths import ROOT
from bench.tests.machine.conftest import Host, until
from bench.world import World
from components.containers.spec import folders
from components.containers.specs import all_specs
from components.host.user_data import hardening_record, hardening_script, user_data
from components.secrets import SshKey
from components.settings.accounts import RESERVED_ACCOUNTS
from tests.host.mocks import KEY, secrets, settings

pytestmark = pytest.mark.box
SERVER, VOLUME = 9301, 9391
ADDRESS6 = "2001:db8:0:231::1"
REAL, FIRST, DEPLOY = (secrets().ssh_key(f"ssh/{name}") for name in ("host", "first-boot", "deploy"))
FOLDERS = folders(all_specs(settings(), secrets()))
# What the hardening writes; a second run may not touch any of it.
WRITTEN = (
    "/etc/ssh/sshd_config.d/00-gatehouse.conf /etc/docker/daemon.json /etc/fail2ban/jail.d/gatehouse.local "
    "/etc/sysctl.d/60-gatehouse-network.conf /etc/apt/apt.conf.d/52gatehouse /etc/sudoers.d/90-gatehouse "
    "/etc/systemd/system/gatehouse-guard.service /usr/local/lib/gatehouse/guard"
)


class Box(Host):
    """The box, and the program that provisions it, run on the operator's side."""

    def provision(self, *flags: str, host: SshKey = REAL, **order: Any) -> subprocess.CompletedProcess[str]:
        document = {
            "client": "acme", "address": self.address, "host_private": host.private, "host_public": host.public,
            "first_public": FIRST.public, "accounts": [["deploy", DEPLOY.public], ["sam", KEY]],
            "ssh": ["ssh", "-F", "/dev/null", "-i", str(self.key), "-o", "IdentitiesOnly=yes"], "volume": str(VOLUME),
            "folders": FOLDERS, **order,
        }  # fmt: skip
        done: subprocess.CompletedProcess[str] = self.world.run(
            [sys.executable, "-m", "components.host.provision", *flags],
            input=json.dumps(document), capture_output=True, text=True, cwd=ROOT,
        )  # fmt: skip
        return done

    def root(self, command: str, *, check: bool = True) -> str:
        return self.ssh(f"sudo -n bash -c '{command}'", check=check)


@pytest.fixture(scope="module")
def box(
    world: World,
    machines: Machines,
    tmp_path_factory: pytest.TempPathFactory,
    record_figure: Callable[..., None],
) -> Iterator[Box]:
    key = tmp_path_factory.mktemp("keys") / "deploy"
    key.write_text(DEPLOY.private)
    key.chmod(0o600)
    found = Box(world, SERVER, "203.0.113.231", key, user="deploy")
    text = user_data(deploy_key=DEPLOY.public, first_boot=FIRST)
    machines.create(SERVER, "gatehouse-acme", text, found.address, ADDRESS6, 4096, "debian-12")
    machines.create_volume(VOLUME, 10)
    machines.power_on(SERVER)
    began = time.monotonic()
    machines.attach_volume(SERVER, VOLUME)
    done = found.provision("--first-contact")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("203.0.113.231: host key installed, already hardened, docker ")
    record_figure("host", seconds_first_boot_to_docker=(round(time.monotonic() - began, 1), 60))
    yield found
    machines.destroy(SERVER)


def test_first_boot_does_all_of_it(box: Box) -> None:
    assert box.root("cloud-init status").strip() == "status: done"
    assert box.root("cat /etc/gatehouse/hardening").strip() == hardening_record([])
    assert box.root("cat /usr/local/lib/gatehouse/harden") == hardening_script()
    assert box.root("systemctl --failed --no-legend").strip() == ""


def test_a_second_run_finds_nothing_to_do(box: Box) -> None:
    before = box.root(f'stat -c "%n %Y %i" {WRITTEN}; cat {WRITTEN} | sha256sum')
    done = box.provision()
    assert done.stdout.startswith("203.0.113.231: already hardened, docker "), done.stderr
    # The script itself, run again, changes no file either.
    assert "harden: done" in box.root("/usr/local/lib/gatehouse/harden")
    assert box.root(f'stat -c "%n %Y %i" {WRITTEN}; cat {WRITTEN} | sha256sum') == before


def test_only_keys_get_in_and_only_for_those_in_the_group(box: Box) -> None:
    told = dict(line.split(" ", 1) for line in box.root("sshd -T").splitlines() if " " in line)
    assert (told["permitrootlogin"], told["passwordauthentication"], told["allowgroups"]) == (
        "no",
        "no",
        "gatehouse",
    )
    assert told["permitopen"] == "127.0.0.1:9000 127.0.0.1:81" and told["allowtcpforwarding"] == "local"
    assert all("sntrup" in kex or "mlkem" in kex for kex in told["kexalgorithms"].split(","))
    assert not Host(box.world, SERVER, box.address, box.key, user="root").answers()


def test_the_box_has_the_derived_host_key_and_no_other(box: Box) -> None:
    scanned = box.world.run(["ssh-keyscan", box.address], capture_output=True, text=True).stdout
    keys = [line.split()[2] for line in scanned.splitlines() if not line.startswith("#")]
    assert keys == [REAL.public.split()[1]]


def test_another_machine_is_refused(box: Box) -> None:
    other = secrets().ssh_key("ssh/deploy")
    done = box.provision("--first-contact", host=other, first_public=other.public, settle_seconds=1)
    assert done.returncode == 1 and "nothing was sent to it" in done.stderr


def test_the_firewall_denies_by_default(box: Box) -> None:
    told = box.root("ufw status verbose")
    assert "Status: active" in told and "deny (incoming)" in told
    allowed = {line.split()[0] for line in told.splitlines() if "ALLOW IN" in line}
    assert allowed == {"22/tcp", "80/tcp", "443/tcp"}


def test_tunnels_lead_to_the_two_admin_ports_only(box: Box) -> None:
    for port, lets in ((9000, True), (81, True), (22, False)):
        argv = box.argv("true")
        argv[1:1] = ["-oLogLevel=VERBOSE", "-W", f"127.0.0.1:{port}"]
        said = box.world.run(argv[:-1], capture_output=True, text=True, stdin=subprocess.DEVNULL).stderr
        # Nothing listens there yet: allowed ends in "Connection refused", forbidden in sshd's own words.
        assert ("prohibited" in said) is not lets, (port, said)


def test_nobody_but_root_reaches_the_metadata_service(box: Box) -> None:
    assert box.root("iptables -S GATEHOUSE-FORWARD").splitlines()[1].endswith("-d 169.254.0.0/16 -j DROP")
    asked = "curl -sS -m 5 http://169.254.169.254/hetzner/v1/userdata 2>&1; true"
    began = time.monotonic()
    assert "Failed to connect" in box.ssh(asked) and time.monotonic() - began < 4


IMAGE = "ghcr.io/goauthentik/server:2026.8.3"  # there is a Python in it
ANSWER = (
    'import http.server as s; s.ThreadingHTTPServer(("", {port}), s.SimpleHTTPRequestHandler).serve_forever()'
)


@pytest.mark.case("16")
def test_what_docker_opens_besides_http_and_https_stays_closed(box: Box) -> None:
    """No cloud's firewall is before this box. Docker opens what somebody publishes by mistake, and to neighbours of the
    box also what is published on its loopback; and neighbours may reach a container by its own address."""

    def run(name: str, address: str, port: int, published: str) -> None:
        command = f"docker run --detach --name {name} --network gatehouse --ip {address} {published}"
        box.ssh(f"{command} --entrypoint python3 {IMAGE} -c {shlex.quote(ANSWER.format(port=port))}")

    def reached() -> set[str]:
        found = [(box.address, 443), (ADDRESS6, 443), (box.address, 8080), (ADDRESS6, 8080)]
        found += [(box.address, 8081), (ADDRESS6, 8081), (shop, 8080), (authentik, 8080)]
        return {f"{address} {port}" for address, port in found if box.reachable(port, address)}

    proxy, authentik, shop = "172.31.240.254", "172.31.240.253", "172.31.240.2"
    look = f"ip route get {box.address} | sed 's/.*dev \\([^ ]*\\).*/\\1/;q'"
    device = box.world.run(["sh", "-c", look], capture_output=True, text=True).stdout.strip()
    through = ["172.31.240.0/24", "via", box.address, "onlink", "dev", device]
    box.ssh("docker network create --subnet 172.31.240.0/24 gatehouse")
    try:
        run("shop", shop, 8080, "--publish 8080:8080")
        run("authentik", authentik, 8080, "--publish 8081:8080 --publish 127.0.0.1:9000:8080")
        run("proxy", proxy, 443, "--publish 443:443 --publish 127.0.0.1:81:443")
        box.world.run(["ip", "route", "add", *through], check=True)
        until(lambda: box.reachable(443), "a container that is published on 443")
        right = {f"{box.address} 443", f"{ADDRESS6} 443"}
        assert reached() == right
        answers = "curl -sS -m 5 -o /dev/null -w %{http_code} http://127.0.0.1"
        assert box.ssh(f"for port in 81 8080 8081 9000; do {answers}:$port; done") == "200" * 4
        box.root("iptables -F GATEHOUSE-FORWARD")
        # Else the rules have nothing to do.
        docker_lets_in = {f"{address} 8080" for address in (box.address, shop, authentik)}
        assert reached() == right | docker_lets_in | {f"{box.address} 8081"}
        box.root("systemctl restart gatehouse-guard")
        assert reached() == right
        assert box.provision(hardening=["--open", "8080/tcp"]).returncode == 0
        assert reached() == right | {f"{box.address} 8080", f"{ADDRESS6} 8080"}
        assert box.provision().returncode == 0
        assert reached() == right
    finally:
        box.world.run(["ip", "route", "del", *through])
        box.ssh("docker rm --force shop authentik proxy; docker network rm gatehouse", check=False)


def test_docker_is_deploys_and_stops_containers_with_the_box(box: Box) -> None:
    info = json.loads(box.ssh("docker info --format '{{json .}}'"))
    assert info["LiveRestoreEnabled"] is False and info["LoggingDriver"] == "json-file"
    assert _took_up_its_configuration(box)


def _took_up_its_configuration(box: Box) -> bool:
    return box.root("test /etc/docker/daemon.json -nt /run/docker.pid || echo yes; true").strip() == "yes"


def test_data_is_on_the_volume(box: Box) -> None:
    assert box.root("readlink /srv/gatehouse").strip() == f"/mnt/HC_Volume_{VOLUME}/gatehouse"
    paths = " ".join(folder.path for folder in FOLDERS)
    modes = box.root(f'cd /srv/gatehouse/ && stat -c "%n %u:%g %#a" {paths}').splitlines()
    owners = {folder.path: folder.owner or 0 for folder in FOLDERS}
    assert modes == [f"{path} {owners[path]}:{owners[path]} {mode}" for path, mode, _ in FOLDERS]
    # What an image's entry point gave to its own user stays that user's; the others are put right.
    box.root("cd /srv/gatehouse/ && chown 70:70 postgres && chown 0:0 authentik/certs")
    assert box.provision().returncode == 0
    assert box.root('cd /srv/gatehouse/ && stat -c "%u %a" postgres authentik/certs').split() == [
        "70", "700", "1000", "750",
    ]  # fmt: skip
    assert "RequiresMountsFor=/mnt/HC_Volume" in box.root("systemctl cat docker.service")


@pytest.mark.case("17")
def test_an_operator_comes_and_goes(box: Box) -> None:
    """With all that they run on the box, and with nothing else: a container may have the same number for its user."""
    sam = Host(box.world, SERVER, box.address, box.key, user="sam")
    deploy, theirs = ["deploy", DEPLOY.public], ["sam", DEPLOY.public]  # a key that the test has
    assert box.provision(accounts=[deploy, theirs]).returncode == 0
    assert "gatehouse" in box.root("id -nG sam") and "docker" in box.root("id -nG sam")
    assert box.root("cat /home/sam/.ssh/authorized_keys").strip() == DEPLOY.public.strip()
    number = box.root("id -u sam").strip()
    wait = f"--entrypoint python3 {IMAGE} -c 'import time; time.sleep(600)'"
    box.ssh(f"docker run --detach --name same-number --user {number} {wait}")
    sam.ssh("nohup sleep 600 >/dev/null 2>&1 &")
    session = box.world.popen(sam.argv("sudo -n sleep 600"), stdin=subprocess.DEVNULL)
    until(lambda: "sleep 600" in box.root("ps -o args -u sam; pgrep -af sleep; true"), "what sam runs")
    try:
        assert box.provision(accounts=[deploy]).returncode == 0
        assert session.wait(10) != 0 and not sam.answers()
        assert box.root("ps -o args= -u sam | grep -v python3; true").strip() == ""
        assert box.ssh("docker inspect --format {{.State.Running}} same-number").strip() == "true"
    finally:
        session.kill()
        box.ssh("docker rm --force same-number")
    assert box.root("id -nG sam").split() == ["sam"]
    assert box.root("test -e /home/sam/.ssh/authorized_keys && echo there; true").strip() == ""
    assert box.provision().returncode == 0
    assert box.root("cat /home/sam/.ssh/authorized_keys").strip() == KEY


@pytest.mark.case("17")
def test_accounts_that_gatehouse_did_not_make_are_left_alone(box: Box) -> None:
    box.root("useradd --create-home shopkeeper; groupadd shop; useradd --create-home --groups gatehouse kim")
    look = 'getent passwd shopkeeper kim; getent group shop; ls -A /home/shopkeeper; grep -E "^(shopk|kim)" /etc/shadow'
    before = box.root(look)
    for name in ("shopkeeper", "shop"):
        done = box.provision(accounts=[["deploy", DEPLOY.public], ["sam", KEY], [name, KEY]])
        assert (
            done.returncode == 1
            and f"user or group {name} on this box that gatehouse did not make" in done.stderr
        )
    # An earlier version took over an account that was there; it goes on, and goes with its operator, unlocked.
    accounts = [["deploy", DEPLOY.public], ["sam", KEY]]
    assert box.provision(accounts=[*accounts, ["kim", KEY]]).returncode == 0
    assert box.root("cat /home/kim/.ssh/authorized_keys").strip() == KEY
    assert box.provision(accounts=accounts).returncode == 0
    assert box.root(look) == before and box.root("id -nG kim").split() == ["kim"]
    box.root("userdel --remove shopkeeper; groupdel shop; userdel --remove kim", check=False)


@pytest.mark.case("17")
def test_no_operator_can_have_a_name_that_the_box_has(box: Box) -> None:
    names = set(box.root("getent passwd | cut -d: -f1; getent group | cut -d: -f1").split())
    assert {"staff", "nobody", "docker", "deploy"} <= names
    assert names - {"sam"} <= RESERVED_ACCOUNTS


@pytest.mark.parametrize(
    "there", ["/etc", "/etc/docker/daemon.json", "/etc/ssh/sshd_config.d/00-gatehouse.conf"]
)
def test_a_hardening_that_is_killed_is_done_by_the_next_run(box: Box, there: str) -> None:
    """Killed as soon as `there` exists: at once, with Docker's settings written, and with those of ssh."""
    box.root(
        "rm -f /etc/gatehouse/hardening /etc/docker/daemon.json /etc/ssh/sshd_config.d/00-gatehouse.conf"
    )
    box.root(
        "setsid /usr/local/lib/gatehouse/harden >/dev/null 2>&1 & run=$!; "
        f"while [ ! -e {there} ] && kill -0 $run; do sleep 0.01; done; "
        "until kill -KILL -- -$run || ! kill -0 $run; do :; done"  # it may not have its group yet
    )
    until(box.answers, "ssh, which may be taking up its new configuration")
    assert box.root("cat /etc/gatehouse/hardening 2>/dev/null; true").strip() == ""
    done = box.provision()
    assert done.returncode == 0 and ": hardened, docker " in done.stdout, done.stderr
    assert box.root("cat /etc/gatehouse/hardening").strip() == hardening_record([])
    assert _took_up_its_configuration(box)
    assert "allowgroups gatehouse" in box.root("sshd -T")


def test_what_somebody_else_has_on_a_box_stops_a_take_over(box: Box) -> None:
    look = (ROOT / "components/host/takeover.sh").read_text()

    def found() -> list[str]:
        said = box.world.run(box.argv("sudo -n bash -s 22"), input=look, capture_output=True, text=True)
        assert said.returncode == 0, said.stderr
        return str(said.stdout).splitlines()

    assert found() == []
    box.root("mv /etc/gatehouse /root/gatehouse")  # as on a box that gatehouse has never been on
    try:
        assert found() == ["Docker's settings: /etc/docker/daemon.json"]
        box.root(
            "ufw allow 8080/tcp; ufw limit from 198.51.100.0/24 to any port 25; "
            "iptables -A INPUT -p udp --dport 5353 -j ACCEPT; "
            # Debian's image comes without nft; what it would say is known.
            "echo echo table inet theirs >/usr/local/bin/nft; chmod +x /usr/local/bin/nft; "
            "tar -chP /bin/sleep /lib64/ld-linux-x86-64.so.2 /lib/x86_64-linux-gnu/libc.so.6 | docker import - theirs; "
            "docker run -d --name shop theirs /bin/sleep 300"
        )
        assert set(found()) == {
            "a container of docker: shop",
            "Docker's settings: /etc/docker/daemon.json",
            "a rule of ufw: ufw allow 8080/tcp",
            "a rule of ufw: ufw limit from 198.51.100.0/24 to any port 25",
            "rules of nftables: table inet theirs",
            "a rule of iptables: -A INPUT -p udp -m udp --dport 5353 -j ACCEPT",
        }
        before = box.root("ls -l --time-style=full-iso /etc/docker /etc/ssh /etc/passwd; ufw status")
        done = box.provision(guarded=True)
        assert done.returncode == 1 and "container of docker: shop" in done.stderr
        assert box.root("ls -l --time-style=full-iso /etc/docker /etc/ssh /etc/passwd; ufw status") == before
        assert box.root("docker inspect -f {{.State.Running}} shop").strip() == "true"
    finally:
        box.root(
            "docker rm -f shop; docker rmi theirs; rm /usr/local/bin/nft; ufw delete allow 8080/tcp; "
            "ufw delete limit from 198.51.100.0/24 to any port 25; iptables -D INPUT -p udp --dport 5353 -j ACCEPT; "
            "mv /root/gatehouse /etc/gatehouse",
            check=False,
        )
    assert found() == []


def test_everything_is_there_after_a_reboot(box: Box, machines: Machines) -> None:
    machines.reboot(SERVER)
    until(box.answers, "ssh after the reboot")
    assert box.provision().stdout.startswith("203.0.113.231: already hardened")
    assert "Status: active" in box.root("ufw status")
    for tool in ("iptables", "ip6tables"):
        assert "-A DOCKER-USER -j GATEHOUSE-FORWARD" in box.root(f"{tool} -S DOCKER-USER").splitlines()[1]
        assert "-A FORWARD -j DOCKER-USER" in box.root(f"{tool} -S FORWARD").splitlines()[1]
    assert "! --uid-owner 0" in box.root("iptables -S OUTPUT")
    assert box.root("systemctl --failed --no-legend").strip() == ""


def test_a_volume_that_is_gone_is_said_by_name(box: Box) -> None:
    layout = (ROOT / "components/host/layout.sh").read_text().replace("patience=90", "patience=1")
    done = box.world.run(box.argv("sudo -n bash -s 77"), input=layout, capture_output=True, text=True)
    assert done.returncode == 1
    assert (
        "volume 77 is not mounted at /mnt/HC_Volume_77 after 1 s: is it attached to this server?"
        in done.stderr
    )
