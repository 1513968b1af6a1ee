"""A box as gatehouse's own user data makes it, and the bench's images in its Docker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.figures import record
from bench.machine import Machines
from bench.tests.machine.conftest import Host, new_key, until
from bench.world import World
from components.host.user_data import user_data

pytestmark = pytest.mark.box
SERVER = 9003
AUTHENTIK = "ghcr.io/goauthentik/server:2026.8.3"
NPM = "jc21/nginx-proxy-manager:2.15.1"


@dataclass
class Pair:
    private: str
    public: str


@pytest.fixture(scope="module")
def host(
    world: World, machines: Machines, key: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Host]:
    first = new_key(tmp_path_factory.mktemp("first"), "first-boot")
    pair = Pair(first.read_text(), first.with_suffix(".pub").read_text())
    found = Host(world, SERVER, "203.0.113.203", key, "deploy")
    text = user_data(deploy_key=key.with_suffix(".pub").read_text(), first_boot=pair)
    began = time.monotonic()
    machines.create(SERVER, "hardened", text, found.address, None, 4096, "debian-12")
    machines.power_on(SERVER)
    until(found.answers, "ssh on the new box")
    until(lambda: "status: done" in found.ssh("cloud-init status --wait", check=False), "first boot", 120)
    record("machine", seconds_of_hardened_first_boot=(round(time.monotonic() - began, 2), 20))
    yield found
    machines.destroy(SERVER)


def test_a_plain_image_becomes_the_same_box(world: World, key: Path, tmp_path: Path) -> None:
    """What is baked in only saves time: the hardening installs all of it on a Debian as a cloud gives it."""
    Machines.settle(tmp_path, world.namespace, "plain")
    plain = Machines(tmp_path)
    first = new_key(tmp_path, "first-boot")
    pair = Pair(first.read_text(), first.with_suffix(".pub").read_text())
    found = Host(world, 9005, "203.0.113.205", key, "deploy")
    began = time.monotonic()
    text = user_data(deploy_key=key.with_suffix(".pub").read_text(), first_boot=pair)
    plain.create(9005, "plain", text, found.address, None, 2048, "debian-12")
    try:
        plain.power_on(9005)
        until(found.answers, "ssh on the plain box")
        until(lambda: "status: done" in found.ssh("cloud-init status --wait", check=False), "first boot", 240)
        record("machine", seconds_of_hardened_first_boot_plain=(round(time.monotonic() - began, 2), 60))
        assert found.ssh("systemctl --failed --no-legend") == ""
        assert "Status: active" in found.ssh("sudo ufw status")
        found.ssh("docker info >/dev/null")
    finally:
        plain.destroy(9005)


def test_no_unit_fails_and_the_hardening_ran(host: Host) -> None:
    assert host.ssh("systemctl --failed --no-legend") == ""
    assert host.ssh("cat /etc/gatehouse/hardening").strip() != ""


def test_every_image_is_pulled_by_its_production_name(host: Host) -> None:
    began = time.monotonic()
    images = ("postgres:16-alpine", "redis:7-alpine", AUTHENTIK, NPM, "gatehouse/whoami-oidc:1")
    for image in images:
        host.ssh(f"docker pull --quiet {image}")
    record("machine", seconds_to_pull_all_images=(round(time.monotonic() - began, 2), 15))
    wrong = host.ssh("docker pull postgres:17-alpine 2>&1", check=False)
    assert "manifest" in wrong
    assert "unknown" in wrong
    digest = host.ssh("docker image inspect -f '{{index .RepoDigests 0}}' redis:7-alpine").strip()
    host.ssh(f"docker pull --quiet {digest}")


def test_postgres_makes_its_database_on_an_empty_volume_only(host: Host) -> None:
    run = (
        "docker run -d --name pg -e POSTGRES_PASSWORD={} -e POSTGRES_USER=ak -e POSTGRES_DB=akdb"
        " -v pgdata:/var/lib/postgresql/data postgres:16-alpine"
    )
    query = (
        "docker exec -e PGPASSWORD={} pg psql -h $(hostname -I | cut -d' ' -f1) -U ak akdb -Atc '{}' 2>&1"
    ).replace("$(hostname -I | cut -d' ' -f1)", "pg-itself")
    host.ssh("docker run --rm postgres:16-alpine 2>&1 | grep -q 'superuser password is not specified'")
    host.ssh(run.format("first").replace("--name pg", "--name pg --hostname pg-itself"))
    ready = "docker exec pg pg_isready --quiet --host=127.0.0.1 --username=ak --dbname=akdb && echo yes"
    until(lambda: host.ssh(ready, check=False).strip() == "yes", "Postgres")
    host.ssh(query.format("first", "create table kept (x int)"))
    assert host.ssh(query.format("wrong", "select 1"), check=False).strip().endswith('user "ak"')
    host.ssh("docker stop pg && docker rm pg")
    host.ssh(run.format("second").replace("--name pg", "--name pg --hostname pg-itself"))
    until(lambda: host.ssh(ready, check=False).strip() == "yes", "Postgres on its old volume")
    assert host.ssh(query.format("first", "select count(*) from kept")).strip() == "0"
    owner = host.ssh("sudo stat -c %u:%g /var/lib/docker/volumes/pgdata/_data/base")
    assert owner.strip() == "70:70"
    host.ssh("docker rm -f pg && docker volume rm pgdata")


def test_redis_wants_its_password(host: Host) -> None:
    host.ssh("docker run -d --name redis redis:7-alpine redis-server --requirepass secret")
    until(lambda: "PONG" in host.ssh("docker exec redis redis-cli -a secret ping", check=False), "Redis", 20)
    assert "NOAUTH" in host.ssh("docker exec redis redis-cli ping 2>&1", check=False)
    assert host.ssh("docker exec redis stat -c %U /proc/1").strip() == "redis"
    host.ssh("docker rm -f redis")


def test_memory_limits_hold(host: Host) -> None:
    eat = 'docker run --rm -m 64m --memory-swap 64m --entrypoint python3 {} -c "x = bytearray({} << 20)"; echo $?'
    assert host.ssh(eat.format(AUTHENTIK, 20)).strip() == "0"
    assert host.ssh(eat.format(AUTHENTIK, 500)).strip() == "137"
    limit = "cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null || true"
    assert int(host.ssh(limit).split()[0]) == 4096 << 20


def test_of_published_ports_the_world_reaches_those_of_http_and_https(host: Host) -> None:
    host.ssh(
        f"docker run -d --name npm -p 8089:80 -p 443:443 -p 127.0.0.1:81:81 -v npm:/data -v le:/etc/letsencrypt"
        f" -e INITIAL_ADMIN_EMAIL=a@demo.example -e INITIAL_ADMIN_PASSWORD=a-first-password {NPM}"
    )
    until(lambda: host.ssh("docker exec npm /usr/bin/check-health", check=False).strip() == "OK", "NPM", 30)
    assert '"setup":true' in host.ssh("curl -sS http://127.0.0.1:81/api/")
    assert host.reachable(443)
    # Docker goes around ufw, and the box's guard before Docker.
    assert not host.reachable(8089) and not host.reachable(81)
    code = "import httpx; print(httpx.get('https://api.cloudflare.com/client/v4/zones').status_code)"
    assert host.ssh(f'docker exec npm python3 -c "{code}"').strip() in ("400", "401", "403")
    host.ssh("docker rm -f npm && docker volume rm npm le")


def test_authentik_keeps_its_state_in_postgres(host: Host) -> None:
    host.ssh("docker network create ak")
    host.ssh(
        "docker run -d --name db --network ak -e POSTGRES_PASSWORD=p -e POSTGRES_USER=authentik postgres:16-alpine"
    )
    env = "-e AUTHENTIK_SECRET_KEY=k -e AUTHENTIK_POSTGRESQL__HOST=db -e AUTHENTIK_POSTGRESQL__PASSWORD=p"
    host.ssh(f"docker run -d --name server --network ak -p 127.0.0.1:9000:9000 {env} {AUTHENTIK} server")
    host.ssh(
        f"docker run -d --name worker --network ak -e AUTHENTIK_BOOTSTRAP_TOKEN=tok {env} {AUTHENTIK} worker"
    )
    me = "curl -sS -o /dev/null -w '%{http_code}' -H 'Authorization: Bearer tok' "
    me += "http://127.0.0.1:9000/api/v3/core/users/me/"
    until(lambda: host.ssh(me, check=False) == "200", "authentik", 120)
    host.ssh("docker exec server ak healthcheck && docker exec worker ak healthcheck")
    assert not host.reachable(9000)
    version = host.ssh("curl -sS -H 'Authorization: Bearer tok' http://127.0.0.1:9000/api/v3/admin/version/")
    assert "2026.8.3" in version
    host.ssh("docker rm -f server worker db && docker network rm ak")
