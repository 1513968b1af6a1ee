from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.containers.spec import Folder
from components.host import dns
from components.host.dns import first_address
from components.host.host import Host, HostArgs
from components.host.names import served_hosts
from components.settings.host import type_problems
from tests.host.mocks import KEY, SERVER_TYPE, Registered, run, secrets, settings

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Folder("redis")
BOX = {"host": "198.51.100.7", "hostKey": KEY, "user": "root"}


def declare(preview: bool = False, answers: Any = None, **more: Any) -> dict[str, Registered]:
    """By type and name, what Host registers for these settings."""
    some = settings(**more)
    args = HostArgs.from_settings(some, secrets(), served_hosts(some), [FOLDER])
    found = run(lambda: Host(some.client, args), preview=preview, answers=answers)
    return {f"{one.type.rpartition(':')[2]} {one.name}": one for one in found}


@pytest.mark.parametrize("preview", [True, False])
def test_a_server_and_what_belongs_to_it(preview: bool) -> None:
    all_ = declare(preview)
    others = ("Stack", "Host", "cloudflare", "hcloud", "command")
    assert {name for name in all_ if not name.startswith(others)} == {
        "SshKey deploy", "Firewall firewall", "PrimaryIp ipv4", "PrimaryIp ipv6", "Volume data", "Server server",
        "Rdns ipv4", "DnsRecord auth.acme.example-A", "DnsRecord auth.acme.example-AAAA", "VolumeAttachment data",
        "Command hardening",
    }  # fmt: skip


def test_no_edit_replaces_what_holds_data() -> None:
    all_ = declare(rebuild=3)
    server, volume = all_["Server server"].request, all_["Volume data"].request
    assert set(server.ignoreChanges) == {"userData", "image", "sshKeys", "location"}
    assert set(volume.ignoreChanges) == {"location", "format"}
    assert server.deleteBeforeReplace and server.replacement_trigger.number_value == 3
    for name in ("Server server", "Volume data", "PrimaryIp ipv4", "PrimaryIp ipv6"):
        assert all_[name].request.protect and all_[name].inputs["deleteProtection"], name
        free = declare(protect=False)[name]
        assert not free.request.protect and not free.inputs["deleteProtection"], name


def test_the_firewall_lets_in_what_must_come_in_and_nothing_else() -> None:
    everyone = ["0.0.0.0/0", "::/0"]
    network = {"sshFrom": ["198.51.100.0/24"], "openPorts": ["51820/udp"]}
    rules = declare(network=network)["Firewall firewall"].inputs["rules"]
    assert {(r["direction"], r["protocol"], r.get("port"), *r["sourceIps"]) for r in rules} == {
        ("in", "tcp", "22", "198.51.100.0/24"), ("in", "tcp", "80", *everyone), ("in", "tcp", "443", *everyone),
        ("in", "icmp", None, *everyone), ("in", "udp", "51820", *everyone),
    }  # fmt: skip


def test_outposts_are_open_to_the_clients_of_their_apps_alone() -> None:
    apps = {
        "nas": {"protocol": "ldap", "url": "https://nas.acme.example", "everyone": True,
                "clients": ["198.51.100.7/32", "192.0.2.0/24"]},
        "wifi": {"protocol": "radius", "url": "https://wifi.acme.example", "everyone": True,
                 "clients": ["198.51.100.0/28"]},
    }  # fmt: skip
    found = declare(apps=apps)
    rules = {
        (r["protocol"], r.get("port"), *r["sourceIps"]) for r in found["Firewall firewall"].inputs["rules"]
    }
    assert {rule for rule in rules if rule[1] in ("636", "1812")} == {
        ("tcp", "636", "192.0.2.0/24", "198.51.100.7/32"), ("udp", "1812", "198.51.100.0/28"),
    }  # fmt: skip
    assert json.loads(found["Command hardening"].inputs["stdin"])["hardening"] == [
        "--open", "636/tcp=192.0.2.0/24", "--open", "636/tcp=198.51.100.7/32", "--open", "1812/udp=198.51.100.0/28",
    ]  # fmt: skip


