"""What Cloudflare accepts as a DNS record, and its errors.

Messages and codes as recorded where there was a recording (9005, 81044, 81058, 10000); the others as known
from the API's public error reports.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from bench.clouds.store import Record

TYPES = ("A", "AAAA", "CNAME", "TXT", "CAA", "MX")
PROXIABLE = ("A", "AAAA", "CNAME")
_ADDRESSES = {"A": (9005, "IPv4", ipaddress.IPv4Address), "AAAA": (9006, "IPv6", ipaddress.IPv6Address)}


class CloudflareError(Exception):
    """A refused request: HTTP status, Cloudflare's code and its message."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


def full_name(given: str, zone: str) -> str:
    """The name with its zone, as the API completes what lies outside of it."""
    name = given.rstrip(".").lower()
    if name in ("@", ""):
        return zone
    return name if name == zone or name.endswith(f".{zone}") else f"{name}.{zone}"


def rdata(record: Record) -> dns.rdata.Rdata:
    """The record's content for the wire; raises dns.exception.DNSException or ValueError when it is none."""
    content, kind = str(record["content"]), record["type"]
    if kind == "TXT" and not content.startswith('"'):
        escaped = content.replace("\\", "\\\\").replace('"', '\\"')
        content = " ".join(f'"{escaped[i : i + 255]}"' for i in range(0, len(escaped) or 1, 255))
    if kind == "MX":
        content = f"{int(record.get('priority') or 0)} {content}"
    return dns.rdata.from_text(dns.rdataclass.IN, kind, content, origin=dns.name.root, relativize=False)


def _content(body: Record) -> str:
    kind, data = body["type"], body.get("data")
    if kind == "CAA" and data:
        return f'{int(data["flags"])} {data["tag"]} "{data["value"]}"'
    content = body.get("content")
    if not isinstance(content, str) or not content:
        raise CloudflareError(400, 9000, "DNS record content is missing.")
    if kind in _ADDRESSES:
        code, version, reader = _ADDRESSES[kind]
        try:
            content = str(reader(content))
        except ValueError:
            message = f"Content for {kind} record must be a valid {version} address."
            raise CloudflareError(400, code, message) from None
    return content


def checked(body: Record, zone: str) -> Record:
    """The fields of a record that the API keeps of a request's body."""
    if body.get("type") not in TYPES:
        raise CloudflareError(
            400, 1004, f"DNS Validation Error: the bench knows the types {', '.join(TYPES)}."
        )
    name = full_name(str(body.get("name") or ""), zone)
    ttl, proxied = body.get("ttl", 1), bool(body.get("proxied"))
    if ttl != 1 and not (isinstance(ttl, int | float) and 60 <= ttl <= 86400):
        raise CloudflareError(
            400, 9021, "Invalid TTL. Must be between 60 and 86400 seconds, or 1 for Automatic."
        )
    if proxied and body["type"] not in PROXIABLE:
        raise CloudflareError(400, 9004, f"This record type cannot be proxied: {body['type']}.")
    record = {
        "name": name,
        "type": body["type"],
        "content": _content(body),
        "proxiable": body["type"] in PROXIABLE,
        "proxied": proxied,
        "ttl": 1 if proxied else int(ttl),
        "settings": _settings(body),
        "meta": {},
        "comment": body.get("comment"),
        "tags": list(body.get("tags") or []),
    }
    for field in ("data", "priority"):
        if body.get(field) is not None:
            record[field] = body[field]
    try:
        dns.name.from_text(name)
        rdata(record)
    except (dns.exception.DNSException, ValueError) as error:
        message = f"Content for {body['type']} record is invalid: {error}"
        raise CloudflareError(400, 9007, message) from None
    return record


def _settings(body: Record) -> dict[str, Any]:
    settings = dict(body.get("settings") or {})
    if body["type"] == "CNAME":
        settings.setdefault("flatten_cname", False)
    return settings


def check_free(record: Record, others: Iterable[Record]) -> None:
    """Refuse a second identical record, and a CNAME beside anything else of its kind."""
    for other in others:
        if other["name"] != record["name"]:
            continue
        if (other["type"], other["content"]) == (record["type"], record["content"]):
            raise CloudflareError(400, 81058, "An identical record already exists.")
        if record["type"] == "CNAME" and other["type"] in PROXIABLE:
            message = "An A, AAAA, or CNAME record with that host already exists."
            raise CloudflareError(400, 81053, message)
        if other["type"] == "CNAME" and record["type"] in PROXIABLE:
            raise CloudflareError(400, 81054, "A CNAME record with that host already exists.")
