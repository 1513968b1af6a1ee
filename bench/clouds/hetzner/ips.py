"""Primary IPs and their reverse DNS names."""

from __future__ import annotations

import ipaddress

from bench.clouds.hetzner import catalog
from bench.clouds.hetzner.errors import ApiError, invalid
from bench.clouds.hetzner.project import Project, labels, text
from bench.clouds.hetzner.views import action, addresses, first_address, primary_ip
from bench.clouds.machines import NullMachines
from bench.clouds.store import Record

V4 = ipaddress.ip_network("203.0.113.0/24")  # TEST-NET-3, the bench's "internet"
V6 = ipaddress.ip_network("2001:db8::/48")  # the documentation prefix
_LOWEST, _HIGHEST = 10, 250


def _address(project: Project, kind: str) -> str:
    """The next address: not one that was just given back, as long as others are left."""
    used = {ip["ip"] for ip in project.all("primary_ips").values()}
    span = _HIGHEST - _LOWEST
    for _ in range(span):
        index = _LOWEST + project.data["addresses"] % span
        project.data["addresses"] += 1
        base = int(V6.network_address) + (index << 64)
        found = str(V4[index]) if kind == "ipv4" else str(ipaddress.ip_network((base, 64)))
        if found not in used:
            return found
    raise ApiError("resource_limit_exceeded", "the bench has no address left: delete a primary IP")


def make(
    project: Project, kind: str, location: str, name: str | None, given: dict[str, str], auto_delete: bool
) -> Record:
    """A new, unassigned primary IP."""
    record = {
        "name": name or f"primary_ip-{project.data['next']['primary_ips']}",
        "type": kind,
        "ip": _address(project, kind),
        "labels": given,
        "location": location,
        "assignee_id": None,
        "auto_delete": auto_delete,
        "protection": {"delete": False},
        "dns_ptr": {},
    }
    return project.add("primary_ips", record)


def create(project: Project, body: Record) -> Record:
    """POST /primary_ips, in a location or at once for a server that is off."""
    name, kind = text(body, "name"), body.get("type")
    if kind not in ("ipv4", "ipv6"):
        raise invalid("type", "must be ipv4 or ipv6")
    project.unique_name("primary_ips", name)
    given, assignee = labels(body), body.get("assignee_id")
    place = catalog.find(catalog.LOCATIONS, body.get("location"))
    if assignee is not None:
        server = project.get("servers", assignee)
        _check_assignable(project, kind, server)
        place = catalog.find(catalog.LOCATIONS, server["location"])
    if place is None:
        raise invalid("location", "must be one of " + ", ".join(p["name"] for p in catalog.LOCATIONS))
    record = make(project, kind, place["name"], name, given, bool(body.get("auto_delete")))
    record["assignee_id"] = assignee
    done = None
    if assignee is not None:
        done = action(project.act("assign_primary_ip", ("primary_ip", record["id"]), ("server", assignee)))
    return {"primary_ip": primary_ip(record), "action": done}


def update(project: Project, number: str, body: Record) -> Record:
    """PUT /primary_ips/N: name, labels, auto_delete."""
    record = project.get("primary_ips", number)
    project.rename("primary_ips", record, body)
    if body.get("auto_delete") is not None:
        record["auto_delete"] = bool(body["auto_delete"])
    return {"primary_ip": primary_ip(record)}


def delete(project: Project, number: str) -> None:
    """DELETE /primary_ips/N: not while it is protected, or assigned to a server that runs."""
    record = project.get("primary_ips", number)
    if record["protection"]["delete"]:
        raise ApiError("protected", "primary ip is delete protected")
    if record["assignee_id"] is not None:
        _check_movable(project, project.get("servers", record["assignee_id"]))
    project.remove("primary_ips", record["id"])


def change_dns_ptr(project: Project, number: str, body: Record) -> Record:
    """Name an address; null takes the name away again."""
    record = project.get("primary_ips", number)
    return {"action": _point(project, record, body, ("primary_ip", record["id"]))}


def change_server_ptr(project: Project, number: str, body: Record) -> Record:
    """The same through the server that has the address."""
    server = project.get("servers", number)
    try:
        wanted = ipaddress.ip_address(body.get("ip", ""))
    except ValueError:
        raise invalid("ip", "must be an IP address") from None
    for record in addresses(project, server["id"]).values():
        if wanted in ipaddress.ip_network(record["ip"]):
            return {"action": _point(project, record, body, ("server", server["id"]))}
    raise ApiError("not_found", f"IP {wanted} of server {server['id']} not found")


def _point(project: Project, record: Record, body: Record, resource: tuple[str, int]) -> Record:
    wanted = body.get("ip")
    try:
        inside = ipaddress.ip_address(wanted or "") in ipaddress.ip_network(record["ip"])
    except ValueError:
        inside = False
    if not inside:
        raise invalid("ip", f"must be in {record['ip']}")
    if body.get("dns_ptr") is None:
        record["dns_ptr"].pop(wanted, None)
    else:
        record["dns_ptr"][wanted] = text(body, "dns_ptr", 253)
    return action(project.act("change_dns_ptr", resource))


def change_protection(project: Project, number: str, body: Record) -> Record:
    """Delete protection on or off."""
    record = project.get("primary_ips", number)
    record["protection"] = {"delete": bool(body.get("delete", record["protection"]["delete"]))}
    return {"action": action(project.act("change_protection", ("primary_ip", record["id"])))}


def assign(project: Project, number: str, body: Record) -> Record:
    """Give it to a server that is off and has none of its type."""
    record = project.get("primary_ips", number)
    server = project.get("servers", body.get("assignee_id"))
    if record["assignee_id"] is not None:
        raise ApiError("primary_ip_already_assigned", "primary ip is already assigned")
    _check_assignable(project, record["type"], server)
    if server["location"] != record["location"]:
        raise invalid("assignee_id", "server and primary ip are in different locations")
    record["assignee_id"] = server["id"]
    resources = ("primary_ip", record["id"]), ("server", server["id"])
    return {"action": action(project.act("assign_primary_ip", *resources))}


def unassign(project: Project, number: str, body: Record) -> Record:
    """Take it from a server that is off."""
    del body
    record = project.get("primary_ips", number)
    if record["assignee_id"] is None:
        raise ApiError("primary_ip_assigned", "primary ip is not assigned")
    _check_movable(project, project.get("servers", record["assignee_id"]))
    record["assignee_id"] = None
    return {"action": action(project.act("unassign_primary_ip", ("primary_ip", record["id"])))}


def _check_assignable(project: Project, kind: str, server: Record) -> None:
    _check_movable(project, server)
    if kind in addresses(project, server["id"]):
        raise ApiError("invalid_input", f"server already has an {kind} address")


def _check_movable(project: Project, server: Record) -> None:
    if server["status"] != "off":
        raise ApiError("server_not_stopped", "server must be powered off")
    if not isinstance(project.machines, NullMachines):
        raise ApiError("unsupported_error", "the bench gives a box its addresses once, when it is created")


def own_address(network: Record | None) -> str | None:
    """The address that the box itself uses of a primary IP."""
    if network is None:
        return None
    ip: str = network["ip"]
    return ip if network["type"] == "ipv4" else first_address(ip)
