"""Firewalls: rules, and the servers that they are applied to."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from bench.clouds.hetzner.errors import ApiError, invalid
from bench.clouds.hetzner.project import STEPS, Project, labels, machine, text
from bench.clouds.hetzner.views import action, firewall
from bench.clouds.store import Record

_PORTS = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?")
_ANYWHERE = ["0.0.0.0/0", "::/0"]
OPEN = [
    {"direction": "in", "protocol": protocol, "port": port, "source_ips": _ANYWHERE}
    for protocol, port in (("tcp", "1-65535"), ("udp", "1-65535"), ("icmp", None))
]


def _cidrs(rule: Record, field: str, where: str) -> list[str]:
    networks = []
    for value in rule.get(field) or []:
        try:
            networks.append(str(ipaddress.ip_network(value)))
        except ValueError:
            raise invalid(where, f"{value} is not a valid CIDR block: host bits must be zero") from None
    if len(networks) > 100:
        raise invalid(where, "at most 100 IPs")
    return networks


def _rule(rule: Any, index: int) -> Record:
    where = f"rules.{index}"
    if not isinstance(rule, dict):
        raise invalid(where, "must be an object")
    direction, protocol, port = rule.get("direction"), rule.get("protocol"), rule.get("port")
    if direction not in ("in", "out"):
        raise invalid(f"{where}.direction", "must be in or out")
    if protocol not in ("tcp", "udp", "icmp", "esp", "gre"):
        raise invalid(f"{where}.protocol", "must be one of tcp, udp, icmp, esp, gre")
    if protocol in ("tcp", "udp"):
        found = _PORTS.fullmatch("1-65535" if port == "any" else str(port or ""))
        ports = [int(p) for p in found.groups() if p] if found else []
        if not ports or not all(1 <= p <= 65535 for p in ports) or ports != sorted(ports):
            raise invalid(f"{where}.port", "must be a port or a range of ports, such as 80 or 80-85")
    elif port:
        raise invalid(f"{where}.port", f"must be empty for {protocol}")
    sources = _cidrs(rule, "source_ips", f"{where}.source_ips")
    destinations = _cidrs(rule, "destination_ips", f"{where}.destination_ips")
    needed, given = ("source_ips", sources) if direction == "in" else ("destination_ips", destinations)
    if not given:
        raise invalid(f"{where}.{needed}", "must not be empty")
    return {
        "direction": direction,
        "protocol": protocol,
        "port": port or None,
        "source_ips": sources,
        "destination_ips": destinations,
        "description": rule.get("description") or None,
    }


def _rules(body: Record) -> list[Record]:
    given = body.get("rules") or []
    if len(given) > 50:
        raise invalid("rules", "at most 50 rules")
    return [_rule(rule, index) for index, rule in enumerate(given)]


@STEPS.step
async def firewall_of(project: Project, server: int) -> None:
    """Bring the rules of all its firewalls to a server's machine."""
    applied = [f for f in project.all("firewalls").values() if server in f["applied_to"]]
    rules = [rule for f in applied for rule in f["rules"]] if applied else OPEN
    await machine(project, "set_firewall", server, rules)


def _apply(project: Project, record: Record, server: int, command: str = "apply_firewall") -> Record:
    resources = ("firewall", record["id"]), ("server", server)
    return action(project.act(command, *resources, work=[("firewall_of", [server])], queue=server))


def create(project: Project, body: Record) -> Record:
    """POST /firewalls."""
    name, given, rules = text(body, "name", 128), labels(body), _rules(body)
    targets = _targets(project, body.get("apply_to"))
    project.unique_name("firewalls", name)
    made = {"name": name, "labels": given, "rules": rules, "applied_to": targets}
    record = project.add("firewalls", made)
    actions = []
    if rules:
        actions.append(action(project.act("set_firewall_rules", ("firewall", record["id"]))))
    actions += [_apply(project, record, server) for server in targets]
    return {"firewall": firewall(record), "actions": actions}


def delete(project: Project, number: str) -> None:
    """DELETE /firewalls/N: not while it is applied to something."""
    record = project.get("firewalls", number)
    if record["applied_to"]:
        raise ApiError("resource_in_use", f"firewall with ID '{record['id']}' is still in use")
    project.remove("firewalls", record["id"])


def set_rules(project: Project, number: str, body: Record) -> Record:
    """Replace all rules, on the servers too."""
    record = project.get("firewalls", number)
    record["rules"] = _rules(body)
    actions = [action(project.act("set_firewall_rules", ("firewall", record["id"])))]
    return {"actions": actions + [_apply(project, record, server) for server in record["applied_to"]]}


def _targets(project: Project, given: Any) -> list[int]:
    targets = []
    for target in given or []:
        if target.get("type") != "server":
            raise ApiError("unsupported_error", "the bench applies firewalls to servers only, not by labels")
        targets.append(project.get("servers", target["server"]["id"])["id"])
    return targets


def apply_to_resources(project: Project, number: str, body: Record) -> Record:
    """Apply to servers, which others may be already."""
    record = project.get("firewalls", number)
    targets = _targets(project, body.get("apply_to"))
    if any(t in record["applied_to"] for t in targets):
        raise ApiError("firewall_already_applied", "firewall already applied", status=422)
    record["applied_to"] += targets
    return {"actions": [_apply(project, record, server) for server in targets]}


def remove_from_resources(project: Project, number: str, body: Record) -> Record:
    """Take it from servers; one that is gone is an error, as with the real API."""
    record = project.get("firewalls", number)
    targets = [target.get("server", {}).get("id") for target in body.get("remove_from") or []]
    if any(t not in record["applied_to"] for t in targets):
        raise ApiError("firewall_resource_not_found", "firewall resource not found")
    record["applied_to"] = [s for s in record["applied_to"] if s not in targets]
    return {"actions": [_apply(project, record, server, "remove_firewall") for server in targets]}
