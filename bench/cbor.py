"""CBOR (RFC 8949), as much of it as WebAuthn uses: integers, bytes, texts, lists and maps."""

from __future__ import annotations

from typing import Any

_SIZES = {24: 1, 25: 2, 26: 4, 27: 8}


def encoded(value: Any) -> bytes:
    """A value in CBOR."""
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    if isinstance(value, list):
        return _head(4, len(value)) + b"".join(encoded(each) for each in value)
    if isinstance(value, dict):
        return _head(5, len(value)) + b"".join(encoded(key) + encoded(each) for key, each in value.items())
    raise TypeError(f"{type(value).__name__} is not written here")


def decoded(data: bytes) -> tuple[Any, bytes]:
    """The first value in the data, and what comes after it. Raises ValueError for what is no CBOR of these types."""
    if not data:
        raise ValueError("the data ends within a value")
    major, number, rest = data[0] >> 5, data[0] & 31, data[1:]
    if number in _SIZES:
        size = _SIZES[number]
        number, rest = int.from_bytes(rest[:size]), rest[size:]
    elif number > 23:
        raise ValueError("a length that is not known beforehand")
    if major == 0:
        return number, rest
    if major == 1:
        return -1 - number, rest
    if major in (2, 3):
        if len(rest) < number:
            raise ValueError("the data ends within a value")
        text = rest[:number]
        return text if major == 2 else text.decode(), rest[number:]
    if major == 4:
        items = []
        for _ in range(number):
            item, rest = decoded(rest)
            items.append(item)
        return items, rest
    if major == 5:
        found = {}
        for _ in range(number):
            key, rest = decoded(rest)
            found[key], rest = decoded(rest)
        return found, rest
    raise ValueError(f"a value of the type {major}")


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    for code, size in _SIZES.items():
        if number < 1 << 8 * size:
            return bytes([major << 5 | code]) + number.to_bytes(size)
    raise ValueError("the number is too large")