def test_the_firewall_is_bound_to_the_server_in_one_place_only() -> None:
    all_ = declare()
    assert all_["Server server"].inputs["firewallIds"]
    assert (
        not any("FirewallAttachment" in name for name in all_)
        and "applyTos" not in all_["Firewall firewall"].inputs
    )


def test_what_is_secret_is_marked() -> None:
    all_ = declare(hetznerToken="h" * 64, cloudflareToken="cf-token-" + "a" * 31)
    assert "userData" in all_["Server server"].secret and "stdin" in all_["Command hardening"].secret
    assert "token" in all_["hcloud hcloud"].secret and "apiToken" in all_["cloudflare cloudflare"].secret
    hidden = secrets()
    for one in all_.values():
        assert "PRIVATE KEY" not in one.text and "hhhhh" not in one.text and "cf-token" not in one.text
        assert hidden.value("postgres/password") not in one.text


def test_hardening_is_run_by_what_it_does_and_by_nothing_else() -> None:
    command = declare()["Command hardening"]
    order = json.loads(command.inputs["stdin"])
    assert order["address"] == "203.0.113.10" and order["volume"] and order["first_user"] == "deploy"
    assert [name for name, _ in order["accounts"]] == ["deploy", "sam"]
    assert order["folders"] == [["redis", "0700", None]]
    assert order["ssh"] == ["ssh", "-F", ".gatehouse/acme/ssh_config"]
    assert re.fullmatch(r"[0-9a-f]{64}", order["scripts"])
    assert command.inputs["logging"] == "none" and command.inputs["addPreviousOutputInEnv"] is False
    # The key of the first boot counts when the machine is new; a delete command would run at every replacement.
    assert (
        command.inputs["create"] == command.inputs["update"] + " --first-contact"
        and "delete" not in command.inputs
    )
    assert declare()["Command hardening"].inputs == command.inputs
    apps = {"grafana": {"everyone": True, "preset": "grafana", "url": "https://grafana.acme.example"}}
    assert declare(apps=apps)["Command hardening"].inputs["stdin"] == command.inputs["stdin"]


def test_paths_in_the_state_are_those_of_any_checkout() -> None:
    for one in declare().values():
        assert str(ROOT) not in json.dumps(one.inputs, default=str), one.name


def test_a_box_that_is_there_gets_no_server() -> None:
    all_ = declare(server=None, box={**BOX, "port": 2222, "user": "admin"})
    assert not any(one.type.startswith("hcloud") for one in all_.values())
    order = json.loads(all_["Command hardening"].inputs["stdin"])
    assert (order["address"], order["port"], order["first_user"]) == ("198.51.100.7", 2222, "admin")
    assert order["first_public"] == KEY and order["volume"] is None
    assert order["guarded"] is True
    assert order["hardening"] == ["--ssh-port", "2222"]  # else the firewall would shut the way in
    assert all_["DnsRecord auth.acme.example-A"].inputs["content"] == "198.51.100.7"


def test_what_others_have_on_a_box_is_cut_off_only_with_the_operators_word() -> None:
    for more in ({"server": None, "box": {**BOX, "adopt": True}}, {}):
        assert "guarded" not in json.loads(declare(**more)["Command hardening"].inputs["stdin"])


def test_a_box_known_by_name_is_an_alias() -> None:
    all_ = declare(server=None, box={**BOX, "host": "box.hoster.example"})
    assert all_["DnsRecord auth.acme.example-CNAME"].inputs["content"] == "box.hoster.example"


def test_only_apps_that_the_box_serves_get_a_name_in_dns() -> None:
    some = settings(apps={
        "dash": {"everyone": True, "protocol": "proxy", "url": "https://dash.acme.example", "upstream": "http://dashboard:8080"},
        "grafana": {"everyone": True, "preset": "grafana", "url": "https://grafana.acme.example"},
    })  # fmt: skip
    assert served_hosts(some) == ["auth.acme.example", "dash.acme.example"]


