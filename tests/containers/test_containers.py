from __future__ import annotations

import json
import re
from functools import cache
from pathlib import PurePosixPath
from typing import Any

import pulumi
import pytest

from bench import images
from components import box
from components.containers import networks, releases
from components.containers.containers import _duration
from components.containers.networks import APPS, AUTHENTIK_ADDRESS, DATA_NET, EDGE
from components.containers.spec import folders, loopback_ports
from components.containers.specs import admin_identity, all_specs
from components.host.user_data import hardening_script
from components.plan import plan
from components.problems import Problems
from components.proxy import routes
from components.release_lines import known_lines
from tests.host.mocks import KEY, Registered, run, secrets, settings

BOX = {"host": "198.51.100.7", "hostKey": KEY, "port": 2222}


def declare(preview: bool = False, **more: Any) -> dict[str, Registered]:
    """By type and name, what is registered for the box of these settings."""
    return _declared(json.dumps(more), preview)


@cache
def _declared(more: str, preview: bool) -> dict[str, Registered]:
    some = settings(**{"cloudflareToken": "x" * 40, **json.loads(more)})
    opts = pulumi.ResourceOptions()
    wanted = plan(some, secrets())
    assert wanted.box is not None
    of_the_box = wanted.box
    found = run(lambda: box.declare(wanted, of_the_box, opts), preview=preview)
    return {f"{one.type.rpartition(':')[2]} {one.name}": one for one in found}


def containers(**more: Any) -> dict[str, Registered]:
    return {
        key.partition(" ")[2]: one for key, one in declare(**more).items() if key.startswith("Container ")
    }


def env(one: Registered) -> dict[str, str]:
    return dict(line.split("=", 1) for line in one.inputs["envs"])


@pytest.mark.parametrize("line", known_lines())
@pytest.mark.parametrize("redis", [True, "auto"])
def test_a_row_says_all_that_a_container_needs(line: str, redis: Any) -> None:
    apps = {"nas": NAS, "wifi": WIFI}
    specs = all_specs(settings(authentik={"version": f"{line}.1"}, redis=redis, apps=apps), secrets())
    assert {"ldap", "radius"} <= {spec.name for spec in specs}
    laid_out = {folder.path: folder for folder in folders(specs)}
    started: set[str] = set()
    for spec in specs:
        assert started.issuperset(spec.needs), f"{spec.name} is declared before what it needs"
        started.add(spec.name)
        for folder, _ in spec.volumes:
            assert laid_out[folder.path] == folder, "two rows say something else of one folder"
            assert laid_out.keys() >= {str(outer) for outer in PurePosixPath(folder.path).parents[:-1]}
        name, _, tag = spec.image.partition(":")
        registry, slash, _ = name.partition("/")
        full = name if "." in registry else f"docker.io/{name if slash else f'library/{name}'}"
        assert images.stand_in(full, tag), f"the bench has nothing in the place of {spec.image}"
    assert list(laid_out) == sorted(laid_out), "a folder comes after what it lies in"


def test_what_does_not_answer_without_a_container() -> None:
    some = settings(authentik={"version": "2025.8.6"})
    assert loopback_ports(all_specs(some, secrets())) == {
        "postgres": {9000}, "redis": {9000}, "authentik-server": {9000}, "authentik-worker": set(), "npm": {81},
    }  # fmt: skip
    assert loopback_ports(all_specs(settings(), secrets()))["redis"] == set()  # 2026.8 does not ask it


@pytest.mark.parametrize("preview", [True, False])
def test_what_runs_on_the_box(preview: bool) -> None:
    found = declare(preview)
    assert {name for name in found if name.startswith(("Container ", "Network", "RemoteImage"))} == {
        "Network gatehouse", "Network gatehouse-data", "Network gatehouse-edge",
        "RemoteImage postgres", "RemoteImage redis", "RemoteImage server",
        "RemoteImage nginx-proxy-manager", "Container postgres", "Container redis", "Container authentik-server",
        "Container authentik-worker", "Container npm",
    }  # fmt: skip
    for one in found.values():
        if one.type.startswith("docker:index"):
            assert one.request.provider, one.name


