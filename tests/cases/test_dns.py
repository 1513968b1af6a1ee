"""Names that lead elsewhere already: noticed by doctor and preview, refused, or taken over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.clouds.serving import Clouds
from bench.clouds.testing import make
from bench.project import Project
from components.secrets import new_root_secret
from operations.dns import RECORD, find_foreign_records
from tests.host import mocks

AUTH = "auth.demo.example"
DASH = "dash.demo.example"
APPS = {
    "dash": {"protocol": "proxy", "url": f"https://{DASH}", "upstream": "http://dash:80", "groups": ["staff"]}
}
# The program without what needs a real box: only the records.
PROGRAM = """\
from __future__ import annotations
import pulumi
from components.host import dns
from components.host.names import served_hosts
from components.settings import load
settings = load()
cloudflare = dns.provider("acme", settings.cloudflare_token, pulumi.ResourceOptions())
dns.declare("acme", served_hosts(settings), zone=dns.zone_id(settings.domain, cloudflare), ipv4="203.0.113.10",
            ipv6="2001:db8::1", opts=pulumi.ResourceOptions(provider=cloudflare))
"""


@pytest.fixture
def clouds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clouds]:
    with make(tmp_path / "clouds").running() as running:
        monkeypatch.setenv("CLOUDFLARE_BASE_URL", running.cloudflare_base_url)
        monkeypatch.setenv("CLOUDFLARE_API_TOKEN", running.tokens.cloudflare)
        yield running


class Zone:
    """The client's zone at Cloudflare, as somebody else uses it."""

    def __init__(self, clouds: Clouds) -> None:
        headers = {"Authorization": f"Bearer {clouds.tokens.cloudflare}"}
        self.api = httpx.Client(base_url=clouds.cloudflare_base_url, headers=headers)
        self.id = self.api.get("zones").json()["result"][0]["id"]

    def add(self, name: str, type: str, content: str) -> str:
        body = {"name": name, "type": type, "content": content, "ttl": 300, "proxied": False}
        return str(
            self.api.post(f"zones/{self.id}/dns_records", json=body).raise_for_status().json()["result"]["id"]
        )

    def records(self) -> dict[tuple[str, str], tuple[str, str]]:
        """Name and type of each record, with its content and its id."""
        found = self.api.get(f"zones/{self.id}/dns_records").raise_for_status().json()["result"]
        assert len(found) == len({(each["name"], each["type"]) for each in found}), (
            "a name leads to two places"
        )
        return {(each["name"], each["type"]): (each["content"], each["id"]) for each in found}


@pytest.fixture
def zone(clouds: Clouds) -> Iterator[Zone]:
    used = Zone(clouds)
    yield used
    used.api.close()


def settings(**more: Any) -> Any:
    return mocks.settings(domain="demo.example", apps=APPS, **more)


@pytest.mark.case("10")
@pytest.mark.parametrize(
    ("records", "adopted"),
    [
        ([], {}),
        ([(AUTH, "TXT", "words"), ("www.demo.example", "A", "192.0.2.1")], {}),
        ([(AUTH, "A", "192.0.2.1")], {f"{AUTH}-A": "A"}),
        (
            [(AUTH, "A", "192.0.2.1"), (AUTH, "AAAA", "2001:db8::2")],
            {f"{AUTH}-A": "A", f"{AUTH}-AAAA": "AAAA"},
        ),
        ([(AUTH, "CNAME", "old.example")], {f"{AUTH}-A": "CNAME", AUTH: f"{AUTH}-A"}),
        ([(AUTH, "A", "192.0.2.1"), (AUTH, "A", "192.0.2.2")], None),
    ],
)
def test_what_is_in_the_way(
    zone: Zone, records: list[tuple[str, str, str]], adopted: dict[str, str] | None
) -> None:
    ids = {zone.add(*record): record[1] for record in records}
    found = list(find_foreign_records(settings(), {}))
    if adopted == {}:
        assert found == []
        return
    (one,) = found
    taken = one.adoptable()
    if adopted is None:
        assert taken is None
    else:
        assert taken is not None
        assert {name: ids.get(place.rpartition("/")[2], place) for name, place in taken.items()} == adopted
    finding = one.finding()
    assert f"{AUTH} leads elsewhere already ({records[0][1]} {records[0][2]}" in finding.what
    assert ("dns: {adopt: true}" in finding.remedy) is (adopted is not None)


