"""Access lists: users with passwords and addresses that may enter."""

from __future__ import annotations

import base64
import hashlib
import secrets

from bench.npm import hosts
from bench.npm.auth import Caller
from bench.npm.errors import internal, missing
from bench.npm.manager import Manager, shown_relation
from bench.npm.store import Row, now, public

RELATIONS = {"owner", "items", "clients", "proxy_hosts"}
_ALL = frozenset(RELATIONS)


def find(manager: Manager, caller: Caller, number: int) -> Row:
    """The row; 404 with the id if it is not there or not theirs."""
    row = manager.store.get("access_list", number)
    if row is None or not caller.sees(row):
        raise missing(number)
    return row


def shown(manager: Manager, row: Row, expand: set[str] | frozenset[str]) -> Row:
    """The row as GET shows it; passwords only as a hint."""
    if expand - RELATIONS:
        raise internal()
    used = _hosts(manager, row["id"])
    told = {key: value for key, value in public(row).items() if key not in ("items", "clients")}
    told["proxy_host_count"] = len(used)
    if "owner" in expand:
        told["owner"] = shown_relation(manager.store.get("user", row["owner_user_id"]))
    if "items" in expand:
        told["items"] = [{**one, "password": "", "hint": _hint(one["password"])} for one in row["items"]]
    if "clients" in expand:
        told["clients"] = row["clients"]
    if "proxy_hosts" in expand:
        told["proxy_hosts"] = [hosts.relation(manager, one) for one in used]
    return told


def create(manager: Manager, caller: Caller, body: Row) -> Row:
    """POST."""
    row = manager.store.insert(
        "access_list",
        {
            "owner_user_id": caller.user["id"],
            "name": body["name"],
            "meta": {},
            "satisfy_any": body.get("satisfy_any", False),
            "pass_auth": body.get("pass_auth", False),
            "items": [],
            "clients": [],
        },
    )
    row = manager.store.patch("access_list", row["id"], **_members(manager, row, body))
    _write(manager, row)
    return shown(manager, row, _ALL)


def update(manager: Manager, caller: Caller, number: int, body: Row) -> Row:
    """PUT: `items` and `clients` are replaced whole if sent; hosts that use the list are written anew,
    with all.
    """
    row = find(manager, caller, number)
    plain = {key: value for key, value in body.items() if key not in ("items", "clients")}
    row = manager.store.patch("access_list", number, **plain, **_members(manager, row, body))
    _write(manager, row)
    used = _hosts(manager, number)
    for host in used:
        manager.rewrite_bare([manager.expanded(host)])
    if used:
        manager.reload()
    return shown(manager, row, _ALL)


def remove(manager: Manager, caller: Caller, number: int) -> bool:
    """DELETE: hosts that used it stay, open, and without TLS until they are written again."""
    find(manager, caller, number)
    used = _hosts(manager, number)
    manager.store.remove("access_list", number)
    manager.rewrite_bare([manager.store.patch("proxy_host", one["id"], access_list_id=0) for one in used])
    if used:
        manager.reload()
    manager.layout.password_file(number).unlink(missing_ok=True)
    return True


def _hosts(manager: Manager, number: int) -> list[Row]:
    return [one for one in manager.store.all("proxy_host") if one["access_list_id"] == number]


def _members(manager: Manager, row: Row, body: Row) -> Row:
    def member(kind: str, fields: Row) -> Row:
        number = manager.store.next_id(kind)
        stamps = {"id": number, "created_on": now(), "modified_on": now(), "access_list_id": row["id"]}
        return {**stamps, **fields, "meta": {}}

    changed: Row = {}
    if "items" in body:
        known = {one["username"]: one["password"] for one in row["items"]}
        changed["items"] = [
            member(
                "access_item",
                {
                    "username": one["username"],
                    "password": one.get("password") or known.get(one["username"], ""),
                },
            )
            for one in body["items"]
        ]
    if "clients" in body:
        changed["clients"] = [
            member("access_client", {"address": one["address"], "directive": one["directive"]})
            for one in body["clients"]
        ]
    return changed


def _write(manager: Manager, row: Row) -> None:
    """The password file, salted SHA-1: what nginx verifies by itself on any libc."""
    lines = []
    for one in row["items"]:
        salt = secrets.token_bytes(8)
        digest = hashlib.sha1(one["password"].encode() + salt).digest()  # noqa: S324  (a format of nginx)
        lines.append(f"{one['username']}:{{SSHA}}{base64.b64encode(digest + salt).decode()}\n")
    path = manager.layout.password_file(row["id"])
    path.write_text("".join(lines))


def _hint(password: str) -> str:
    return password[:1] + "*" * (len(password) - 1)
