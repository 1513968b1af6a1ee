"""What an LDAP provider shows of people and groups: distinguished names, attributes, filters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bench.outposts import ber
from bench.outposts.authentik import Authentik, Login, Row

BASE, ONE, SUBTREE = range(3)
_PERSON = (
    "top",
    "person",
    "organizationalPerson",
    "inetOrgPerson",
    "user",
    "posixAccount",
    "goauthentik.io/ldap/user",
)
_GROUP = ("group", "goauthentik.io/ldap/group")


@dataclass(frozen=True)
class Entry:
    """One entry."""

    dn: str
    attributes: Mapping[str, list[str]]

    def values(self, name: str) -> list[str]:
        """An attribute's values, whatever case its name is written in."""
        return next((values for key, values in self.attributes.items() if key.lower() == name.lower()), [])

    def within(self, base: str, scope: int) -> bool:
        """Whether it is below a name as far as a search goes."""
        dn, base = plain(self.dn), plain(base)
        return {
            BASE: dn == base,
            ONE: dn.partition(",")[2] == base,
            SUBTREE: dn == base or dn.endswith(f",{base}"),
        }[scope]


def plain(dn: str) -> str:
    """A name to compare by."""
    return ",".join(part.strip().lower() for part in dn.split(","))


def username(dn: str, base: str) -> str | None:
    """Whom a name below a provider's base means: its first cn."""
    if not plain(dn).endswith(plain(base)):
        return None
    parts = [part.strip().partition("=") for part in dn.split(",")]
    return next((value for key, _, value in parts if key.lower() == "cn"), None)


def entries(authentik: Authentik, provider: Row, login: Login) -> Iterator[Entry]:
    """All that somebody sees. Without the right to search that is themselves, and the groups that they are in."""
    base = str(provider["base_dn"])
    yield Entry(base, {"objectClass": ["top", "domain"]})
    for unit in ("users", "groups"):
        yield Entry(f"ou={unit},{base}", {"objectClass": ["top", "nsContainer"], "commonName": [unit]})
    people = (
        authentik.everything("/core/users/")
        if login.searches
        else [authentik.one(f"/core/users/{login.pk}/")]
    )
    named = []
    for each in people:
        named.append(each)
        yield _person(each, base, provider)
    for group in authentik.everything("/core/groups/"):
        inside = [each for each in named if str(group["pk"]) in map(str, each["groups"])]
        if login.searches or inside:
            members = [f"cn={each['username']},ou=users,{base}" for each in inside]
            told = {"cn": [group["name"]], "objectClass": list(_GROUP), "member": members}
            yield Entry(f"cn={group['name']},ou=groups,{base}", told)


def _person(user: Row, base: str, provider: Row) -> Entry:
    groups = [f"cn={each['name']},ou=groups,{base}" for each in user.get("groups_obj") or ()]
    own = {
        key: [str(value) for value in (values if isinstance(values, list) else [values])]
        for key, values in (user.get("attributes") or {}).items()
        if not isinstance(values, dict)
    }
    told: dict[str, Any] = {
        "cn": user["username"],
        "sAMAccountName": user["username"],
        "uid": user["uid"],
        "name": user["name"],
        "displayName": user["name"],
        "sn": user["name"],
        "mail": user["email"],
        "ak-active": str(user["is_active"]).upper(),
        "ak-superuser": str(user["is_superuser"]).upper(),
        "uidNumber": str(int(provider["uid_start_number"]) + int(user["pk"])),
        "homeDirectory": f"/home/{user['username']}",
    }
    whole = {**own, **{name: [value] for name, value in told.items()}}
    return Entry(
        f"cn={user['username']},ou=users,{base}", {**whole, "memberOf": groups, "objectClass": list(_PERSON)}
    )


def passes(entry: Entry, tag: int, body: bytes) -> bool:
    """Whether a filter lets an entry through. Raises ValueError for one that is not known here."""
    if tag in (0xA0, 0xA1):
        return (all if tag == 0xA0 else any)(passes(entry, *each) for each in ber.elements(body))
    if tag == 0xA2:
        return not passes(entry, *next(ber.elements(body)))
    if tag == 0x87:
        return bool(entry.values(body.decode()))
    if tag in (0xA3, 0xA8):
        name, value = (part.decode() for _, part in ber.elements(body))
        return value.lower() in [each.lower() for each in entry.values(name)]
    if tag == 0xA4:
        (_, name_), (_, parts) = ber.elements(body)
        wanted = [(kind, part.decode().lower()) for kind, part in ber.elements(parts)]
        return any(_alike(each.lower(), wanted) for each in entry.values(name_.decode()))
    raise ValueError(f"no filter 0x{tag:02x} here")


def _alike(value: str, wanted: list[tuple[int, str]]) -> bool:
    for kind, part in wanted:
        at = value.find(part)
        if at < 0 or (kind == 0x80 and at > 0):
            return False
        if kind == 0x82:
            return value.endswith(part)
        value = value[at + len(part) :]
    return True