def test_nothing_is_published_to_the_world_but_http_and_https() -> None:
    published = [port for one in containers().values() for port in one.inputs.get("ports", [])]
    world = {(port["ip"], port["external"]) for port in published if port["ip"] != "127.0.0.1"}
    assert world == {("0.0.0.0", 80), ("0.0.0.0", 443), ("::", 80), ("::", 443)}
    local = {port["external"] for port in published if port["ip"] == "127.0.0.1"}
    assert local == {9000, 81}
    for one in containers().values():
        assert not one.inputs.get("publishAllPorts") and one.inputs.get("networkMode", "bridge") != "host"


def test_without_ipv6_nothing_is_published_on_it() -> None:
    for more in ({"network": {"ipv6": False}}, {"server": None, "box": BOX}):
        ips = {port["ip"] for one in containers(**more).values() for port in one.inputs.get("ports", [])}
        assert ips == {"0.0.0.0", "127.0.0.1"}


def test_each_container_has_limits_and_keeps_no_right_that_it_does_not_need() -> None:
    for name, one in containers().items():
        inputs = one.inputs
        # memory without memory_swap shows a difference at every preview.
        assert inputs["memorySwap"] == 2 * inputs["memory"] > 0, name
        assert inputs["securityOpts"] == ["no-new-privileges:true"] and not inputs.get("privileged"), name
        assert inputs["logOpts"] == {"max-size": "10m", "max-file": "3"}, name
        assert inputs["restart"] == "unless-stopped", name
        capabilities = inputs["capabilities"]
        kept, dropped = capabilities.get("adds", []), capabilities["drops"]
        assert "ALL" in dropped or (name == "npm" and "CAP_NET_RAW" in dropped), name
        assert not {"CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_NET_RAW"} & set(kept), name
        # Docker gives them back with their prefix, and a difference would replace the container.
        assert all(right.startswith("CAP_") or right == "ALL" for right in [*kept, *dropped]), name
        assert all(
            volume["hostPath"].startswith("/srv/gatehouse/") for volume in inputs.get("volumes", [])
        ), name
    assert containers()["postgres"].inputs["readOnly"] and containers()["redis"].inputs["readOnly"]


def test_up_waits_until_each_is_healthy() -> None:
    for name, one in containers().items():
        check = one.inputs["healthcheck"]
        assert one.inputs["wait"] and one.inputs["mustRun"], name
        seconds = sum(int(n) * f for n, f in zip(check["startPeriod"].rstrip("s").split("m"), (60, 1), strict=False)) \
            if "m" in check["startPeriod"] else int(check["startPeriod"][:-1])  # fmt: skip
        assert one.inputs["waitTimeout"] > seconds, name


def test_durations_are_written_as_docker_reads_them_back() -> None:
    assert [_duration(n) for n in (5, 60, 90, 300)] == ["5s", "1m0s", "1m30s", "5m0s"]


def test_secrets_are_in_the_environment_alone_and_marked() -> None:
    hidden = secrets()
    for name, one in containers(email={"host": "smtp.x.example", "from": "a@acme.example"}).items():
        assert one.secret == {"envs"}, name
        for secret in ("postgres/password", "redis/password", "authentik/secret-key", "npm/admin-password"):
            assert hidden.value(secret) not in one.text, name
    assert hidden.value("redis/password") not in " ".join(containers()["redis"].inputs["command"])


def test_bootstrap_values_reach_the_worker_alone() -> None:
    found = containers()
    assert env(found["authentik-worker"])["AUTHENTIK_BOOTSTRAP_TOKEN"] == secrets().value(
        "authentik/bootstrap-token"
    )
    assert not [name for name in env(found["authentik-server"]) if "BOOTSTRAP" in name]