@pytest.mark.case("10")
def test_what_is_ours_or_was_under_way_is_not_in_the_way(zone: Zone) -> None:
    id_ = zone.add(AUTH, "A", "203.0.113.10")
    urn = f"urn:pulumi:acme::gatehouse::{RECORD}::{AUTH}-A"
    assert len(list(find_foreign_records(settings(), {}))) == 1
    assert (
        list(find_foreign_records(settings(), {"resources": [{"type": RECORD, "urn": urn, "id": id_}]})) == []
    )
    assert list(find_foreign_records(settings(), {"pending_operations": [{"resource": {"urn": urn}}]})) == []
    # A second one beside ours cannot be taken over, since ours has its place.
    zone.add(AUTH, "A", "192.0.2.1")
    (one,) = find_foreign_records(settings(), {"resources": [{"type": RECORD, "urn": urn, "id": id_}]})
    assert one.adoptable() is None
    # One that leads to the box already is taken in without being asked for: nobody notices.
    box = {
        "type": "hcloud:index/primaryIp:PrimaryIp",
        "urn": "a::ipv4",
        "outputs": {"ipAddress": "203.0.113.10"},
    }
    zone.add(DASH, "A", "203.0.113.10")
    led = {each.host: each.leads_here for each in find_foreign_records(settings(), {"resources": [box]})}
    assert led == {AUTH: False, DASH: True}
    # An address of a kind that the box has not would lead visitors elsewhere too.
    zone.add(DASH, "AAAA", "2001:db8::2")
    found = {each.host: each for each in find_foreign_records(settings(network={"ipv6": False}), {})}
    assert found[DASH].adoptable() is None


@pytest.mark.engine
@pytest.mark.case("10")
def test_records_are_taken_over_in_one_run(tmp_path: Path, clouds: Clouds, zone: Zone) -> None:
    project = Project(
        tmp_path / "project",
        {"HCLOUD_ENDPOINT": clouds.hetzner_endpoint, "HCLOUD_TOKEN": clouds.tokens.hetzner},
    )
    (project.folder / "__main__.py").write_text(PROGRAM)
    wanted: dict[str, Any] = {
        "client": "acme", "domain": "demo.example", "groups": ["staff"], "apps": APPS,
        "server": {"type": "cx23", "location": "nbg1", "image": "debian-12"},
        "operators": [{"name": "sam", "email": "sam@agency.example", "sshKey": mocks.KEY}],
        "authentik": {"version": "2026.8.3"},
    }  # fmt: skip
    project.stack("acme", wanted, {"rootSecret": new_root_secret()})
    old = zone.add(AUTH, "A", "192.0.2.1")
    alias = zone.add(DASH, "CNAME", "old.example")
    other = zone.add("www.demo.example", "A", "192.0.2.1")
    before = zone.records()
    for said in (
        project.gatehouse("doctor", "acme", check=False),
        project.gatehouse("preview", "acme", check=False),
        project.gatehouse("up", "acme", "--yes", check=False),
    ):
        assert "auth.demo.example leads elsewhere already" in " ".join(said.split())
    assert zone.records() == before

    project.edit("acme", {"dns": {"adopt": True}})
    assert "auth.demo.example-A" in project.gatehouse("preview", "acme")
    assert zone.records() == before
    project.gatehouse("up", "acme", "--yes")
    assert zone.records() == {
        (AUTH, "A"): ("203.0.113.10", old),
        (AUTH, "AAAA"): ("2001:db8::1", zone.records()[AUTH, "AAAA"][1]),
        (DASH, "A"): ("203.0.113.10", alias),
        (DASH, "AAAA"): ("2001:db8::1", zone.records()[DASH, "AAAA"][1]),
        ("www.demo.example", "A"): ("192.0.2.1", other),
    }
    project.gatehouse("preview", "acme", "--expect-no-changes")
