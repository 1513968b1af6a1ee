"""Passwords as they lie in the store: salted hashes. Few rounds: the bench guards nobody's password."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

ROUNDS = 1000


def hashed(password: str) -> str:
    """What is stored for a password."""
    salt = os.urandom(12)
    return f"pbkdf2_sha256${ROUNDS}${base64.b64encode(salt).decode()}${digest(password, salt, ROUNDS)}"


def matches(password: str, stored: object) -> bool:
    """Whether a password is the one that was stored; nothing matches where none is."""
    if not isinstance(stored, str) or stored.count("$") != 3:
        return False
    _, rounds, salt, wanted = stored.split("$")
    return hmac.compare_digest(digest(password, base64.b64decode(salt), int(rounds)), wanted)


def digest(password: str, salt: bytes, rounds: int) -> str:
    """PBKDF2-HMAC-SHA256, in base64."""
    return base64.b64encode(hashlib.pbkdf2_hmac("sha256", password.encode(), salt, rounds)).decode()