def test_only_npm_may_say_where_a_request_came_from() -> None:
    """By its address on a network where no app is; the proxy is led to authentik there."""
    found = containers()
    npm = {net["name"]: net.get("ipv4Address") for net in found["npm"].inputs["networksAdvanced"]}
    trusted = env(found["authentik-server"])["AUTHENTIK_LISTEN__TRUSTED_PROXY_CIDRS"].split(",")
    assert trusted == ["127.0.0.0/8", f"{npm[EDGE.name]}/32"]
    assert routes.AUTHENTIK[1] == EDGE.host(networks.AUTHENTIK_SERVER)


def test_each_container_is_where_it_has_to_be_and_nowhere_else() -> None:
    where = {
        name: {net["name"].removeprefix("gatehouse") for net in one.inputs["networksAdvanced"]}
        for name, one in containers().items()
    }
    assert where == {
        "postgres": {"-data"}, "redis": {"-data"}, "authentik-worker": {"-data", "-edge"},
        # authentik's outpost stands in front of apps, and so does the proxy.
        "authentik-server": {"", "-data", "-edge"}, "npm": {"", "-edge"},
    }  # fmt: skip
    networks = {net.name: declare()[f"Network {net.name}"].inputs for net in (APPS, DATA_NET, EDGE)}
    assert [name for name, one in networks.items() if one.get("internal")] == ["gatehouse-data"]
    # As every state has it: any change would make it anew, and apps that joined it by hand would lose it.
    assert networks["gatehouse"] == {"name": "gatehouse", "ipamConfigs": [{"subnet": "172.31.240.0/24"}]}
    # Docker takes the first in the alphabet for what is published and for the way out.
    assert min(networks) == APPS.name


def test_the_guard_on_the_box_knows_the_addresses_that_apps_may_not_reach() -> None:
    told = re.findall(r"-d (172\.\S+)", hardening_script())
    assert set(told) == {APPS.host(networks.NPM), APPS.host(networks.AUTHENTIK_SERVER)}


def test_npm_has_its_administrator_before_it_answers() -> None:
    npm = env(containers()["npm"])
    # It takes lower-case addresses only, and until there is a user, anyone may become one.
    assert npm["INITIAL_ADMIN_EMAIL"] == "gatehouse@acme.example" == admin_identity(settings())
    assert npm["INITIAL_ADMIN_PASSWORD"] == secrets().value("npm/admin-password")


def test_mail() -> None:
    email = {"host": "smtp.x.example", "port": 465, "tls": "tls", "from": "sso@acme.example", "username": "u",
             "password": "mail-pass-1"}  # fmt: skip
    told = env(containers(email=email)["authentik-server"])
    assert told["AUTHENTIK_EMAIL__HOST"] == "smtp.x.example" and told["AUTHENTIK_EMAIL__PORT"] == "465"
    assert (told["AUTHENTIK_EMAIL__USE_SSL"], told["AUTHENTIK_EMAIL__USE_TLS"]) == ("true", "false")
    assert (told["AUTHENTIK_EMAIL__USERNAME"], told["AUTHENTIK_EMAIL__PASSWORD"]) == ("u", "mail-pass-1")


@pytest.mark.parametrize(
    ("version", "redis", "runs", "used"),
    [
        ("2025.8.6", True, True, True), ("2025.8.6", "auto", True, True), ("2026.8.3", True, True, False),
        ("2026.8.3", "auto", False, False), ("2026.8.3", False, False, False),
    ],
)  # fmt: skip
def test_redis_runs_where_it_is_wanted_and_is_used_where_it_can_be(
    version: str, redis: Any, runs: bool, used: bool
) -> None:
    specs = {
        spec.name: spec
        for spec in all_specs(settings(authentik={"version": version}, redis=redis), secrets())
    }
    assert ("redis" in specs) is runs
    assert ("AUTHENTIK_REDIS__HOST" in specs["authentik-server"].env) is used


@pytest.mark.parametrize(("version", "inside"), [("2025.8.6", "/media"), ("2026.8.3", "/data")])
def test_media_stays_where_it_is_when_the_line_moves(version: str, inside: str) -> None:
    specs = {spec.name: spec for spec in all_specs(settings(authentik={"version": version}), secrets())}
    mounts = {container: folder.path for folder, container in specs["authentik-server"].volumes}
    media = mounts[inside] if inside == "/media" else f"{mounts[inside]}/media"
    assert media == "authentik/data/media"


