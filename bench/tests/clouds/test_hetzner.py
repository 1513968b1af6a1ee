"""Hetzner's emulator, asked by Hetzner's own client and by plain HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hcloud
import httpx
import pytest
import requests
from hcloud.firewalls import FirewallResource, FirewallRule
from hcloud.images import Image
from hcloud.locations import Location
from hcloud.primary_ips import PrimaryIP
from hcloud.server_types import ServerType
from hcloud.servers import BoundServer, ServerCreatePublicNetwork

from bench.clouds.machines import MachineError, MachineState, NullMachines
from bench.clouds.serving import Clouds
from bench.clouds.testing import KEY, client_of, make

Side = Callable[..., httpx.Response]
NBG = Location(name="nbg1")


def boot(hetzner: hcloud.Client, name: str = "box", **options: Any) -> BoundServer:
    """A server, once it runs."""
    options = {"location": NBG} | options
    made = hetzner.servers.create(name, ServerType(name="cx23"), Image(name="debian-12"), **options)
    for action in (made.action, *made.next_actions):
        action.wait_until_finished()
    return hetzner.servers.get_by_id(made.server.id)


def error_of(reply: httpx.Response) -> dict[str, Any]:
    error: dict[str, Any] = reply.json()["error"]
    return error


# --- the account


def test_only_the_accounts_token_opens(clouds: Clouds) -> None:
    for headers in (
        {},
        {"Authorization": "Bearer " + "0" * 64},
        {"Authorization": f"Basic {clouds.tokens.hetzner}"},
    ):
        reply = httpx.get(f"{clouds.hetzner_endpoint}/servers", headers=headers)
        assert reply.status_code == 401
        assert error_of(reply) == {
            "code": "unauthorized",
            "message": "unable to authenticate",
            "details": None,
        }
    assert len(clouds.tokens.hetzner) == 64


def test_tokens_are_kept_for_the_owner_only(clouds: Clouds, tmp_path: Path) -> None:
    assert (tmp_path / "tokens.json").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "clouds.json").stat().st_mode & 0o777 == 0o600
    assert make(tmp_path).tokens == clouds.tokens
    assert clouds.tokens.hetzner not in repr(clouds)


def test_every_reply_tells_the_rate_limit_and_a_correlation_id(api: httpx.Client) -> None:
    first, second = api.get("/servers"), api.get("/servers")
    left = [int(reply.headers["RateLimit-Remaining"]) for reply in (first, second)]
    assert first.headers["RateLimit-Limit"] == "3600"
    assert left[0] - left[1] == 1
    assert first.headers["X-Correlation-Id"] != second.headers["X-Correlation-Id"]


def test_the_rate_limit_ends_in_429(tmp_path: Path) -> None:
    with make(tmp_path, requests_per_hour=2).running() as clouds:
        headers = {"Authorization": f"Bearer {clouds.tokens.hetzner}"}
        codes = [
            httpx.get(f"{clouds.hetzner_endpoint}/servers", headers=headers).status_code for _ in range(3)
        ]
    assert codes == [200, 200, 429]


def test_what_the_bench_does_not_have_is_refused_with_a_reason(
    api: httpx.Client, hetzner: hcloud.Client
) -> None:
    unknown = api.get("/networks")
    assert unknown.status_code == 404
    assert "has no GET /v1/networks" in error_of(unknown)["message"]
    action = api.post(f"/servers/{boot(hetzner).id}/actions/enable_rescue")
    assert (action.status_code, error_of(action)["code"]) == (422, "unsupported_error")


# --- lists


def test_lists_have_pages_filters_labels_and_order(api: httpx.Client) -> None:
    for number in range(30):
        tier = "low" if number < 20 else "high"
        made = api.post(
            "/firewalls", json={"name": f"fw-{number:02}", "labels": {"tier": tier, "n": str(number)}}
        )
        assert made.status_code == 201
    page = api.get("/firewalls", params={"page": 2, "per_page": 20}).json()
    assert len(page["firewalls"]) == 10
    assert page["meta"]["pagination"] == {
        "page": 2, "per_page": 20, "previous_page": 1, "next_page": None, "last_page": 2, "total_entries": 30,
    }  # fmt: skip

    def names(**query: str) -> list[str]:
        rows = api.get("/firewalls", params={"per_page": "50", **query}).json()["firewalls"]
        return [row["name"] for row in rows]

    assert names(name="fw-03") == ["fw-03"]
    assert len(names(label_selector="tier=low")) == 20
    assert names(label_selector="tier!=low,n in (20, 21)") == ["fw-20", "fw-21"]
    assert names(label_selector="!tier") == []
    assert names(sort="name:desc")[0] == "fw-29"
    assert api.get("/firewalls", params={"label_selector": "a=b=c d"}).status_code == 422


def test_server_types_tell_where_they_are_and_what_they_cost(hetzner: hcloud.Client) -> None:
    kinds = {kind.name: kind for kind in hetzner.server_types.get_all()}
    small = kinds["cx23"]
    assert (small.memory, small.architecture, small.category) == (4, "x86", "cost_optimized")
    assert {place.location.name for place in small.locations or []} == {"fsn1", "nbg1", "hel1"}
    assert all(place.available for place in small.locations or [])
    price = next(p for p in small.prices or [] if p["location"] == "nbg1")
    assert float(price["price_monthly"]["gross"]) > float(price["price_monthly"]["net"]) > 0
    assert "nbg1" not in {place.location.name for place in kinds["cpx11"].locations or []}
    assert kinds["cax11"].architecture == "arm"


# --- servers


def test_a_server_boots_with_its_user_data_its_address_and_its_rules(
    hetzner: hcloud.Client, machines: NullMachines
) -> None:
    key = hetzner.ssh_keys.create("sam", KEY)
    address = hetzner.primary_ips.create("ipv4", "front-door", location=NBG).primary_ip
    rule = FirewallRule("in", "tcp", source_ips=["0.0.0.0/0"], port="22")
    firewall = hetzner.firewalls.create("fw", [rule]).firewall
    net = ServerCreatePublicNetwork(ipv4=PrimaryIP(id=address.id), enable_ipv6=False)
    options = {"ssh_keys": [key], "firewalls": [firewall], "public_net": net, "user_data": "#cloud-config\n"}
    server = boot(hetzner, **options)
    assert server.status == "running"
    assert server.public_net.ipv4.ip == address.ip == "203.0.113.10"
    assert server.public_net.ipv6 is None
    assert machines.user_data[server.id] == "#cloud-config\n"
    assert [rule["port"] for rule in machines.firewalls[server.id]] == ["22"]
    assert [call for call, _ in machines.calls] == ["create", "set_firewall", "power_on"]


def test_rules_follow_to_the_machine(hetzner: hcloud.Client, machines: NullMachines) -> None:
    server = boot(hetzner)
    assert {rule["protocol"] for rule in machines.firewalls[server.id]} == {"tcp", "udp", "icmp"}
    firewall = hetzner.firewalls.create("fw").firewall
    target = [FirewallResource("server", server=server)]

    def done(actions: list[Any]) -> list[str]:
        for action in actions:
            action.wait_until_finished()
        return [rule["port"] for rule in machines.firewalls[server.id]]

    assert done(firewall.apply_to_resources(target)) == []
    rule = FirewallRule("in", "tcp", source_ips=["::/0"], port="443")
    assert done(firewall.set_rules([rule])) == ["443"]
    assert len(done(firewall.remove_from_resources(target))) == 3


def test_a_mounted_volume_is_shown_in_the_machine_and_an_unmounted_one_is_not(
    hetzner: hcloud.Client, machines: NullMachines
) -> None:
    server = boot(hetzner)
    volumes = []
    for name, automount in (("data", True), ("raw", False)):
        made = hetzner.volumes.create(10, name, location=NBG, format="ext4")
        made.action.wait_until_finished()
        made.volume.attach(server, automount).wait_until_finished()
        volumes.append(made.volume)
    assert machines.attached == {(server.id, volumes[0].id)}
    with pytest.raises(hcloud.APIException) as error:
        volumes[0].delete()
    assert error.value.code == "resource_in_use"
    server.delete().wait_until_finished()
    assert machines.attached == set()
    assert hetzner.volumes.get_by_id(volumes[0].id).server is None


def test_actions_take_their_time_and_lock_the_server(tmp_path: Path) -> None:
    with make(tmp_path, action_seconds=0.3).running() as clouds:
        hetzner = client_of(clouds)
        started = time.monotonic()
        made = hetzner.servers.create("box", ServerType(name="cx23"), Image(name="debian-12"), location=NBG)
        assert made.server.status == "initializing"
        assert made.action.status == "running"
        with pytest.raises(hcloud.APIException) as error:
            made.server.power_off()
        assert error.value.code == "locked"
        for action in (made.action, *made.next_actions):
            action.wait_until_finished()
        assert 0.6 <= time.monotonic() - started < 2


def test_a_server_that_shut_itself_down_is_seen_as_off(
    hetzner: hcloud.Client, machines: NullMachines
) -> None:
    server = boot(hetzner)
    machines._off.add(server.id)
    assert hetzner.servers.get_by_id(server.id).status == "off"
    server.power_on().wait_until_finished()
    assert hetzner.servers.get_by_id(server.id).status == "running"


def test_another_type_needs_a_stopped_server_and_starts_it_again(hetzner: hcloud.Client) -> None:
    server = boot(hetzner)
    with pytest.raises(hcloud.APIException) as error:
        server.change_type(ServerType(name="cx33"), upgrade_disk=True)
    assert error.value.code == "server_not_stopped"
    server.power_off().wait_until_finished()
    server.change_type(ServerType(name="cx33"), upgrade_disk=True).wait_until_finished()
    now = hetzner.servers.get_by_id(server.id)
    assert (now.status, now.server_type.name, now.primary_disk_size) == ("running", "cx33", 80)
    now.power_off().wait_until_finished()
    with pytest.raises(hcloud.APIException) as error:
        now.change_type(ServerType(name="cx23"), upgrade_disk=False)
    assert "smaller" in str(error.value.details)


def test_backups_are_a_setting(hetzner: hcloud.Client) -> None:
    server = boot(hetzner)
    server.enable_backup().wait_until_finished()
    assert hetzner.servers.get_by_id(server.id).backup_window == "22-02"
    server.disable_backup().wait_until_finished()
    assert hetzner.servers.get_by_id(server.id).backup_window is None


def test_protection_holds_until_it_is_lifted(hetzner: hcloud.Client) -> None:
    server = boot(hetzner)
    server.change_protection(delete=True, rebuild=True).wait_until_finished()
    with pytest.raises(hcloud.APIException) as error:
        server.delete()
    assert error.value.code == "protected"
    server.change_protection(delete=False, rebuild=False).wait_until_finished()
    server.delete().wait_until_finished()
    assert hetzner.servers.get_all() == []


def test_a_machine_that_fails_is_an_action_that_fails(tmp_path: Path) -> None:
    class Broken(NullMachines):
        def power_on(self, server: int) -> None:
            raise MachineError(f"server {server} does not boot: no root")

    with make(tmp_path, machines=Broken()).running() as clouds:
        hetzner = client_of(clouds)
        made = hetzner.servers.create("box", ServerType(name="cx23"), Image(name="debian-12"), location=NBG)
        made.action.wait_until_finished()
        with pytest.raises(hcloud.actions.domain.ActionFailedException, match="does not boot: no root"):
            made.next_actions[0].wait_until_finished()
        assert hetzner.servers.get_by_id(made.server.id).status == "off"


def test_reverse_names_of_addresses(hetzner: hcloud.Client) -> None:
    server = boot(hetzner)
    ip, network = server.public_net.ipv4.ip, server.public_net.ipv6.ip
    inside = network.replace("::/64", "::1")
    server.change_dns_ptr(ip, "auth.demo.example").wait_until_finished()
    server.change_dns_ptr(inside, "six.demo.example").wait_until_finished()
    net = hetzner.servers.get_by_id(server.id).public_net
    assert net.ipv4.dns_ptr == "auth.demo.example"
    assert net.ipv6.dns_ptr == [{"ip": inside, "dns_ptr": "six.demo.example"}]
    with pytest.raises(hcloud.APIException, match="not found"):
        server.change_dns_ptr("192.0.2.1", "elsewhere.example")


# --- mistakes


MISTAKES: list[tuple[str, dict[str, Any], int, str, str | None]] = [
        ("/ssh_keys", {"name": "a", "public_key": "rubbish"}, 422, "invalid_input", "public_key"),
        ("/ssh_keys", {"name": "", "public_key": KEY}, 422, "invalid_input", "name"),
        ("/ssh_keys", {"name": "a", "public_key": KEY, "labels": {"bad key!": "x"}}, 422, "invalid_input", "labels"),
        ("/volumes", {"name": "v", "size": 5, "location": "nbg1"}, 422, "invalid_input", "size"),
        ("/volumes", {"name": "v", "size": 10}, 422, "invalid_input", "location"),
        ("/primary_ips", {"name": "p", "type": "ipv5", "location": "nbg1"}, 422, "invalid_input", "type"),
        ("/primary_ips", {"name": "p", "type": "ipv4", "location": "moon"}, 422, "invalid_input", "location"),
        ("/servers", {"name": "a_b", "server_type": "cx23", "image": "debian-12"}, 422, "invalid_input", "name"),
        ("/servers", {"name": "a", "server_type": "nope", "image": "debian-12"}, 422, "invalid_input", "server_type"),
        ("/servers", {"name": "a", "server_type": "cx23", "image": "nope"}, 422, "invalid_input", "image"),
        ("/servers", {"name": "a", "server_type": "cx23", "image": "debian-12", "location": "ash"},
         422, "invalid_input", "location"),
        ("/servers", {"name": "a", "server_type": "cx23", "image": "debian-12", "ssh_keys": [7]},
         404, "not_found", None),
        ("/firewalls", {"name": "f", "rules": [{"direction": "in", "protocol": "tcp", "port": "99999",
                                                "source_ips": ["::/0"]}]}, 422, "invalid_input", "rules.0.port"),
        ("/firewalls", {"name": "f", "rules": [{"direction": "in", "protocol": "tcp", "port": "22",
                                                "source_ips": ["10.0.0.1/8"]}]},
         422, "invalid_input", "rules.0.source_ips"),
        ("/firewalls", {"name": "f", "rules": [{"direction": "in", "protocol": "icmp"}]},
         422, "invalid_input", "rules.0.source_ips"),
]  # fmt: skip


def test_mistakes_are_told_in_the_apis_shape_and_change_nothing(api: httpx.Client, side: Side) -> None:
    for path, body, status, code, field in MISTAKES:
        reply = api.post(path, json=body)
        assert (reply.status_code, error_of(reply)["code"]) == (status, code), (path, body)
        if field:
            assert error_of(reply)["details"]["fields"][0]["name"] == field, (path, body)
    assert not any(side("GET", "hetzner", "state").json().values())


def test_names_and_keys_are_unique(api: httpx.Client) -> None:
    assert api.post("/ssh_keys", json={"name": "a", "public_key": KEY}).status_code == 201
    for name in ("a", "b"):
        again = api.post("/ssh_keys", json={"name": name, "public_key": KEY})
        assert (again.status_code, error_of(again)["code"]) == (409, "uniqueness_error")
    assert api.post("/volumes", json={"name": "v", "size": 10, "location": "nbg1"}).status_code == 201
    again = api.post("/volumes", json={"name": "v", "size": 10, "location": "nbg1"})
    assert error_of(again)["message"] == "volume name is already used"


# --- trouble on order


def test_faults_happen_as_often_as_ordered(api: httpx.Client, side: Side) -> None:
    order = {
        "method": "POST",
        "path": "/ssh_keys$",
        "status": 429,
        "times": 2,
        "headers": {"Retry-After": "1"},
    }
    assert side("POST", "hetzner", "faults", json=order).status_code == 201
    assert api.get("/ssh_keys").status_code == 200
    replies = [api.post("/ssh_keys", json={"name": "a", "public_key": KEY}) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [429, 429, 201]
    assert error_of(replies[0])["code"] == "rate_limit_exceeded"
    assert replies[0].headers["Retry-After"] == "1"
    assert side("GET", "hetzner", "faults").json() == []


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"status": 409}, "conflict"),
    ({"status": 409, "code": "uniqueness_error"}, "uniqueness_error"),
    ({"status": 422}, "invalid_input"),
    ({"status": 500}, "service_error"),
    ({"status": 403, "code": "resource_limit_exceeded"}, "resource_limit_exceeded"),
]


def test_faults_have_the_clouds_shape(api: httpx.Client, side: Side) -> None:
    for order, code in FAULTS:
        side("POST", "hetzner", "faults", json=order)
        reply = api.get("/servers")
        assert reply.status_code == order["status"]
        assert error_of(reply)["code"] == code


def test_a_cut_connection_leaves_the_request_undone_or_done(
    clouds: Clouds, api: httpx.Client, side: Side
) -> None:
    for when, names in (("before", []), ("after", ["a"])):
        side("POST", "hetzner", "faults", json={"method": "POST", "cut": when})
        with pytest.raises(httpx.RemoteProtocolError):
            api.post("/ssh_keys", json={"name": "a", "public_key": KEY})
        assert side("GET", "hetzner", "state").json()["ssh_keys"] == names
    with pytest.raises(requests.exceptions.ConnectionError):
        side("POST", "hetzner", "faults", json={"cut": "before"})
        client_of(clouds).servers.get_all()


def test_an_action_fails_on_order(hetzner: hcloud.Client, side: Side, machines: NullMachines) -> None:
    side("POST", "hetzner", "faults", json={"action": "create_server", "message": "placement failed"})
    made = hetzner.servers.create("box", ServerType(name="cx23"), Image(name="debian-12"), location=NBG)
    with pytest.raises(hcloud.actions.domain.ActionFailedException, match="placement failed"):
        made.action.wait_until_finished()
    assert ("create", made.server.id) not in machines.calls


def test_a_fault_that_makes_no_sense_is_refused(side: Side) -> None:
    for order in ({}, {"status": 500, "cut": "before"}, {"status": 500, "path": "("}, {"stat": 500}):
        assert side("POST", "hetzner", "faults", json=order).status_code == 422


def test_the_journal_counts_and_keeps_no_secret(
    clouds: Clouds, api: httpx.Client, side: Side, hetzner: hcloud.Client
) -> None:
    boot(hetzner, user_data="a-secret")
    side("DELETE", "hetzner", "journal")
    api.post("/ssh_keys", json={"name": "a", "public_key": KEY})
    api.get("/ssh_keys", params={"name": "a"})
    journal = side("GET", "hetzner", "journal").json()
    assert journal["requests"] == 2
    assert journal["statuses"] == {"201": 1, "200": 1}
    assert [entry["query"] for entry in journal["entries"]] == ["", "name=a"]
    assert journal["request_bytes"] > len(KEY)
    assert clouds.tokens.hetzner not in str(journal)
    assert "a-secret" not in str(journal)


# --- restarts


def test_state_survives_a_restart_and_ids_are_not_used_twice(tmp_path: Path) -> None:
    with make(tmp_path).running() as clouds:
        hetzner = client_of(clouds)
        server = boot(hetzner, "kept")
        boot(hetzner, "lost").delete().wait_until_finished()
    with make(tmp_path).running() as clouds:
        hetzner = client_of(clouds)
        assert [s.name for s in hetzner.servers.get_all()] == ["kept"]
        assert hetzner.servers.get_by_id(server.id).public_net.ipv4.ip == server.public_net.ipv4.ip
        assert boot(hetzner, "new").id == server.id + 2


def test_an_interrupted_action_goes_on_after_a_restart(tmp_path: Path) -> None:
    with make(tmp_path, action_seconds=0).running() as clouds:
        made = client_of(clouds).servers.create(
            "box", ServerType(name="cx23"), Image(name="debian-12"), location=NBG, user_data="#cloud-config\n"
        )
        state = (tmp_path / "clouds.json").read_text()
        assert '"initializing"' in state
    (tmp_path / "clouds.json").write_text(state)  # as a killed process leaves it
    with make(tmp_path).running() as clouds:
        hetzner = client_of(clouds)
        for action in hetzner.servers.actions.get_all():
            action.wait_until_finished()
        assert hetzner.servers.get_by_id(made.server.id).status == "running"
        assert isinstance(clouds.machines, NullMachines)
        assert clouds.machines.user_data == {made.server.id: "#cloud-config\n"}


def test_servers_get_their_power_back_with_the_bench(tmp_path: Path) -> None:
    class Dark(NullMachines):
        """Machines after the power of all of them was cut."""

        def state(self, server: int) -> MachineState:
            return "running" if ("power_on", server) in self.calls else "off"

    with make(tmp_path).running() as clouds:
        hetzner = client_of(clouds)
        on, off = boot(hetzner, "on"), boot(hetzner, "off")
        off.power_off().wait_until_finished()
    with make(tmp_path, machines=Dark()).running() as clouds:
        hetzner = client_of(clouds)
        for action in hetzner.servers.actions.get_all():
            action.wait_until_finished()
        assert hetzner.servers.get_by_id(on.id).status == "running"
        assert hetzner.servers.get_by_id(off.id).status == "off"
