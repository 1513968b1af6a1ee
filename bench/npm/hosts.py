"""Proxy hosts."""

from __future__ import annotations

from bench.npm import certificates
from bench.npm.auth import Caller
from bench.npm.errors import internal, invalid, missing
from bench.npm.manager import Manager, shown_relation
from bench.npm.store import Row, public

RELATIONS = {"owner", "certificate", "access_list"}

DEFAULTS: Row = {
    "access_list_id": 0,
    "certificate_id": 0,
    "ssl_forced": False,
    "caching_enabled": False,
    "block_exploits": False,
    "advanced_config": "",
    "meta": {},
    "allow_websocket_upgrade": False,
    "http2_support": False,
    "enabled": True,
    "locations": None,
    "hsts_enabled": False,
    "hsts_subdomains": False,
    "trust_forwarded_proto": False,
}


def find(manager: Manager, caller: Caller, number: int) -> Row:
    """The row; 404 with the id if it is not there or not theirs."""
    row = manager.store.get("proxy_host", number)
    if row is None or not caller.sees(row):
        raise missing(number)
    return row


def listed(manager: Manager, caller: Caller, query: str, expand: set[str]) -> list[Row]:
    """All that the caller sees, by domain; `query` is part of a domain."""
    rows = [row for row in manager.store.all("proxy_host") if caller.sees(row)]
    found = [row for row in rows if query in str(row["domain_names"])]
    return [shown(manager, row, expand) for row in sorted(found, key=lambda row: str(row["domain_names"]))]


def shown(manager: Manager, row: Row, expand: set[str]) -> Row:
    """The row as GET shows it, with the relations that were asked for; an unknown one is a 500."""
    if expand - RELATIONS:
        raise internal()
    relations = {key: value for key, value in manager.shown_host(row).items() if key in expand}
    return {**public(row), **relations}


def create(manager: Manager, caller: Caller, body: Row) -> Row:
    """POST: the answer doesn't tell whether nginx took it (`meta` is as it was sent)."""
    wants_certificate = body.get("certificate_id") == "new"
    body = {**DEFAULTS, **body, **({"certificate_id": 0} if wants_certificate else {})}
    with manager.store.transaction():
        _free(manager, body["domain_names"])
        row = manager.store.insert(
            "proxy_host",
            _without_tls_flags(
                {**body, "owner_user_id": caller.user["id"], "domain_names": sorted(body["domain_names"])}
            ),
        )
    if not wants_certificate:
        manager.configure(row)
        return manager.shown_host(row)
    made = certificates.request(manager, caller, row["domain_names"], row["meta"])
    row = manager.store.patch("proxy_host", row["id"], certificate_id=made["id"])
    return manager.shown_host(manager.configure(row))


def update(manager: Manager, caller: Caller, number: int, body: Row) -> Row:
    """PUT: only what is sent changes. A disabled host's file stays as it is."""
    row = find(manager, caller, number)
    wants_certificate = body.pop("certificate_id", None) if body.get("certificate_id") == "new" else None
    with manager.store.transaction():
        if "domain_names" in body:
            _free(manager, body["domain_names"], but=number)
            body["domain_names"] = sorted(body["domain_names"])
        row = manager.store.patch("proxy_host", number, **_without_tls_flags({**row, **body}, keep=row))
    if wants_certificate:
        made = certificates.request(manager, caller, row["domain_names"], row["meta"])
        row = manager.store.patch("proxy_host", number, certificate_id=made["id"])
    if row["enabled"]:
        row = manager.configure(row)
    return manager.shown_host(row)


def remove(manager: Manager, caller: Caller, number: int) -> bool:
    """DELETE."""
    row = find(manager, caller, number)
    manager.store.remove("proxy_host", number)
    manager.take_down(row)
    return True


def switch(manager: Manager, caller: Caller, number: int, *, on: bool) -> bool:
    """POST …/enable and …/disable."""
    row = find(manager, caller, number)
    if row["enabled"] == on:
        raise invalid(f"Host is already {'enabled' if on else 'disabled'}")
    row = manager.store.patch("proxy_host", number, enabled=on)
    if on:
        manager.configure(row)
    else:
        manager.take_down(row)
    return True


def relation(manager: Manager, row: Row) -> Row:
    """A proxy host as a relation of an access list: whole, the certificate's private key included."""
    full = manager.expanded(row)
    told = shown_relation(row)
    assert told is not None
    return {
        **told,
        "certificate": shown_relation(full["certificate"]),
        "access_list": shown_relation(full["access_list"]),
    }


def _free(manager: Manager, domains: list[str], *, but: int = 0) -> None:
    for name in domains:
        if any(host["id"] != but for host in manager.using([name])):
            raise invalid(f"{name} is already in use")


def _without_tls_flags(row: Row, *, keep: Row | None = None) -> Row:
    """Flags that need another one are silently false without it."""
    if not row["certificate_id"]:
        row |= {"ssl_forced": False, "http2_support": False}
    if not row["ssl_forced"]:
        row["hsts_enabled"] = False
    if not row["hsts_enabled"]:
        row["hsts_subdomains"] = False
    return {key: value for key, value in row.items() if keep is None or key not in ("id", "modified_on")}