def test_every_line_that_has_a_catalog_has_a_row() -> None:
    assert set(known_lines()) <= set(releases.RELEASES)
    assert releases.release("2026.2").shm_mb == 512 and releases.release("2025.8").redis
    with pytest.raises(
        Problems, match=r"gatehouse:authentik\.version: .*2024\.2.*not how to run it on a box"
    ):
        releases.release("2024.2")


def test_images_are_pinned_and_named_as_docker_lists_them() -> None:
    names = [one.inputs["name"] for key, one in declare().items() if key.startswith("RemoteImage")]
    for name in names:
        assert not name.endswith(":latest") and ":" in name and not name.startswith("docker.io/"), name
    used = {one.inputs["image"] for one in containers().values()}
    assert all(image.startswith("sha256:") for image in used)


NAS = {"protocol": "ldap", "url": "https://nas.acme.example", "everyone": True}
WIFI = {
    "protocol": "radius",
    "url": "https://wifi.acme.example",
    "everyone": True,
    "clients": ["192.0.2.0/24"],
}


def test_outposts_run_beside_authentik_and_in_its_version() -> None:
    apps = {
        "nas": NAS,
        "more": {**NAS, "url": "https://more.acme.example", "baseDn": "dc=more,dc=acme,dc=example"},
        "wifi": WIFI,
    }
    found = {each.name: each for each in all_specs(settings(apps=apps), secrets()) if each.outpost}
    assert {name: each.image for name, each in found.items()} == {
        "ldap": "ghcr.io/goauthentik/ldap:2026.8.3", "radius": "ghcr.io/goauthentik/radius:2026.8.3",
    }  # fmt: skip
    ldap, radius = found["ldap"], found["radius"]
    # Where apps are, and where authentik is reached by an address that no app can have.
    assert ldap.networks == radius.networks == (APPS, EDGE)
    assert ldap.env["AUTHENTIK_HOST"] == f"http://{AUTHENTIK_ADDRESS}:9000"
    assert ldap.env["AUTHENTIK_TOKEN"] == secrets().value("outpost/ldap/token")
    assert not ldap.ports  # no app has clients outside
    assert [(port.inside, port.outside, port.protocol) for port in radius.ports] == [(1812, 1812, "udp")]
    (only,) = [each for each in all_specs(settings(apps={"nas": {**NAS, "clients": ["192.0.2.7/32"]}}), secrets())
               if each.outpost]  # fmt: skip
    assert [(port.inside, port.outside, port.protocol) for port in only.ports] == [(6636, 636, None)]
    assert not [each for each in all_specs(settings(), secrets()) if each.outpost]


def test_docker_is_reached_by_the_pinned_key_at_the_address_that_stays() -> None:
    provider = declare()["docker docker"].inputs
    assert provider["host"] == "ssh://deploy@203.0.113.10"
    assert provider["sshOpts"] == '["-F", ".gatehouse/acme/ssh_config"]'
    assert declare(server=None, box=BOX)["docker docker"].inputs["host"] == "ssh://deploy@198.51.100.7:2222"


def test_containers_go_with_their_server_and_wait_for_it_to_be_ready() -> None:
    found = declare()
    server, ready = found["Server server"], found["Command hardening"]
    assert server and ready
    for key, one in found.items():
        if one.type.startswith("docker:index"):
            assert one.request.deletedWith.endswith("::server"), key
            assert any(urn.endswith("::hardening") for urn in one.request.dependencies), key
    needs = found["Container authentik-server"].request.dependencies
    assert any(urn.endswith("Container::postgres") for urn in needs)
    assert not any(urn.endswith("Container::redis") for urn in needs)  # 2026.8 does not use it
    for key in ("Container postgres", "Container npm", "Network gatehouse"):
        assert found[key].request.deleteBeforeReplace