def test_records_are_deleted_before_others_of_their_name_come() -> None:
    record = declare()["DnsRecord auth.acme.example-A"]
    assert record.request.deleteBeforeReplace
    assert record.inputs["proxied"] is False and record.inputs["zoneId"] == "zone1"


def test_without_ipv6_there_is_none() -> None:
    all_ = declare(network={"ipv6": False})
    assert "PrimaryIp ipv6" not in all_ and "DnsRecord auth.acme.example-AAAA" not in all_
    assert all_["Server server"].inputs["publicNets"][0]["ipv6Enabled"] is False


def test_the_server_takes_the_first_address_of_its_network() -> None:
    assert first_address("2001:db8:1:2::") == first_address("2001:db8:1:2::/64") == "2001:db8:1:2::1"


def refusals(found: dict[str, Any], apps: int = 1) -> str:
    server = settings().server
    assert server is not None
    return " | ".join(str(each) for each in type_problems(server, found, apps) if each.refuses)


def test_a_server_type_that_cannot_be_used_is_refused() -> None:
    assert refusals(SERVER_TYPE) == ""
    assert "1 GB" in refusals({**SERVER_TYPE, "memory": 1})
    elsewhere = {
        "memory": 4,
        "locations": [{"name": "hel1", "available": True}, {"name": "sin", "available": False}],
    }
    assert "cx23 is not available at nbg1. Take one of its locations (hel1)" in refusals(elsewhere)
    gone = {
        "memory": 4,
        "locations": [{"name": "nbg1", "available": False}, {"name": "hel1", "available": True}],
    }
    assert "sold out at nbg1" in refusals(gone)


def test_a_server_that_exists_outlives_its_type() -> None:
    gone = {"hcloud:index/getServerType:getServerType": {"memory": 4, "locations": []}}
    hook: list[Any] = []
    original = pulumi.ResourceHook

    def catch(name: str, function: Any, options: Any) -> Any:
        hook.append(function)
        return original(name, function, options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pulumi, "ResourceHook", catch)
        declare(answers=gone)
    same = pulumi.ResourceHookArgs("urn", "1", "server", "t", old_inputs={"serverType": "cx23"})
    hook[0](same)
    for old in (None, {"serverType": "cx33"}):
        with pytest.raises(pulumi.RunError, match="not available at nbg1"):
            hook[0](pulumi.ResourceHookArgs("urn", "1", "server", "t", old_inputs=old))


def test_a_zone_that_is_not_there_is_said_by_name() -> None:
    said = dns.explain("acme.example", "invoke failed:\n failed to find exactly one result: 0 found")
    assert said.startswith("zone acme.example not found at Cloudflare: add the domain")
    assert "0 found" in said and "\n" not in said
    refused = dns.explain(
        "acme.example", 'GET "…/zones": 403 Forbidden {"errors":[{"message":"Invalid API Token"}]}'
    )
    assert "refused the API token" in refused and "CLOUDFLARE_API_TOKEN" in refused
    assert "could not be looked up" in dns.explain("acme.example", "EOF")


def test_look_ups_that_fail_end_the_program_with_those_words() -> None:
    answers = {"cloudflare:index/getZone:getZone": "failed to find exactly one result: 0 found"}
    with pytest.raises(Exception, match=r"zone acme\.example not found at Cloudflare"):
        declare(answers=answers)
    answers = {"hcloud:index/getServerType:getServerType": "server type cx23 not found"}
    with pytest.raises(Exception, match="Hetzner has no server type cx23"):
        declare(answers=answers)
    answers = {"hcloud:index/getServerType:getServerType": "unable to authenticate (unauthorized)"}
    with pytest.raises(Exception, match="Hetzner refused the API token"):
        declare(answers=answers)


def test_the_plugin_is_the_one_of_the_requirements() -> None:
    wanted = f"pulumi-cloudflare=={dns.PLUGIN_VERSION}"
    assert wanted in (ROOT / "requirements.txt").read_text().split()
