"""As much of ASN.1's basic encoding rules as LDAP needs (RFC 4511): definite lengths, tags of one byte."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedIOBase

INTEGER, OCTETS, ENUMERATED, SEQUENCE, SET = 0x02, 0x04, 0x0A, 0x30, 0x31


def put(tag: int, *contents: bytes | str) -> bytes:
    """A tag, a length and contents."""
    body = b"".join(each.encode() if isinstance(each, str) else each for each in contents)
    size = len(body)
    if size < 0x80:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def number(value: int, tag: int = INTEGER) -> bytes:
    """A number that is not negative."""
    return put(tag, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def elements(body: bytes) -> Iterator[tuple[int, bytes]]:
    """(tag, contents) of each element. Raises ValueError for what is cut off."""
    at = 0
    while at < len(body):
        tag, length, at = body[at], body[at + 1], at + 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(body[at : at + size], "big"), at + size
        if at + length > len(body):
            raise ValueError("an element is cut off")
        yield tag, body[at : at + length]
        at += length


def message(stream: BufferedIOBase) -> bytes | None:
    """The contents of the next message of a connection; None at its end."""
    head = stream.read(2)
    if len(head) < 2 or head[0] != SEQUENCE:
        return None
    length = head[1]
    if length & 0x80:
        length = int.from_bytes(stream.read(length & 0x7F), "big")
    body = stream.read(length) if length < 1_000_000 else b""
    return body if len(body) == length else None
