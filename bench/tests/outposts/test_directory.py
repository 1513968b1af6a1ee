"""Names and filters of the LDAP stand-in; whole binds and searches are tried by tests/cases/test_outposts.py."""

from __future__ import annotations

import io

import pytest

from bench.outposts import ber
from bench.outposts.directory import BASE, ONE, SUBTREE, Entry, passes, username

JANE = Entry(
    "cn=Jane,ou=users,dc=acme", {"cn": ["Jane"], "objectClass": ["top", "user"], "mail": ["jane@x.example"]}
)


def equal(name: str, value: str) -> bytes:
    return ber.put(0xA3, ber.put(ber.OCTETS, name), ber.put(ber.OCTETS, value))


def like(name: str, *parts: tuple[int, str]) -> bytes:
    inner = ber.put(ber.SEQUENCE, *(ber.put(kind, part) for kind, part in parts))
    return ber.put(0xA4, ber.put(ber.OCTETS, name), inner)


@pytest.mark.parametrize(("wanted", "found"), [
    (equal("CN", "jane"), True), (equal("cn", "joe"), False), (equal("nothing", "jane"), False),
    (ber.put(0x87, "mail"), True), (ber.put(0x87, "phone"), False),
    (ber.put(0xA0, equal("cn", "jane"), equal("objectClass", "user")), True),
    (ber.put(0xA0, equal("cn", "jane"), equal("objectClass", "group")), False),
    (ber.put(0xA1, equal("cn", "joe"), equal("objectClass", "user")), True),
    (ber.put(0xA2, equal("cn", "joe")), True),
    (like("mail", (0x80, "jane@")), True), (like("mail", (0x80, "ane@")), False),
    (like("mail", (0x81, "@x"), (0x82, "example")), True), (like("mail", (0x82, "@x")), False),
])  # fmt: skip
def test_filters(wanted: bytes, found: bool) -> None:
    assert passes(JANE, *next(ber.elements(wanted))) is found


def test_a_filter_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="0xa9"):
        passes(JANE, 0xA9, b"")


def test_scopes_and_names() -> None:
    assert JANE.within("dc=ACME", SUBTREE) and JANE.within("ou=users, dc=acme", ONE)
    assert not JANE.within("dc=acme", ONE) and not JANE.within("dc=cme", SUBTREE)
    assert JANE.within("CN=jane,ou=users,dc=acme", BASE)
    assert username("CN=Jane,ou=users,DC=acme", "dc=acme") == "Jane"
    assert username("cn=jane,dc=other", "dc=acme") is None
    assert username("uid=jane,dc=acme", "dc=acme") is None


def test_messages_that_are_long_or_cut_off() -> None:
    long = ber.put(ber.SEQUENCE, ber.put(ber.OCTETS, "x" * 70_000))
    assert ber.message(io.BytesIO(long)) == ber.put(ber.OCTETS, "x" * 70_000)
    assert ber.message(io.BytesIO(long[:-1])) is None
    with pytest.raises(ValueError, match="cut off"):
        list(ber.elements(b"\x04\x05abc"))
