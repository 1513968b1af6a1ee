"""Records of a wanted name that are in the zone already, and not ours: a second one beside them misleads visitors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from components.host.dns import first_address
from components.host.names import record_types
from components.problems import Problem
from components.settings import ExistingBox, Settings
from operations.clouds import CLOUDFLARE, checked
from operations.finding import Finding

RECORD = "cloudflare:index/dnsRecord:DnsRecord"
LEADING = ("A", "AAAA", "CNAME")
"""Types of records that say where a name leads to."""
_PAGE = 1000
_ADOPT = "write gatehouse:dns: {adopt: true}"


@dataclass(frozen=True)
class ForeignRecords:
    """The records of one wanted host that the state does not have; `types` are those that it gets from us."""

    host: str
    types: tuple[str, ...]
    taken: frozenset[str]
    """Types that the state has a record of already."""
    records: tuple[Mapping[str, Any], ...]
    leads_here: bool
    """Whether all of them lead to the box already, as one that was made by a run which did not come to know of it."""

    def adoptable(self) -> dict[str, str] | None:
        """What is to be taken over, as `components.host.dns.adopted` has it; None where that cannot be."""
        place = {str(each["type"]): f"{each['zone']}/{each['id']}" for each in self.records}
        if len(place) < len(self.records) or self.taken:
            return None
        if set(place) <= set(self.types):
            return {f"{self.host}-{type}": where for type, where in place.items()}
        if len(place) == 1 and (self.types == ("CNAME",) or "CNAME" in place):
            first = f"{self.host}-{self.types[0]}"
            return {first: next(iter(place.values())), self.host: first}
        return None

    def finding(self) -> Finding:
        """What is refused about them."""
        there = ", ".join(f"{each['type']} {each['content']}" for each in self.records)
        what = f"{self.host} leads elsewhere already ({there} at Cloudflare), and gatehouse did not make that"
        delete = "delete what nobody needs any more at Cloudflare"
        if self.adoptable() is None:
            most = (
                f"one {' and one '.join(self.types)} at most can be taken over, where gatehouse has none yet"
            )
            return Problem("DNS", what, f"{delete[0].upper()}{delete[1:]}: {most}.")
        return Problem(
            "DNS", what, f"To have it lead to the box from the next `up` on, {_ADOPT}; or {delete}."
        )


def find_foreign_records(settings: Settings, deployment: Mapping[str, Any]) -> Iterator[ForeignRecords]:
    """The records in the way, by host. What an interrupted run may have made is not among them."""
    resources = [each for each in deployment.get("resources") or [] if each["type"] == RECORD]
    begun = {
        str(each["resource"]["urn"]).rpartition("::")[2]
        for each in deployment.get("pending_operations") or []
    }
    ours = {str(each.get("id")) for each in resources}
    named = {str(each["urn"]).rpartition("::")[2] for each in resources}
    hosts, here = record_types(settings), {*_addresses(deployment.get("resources") or [])}
    if isinstance(settings.box, ExistingBox):
        here.add(settings.box.host)
    found: dict[str, list[Mapping[str, Any]]] = {}
    with CLOUDFLARE.client(settings) as api:
        for record in _records(api, settings.domain):
            mine = str(record["id"]) in ours or f"{record['name']}-{record['type']}" in begun
            if record["type"] in LEADING and record["name"] in hosts and not mine:
                found.setdefault(record["name"], []).append(record)
    for host, records in sorted(found.items()):
        taken = frozenset(type for type in hosts[host] if f"{host}-{type}" in named)
        leads_here = all(record["content"] in here for record in records)
        yield ForeignRecords(host, hosts[host], taken, tuple(records), leads_here)


def _addresses(resources: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The box's addresses, as the state has them."""
    for each in resources:
        if each["type"] == "hcloud:index/primaryIp:PrimaryIp" and (
            address := each.get("outputs", {}).get("ipAddress")
        ):
            yield first_address(address) if ":" in address else address


def _records(api: httpx.Client, domain: str) -> Iterator[dict[str, Any]]:
    for zone in checked(api.get("zones", params={"name": domain}))["result"]:
        page, pages = 1, 1
        while page <= pages:
            answer = checked(
                api.get(f"zones/{zone['id']}/dns_records", params={"page": page, "per_page": _PAGE})
            )
            yield from ({**record, "zone": zone["id"]} for record in answer["result"])
            page, pages = page + 1, int((answer.get("result_info") or {}).get("total_pages") or 1)
