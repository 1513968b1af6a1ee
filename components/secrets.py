"""Everything that is derived from a client's root secret.

HKDF-SHA256 (RFC 5869, PyCA cryptography) with info ``gatehouse/v1/<name>/<generation>`` gives each secret a byte
stream of its own. The names, the info string and the forms below are a contract with every box that runs: changing
one of them changes a client's passwords. Golden vectors in tests/secrets hold them.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

ROOT_PREFIX = "ghr1_"
_BODY = 43  # base64url characters of 32 bytes, without padding
_CHECK = 6  # characters of the checksum: 32 bits, enough to notice a typo

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
READABLE = "abcdefghijkmnpqrstuvwxyzACDEFGHJKLMNPQRTUVWXYZ234679"  # nothing that looks like something else


class SecretError(ValueError):
    """A secret that is unknown or of the wrong form. The text never holds the value."""


@dataclass(frozen=True)
class SecretForm:
    """How a secret looks: `length` characters of `alphabet`; an override may be what `accepts` matches.

    `rotates` says whether counting its generation up is enough. The others act on a first start only: a new value would
    not reach what was started with the old one, and gatehouse could no longer get in.
    """

    length: int
    alphabet: str
    accepts: str
    limit: str
    rotates: bool = True


@dataclass(frozen=True)
class SshKey:
    """An ed25519 key: `private` in OpenSSH's file format, `public` as one line without a newline."""

    private: str = field(repr=False)
    public: str


_ANY, _ANY_LIMIT = r"[!-~]{12,255}", "12 to 255 printable ASCII characters without spaces"
_LONG, _LONG_LIMIT = r"[!-~]{32,255}", "32 to 255 printable ASCII characters without spaces"

# Frozen: name pattern -> form. Limits are those of the programs that take the value.
SECRET_FORMS: dict[str, SecretForm] = {
    "postgres/password": SecretForm(
        48, LETTERS, r"[!-~]{12,99}", "12 to 99 characters without spaces (authentik)", False
    ),
    "redis/password": SecretForm(
        48, LETTERS, r"[A-Za-z0-9_.~-]{12,99}", "12 to 99 of A-Z a-z 0-9 _ . ~ - (in a URL)"
    ),
    "authentik/secret-key": SecretForm(80, LETTERS, _LONG, _LONG_LIMIT),
    "authentik/bootstrap-password": SecretForm(40, LETTERS, _ANY, _ANY_LIMIT, False),
    "authentik/bootstrap-token": SecretForm(60, LETTERS, _LONG, _LONG_LIMIT, False),
    "authentik/service-token": SecretForm(60, LETTERS, _LONG, _LONG_LIMIT, False),
    "npm/admin-password": SecretForm(
        40, LETTERS, r"[A-Za-z0-9_-]{12,99}", "12 to 99 of A-Z a-z 0-9 _ - (NPM)", False
    ),
    "app/<id>/client-id": SecretForm(40, LETTERS, r"[!-~]{1,255}", "1 to 255 characters without spaces"),
    "app/<id>/client-secret": SecretForm(128, LETTERS, _ANY, _ANY_LIMIT),
    "app/<id>/bind-password": SecretForm(40, LETTERS, _ANY, _ANY_LIMIT),
    "app/<id>/shared-secret": SecretForm(
        40, LETTERS, r"[!-~]{12,128}", "12 to 128 characters without spaces (RADIUS)"
    ),
    "outpost/<protocol>/token": SecretForm(60, LETTERS, _LONG, _LONG_LIMIT),
    # restic's own; it opens the repository that was made with it, so a new one would open nothing.
    "backup/password": SecretForm(48, LETTERS, _ANY, _ANY_LIMIT, False),
    "person/<username>/password": SecretForm(
        20, READABLE, r"[ -~]{12,255}", "12 to 255 printable ASCII characters"
    ),
}
SSH_KEYS = ("ssh/deploy", "ssh/host", "ssh/first-boot", "ssh/backup")
_PART = r"[A-Za-z0-9][A-Za-z0-9@+._-]*"
_PATTERNS = {re.compile(re.sub(r"<\w+>", lambda _: _PART, name)): form for name, form in SECRET_FORMS.items()}


def secret_names() -> tuple[str, ...]:
    """All names and name patterns, as they are written below `gatehouse:secrets`."""
    return (*SECRET_FORMS, *SSH_KEYS)


def form_of(name: str) -> SecretForm | None:
    """The form of a named secret; None for an SSH key. Raises SecretError for a name that is not in the table."""
    if name in SSH_KEYS:
        return None
    for pattern, form in _PATTERNS.items():
        if pattern.fullmatch(name):
            return form
    raise SecretError(f"there is no secret named {name!r}; there are {', '.join(secret_names())}")


def check_override(name: str, value: str) -> None:
    """Raises SecretError when the consumer of this secret would not take `value`."""
    form = form_of(name)
    if form is None:
        _seed_of(name, value)
    elif not re.fullmatch(form.accepts, value):
        raise SecretError(f"this value does not fit {name}: it takes {form.limit}")


def new_root_secret() -> str:
    """A fresh root secret: `ghr1_`, 32 random bytes in base64url and a checksum."""
    body = ROOT_PREFIX + base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
    return body + _checksum(body)


def check_root_secret(text: str) -> bytes:
    """The 32 bytes of a root secret. Raises SecretError saying what is wrong with it, never what it is."""
    if not text.startswith(ROOT_PREFIX):
        raise SecretError(f"it does not begin with {ROOT_PREFIX}")
    expected = len(ROOT_PREFIX) + _BODY + _CHECK
    if len(text) != expected:
        raise SecretError(f"it has {len(text)} characters instead of {expected}")
    body, check = text[:-_CHECK], text[-_CHECK:]
    if not re.fullmatch(r"[A-Za-z0-9_-]+", text) or _checksum(body) != check:
        raise SecretError("its checksum does not match: a character was lost or changed when it was copied")
    return base64.urlsafe_b64decode(body[len(ROOT_PREFIX) :] + "=")


def _checksum(body: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(body.encode()).digest()[:4]).decode()[:_CHECK]


class Secrets:
    """The derived secrets of one client.

    `generations` says which generation of a secret is in use (1 where it says nothing), `overrides` gives values that
    were there before gatehouse and are used as they are. Raises SecretError for unknown names and unfit values.
    """

    def __init__(
        self,
        root: str,
        generations: Mapping[str, int] | None = None,
        overrides: Mapping[str, str] | None = None,
    ) -> None:
        self._root = check_root_secret(root)
        self._generations = dict(generations or {})
        self._overrides = dict(overrides or {})
        self._used: set[str] = set()
        for name in self._generations:
            form_of(name)
        for name, value in self._overrides.items():
            check_override(name, value)

    def __repr__(self) -> str:
        return "Secrets(…)"

    @property
    def fingerprint(self) -> str:
        """What the root secret is known by: it says whether another one is the same, and nothing else of it."""
        return _derived(self._root, "gatehouse/v1/fingerprint", 16).hex()

    @property
    def used(self) -> dict[str, int]:
        """The derived secrets that were asked for, and their generations; those with an override are not derived."""
        return {name: self._generations.get(name, 1) for name in sorted(self._used - set(self._overrides))}

    def generation(self, name: str) -> int | None:
        """Which generation of a secret is derived; None where there is an override in its place."""
        return None if name in self._overrides else self._generations.get(name, 1)

    def value(self, name: str) -> str:
        """The plain text of a secret; an SSH key's is its private key file."""
        form = form_of(name)
        if form is None:
            return self.ssh_key(name).private
        self._used.add(name)
        if name in self._overrides:
            return self._overrides[name]
        return _characters(self._bytes(name, 2 * form.length + 64), form)

    def as_secret(self, name: str) -> SecretStr:
        """The same, so that no text shows it; the program makes a secret output of it."""
        return SecretStr(self.value(name))

    def ssh_key(self, name: str) -> SshKey:
        """One of the keys in SSH_KEYS, byte for byte the same at every call."""
        if name not in SSH_KEYS:
            raise SecretError(f"{name!r} is not an SSH key; there are {', '.join(SSH_KEYS)}")
        given = self._overrides.get(name)
        seed = _seed_of(name, given) if given is not None else self._bytes(name, 32)
        return openssh_key(seed, "gatehouse-" + name.removeprefix("ssh/"))

    def _bytes(self, name: str, length: int) -> bytes:
        return _derived(self._root, f"gatehouse/v1/{name}/{self._generations.get(name, 1)}", length)


def _derived(root: bytes, info: str, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=None, info=info.encode()).derive(root)


def _characters(stream: bytes, form: SecretForm) -> str:
    """Characters without bias: bytes beyond the last whole multiple of the alphabet's size are passed over."""
    size = len(form.alphabet)
    usable = [byte for byte in stream if byte < 256 - 256 % size]
    if len(usable) < form.length:  # less likely than 2**-60 for any form above
        raise SecretError("the derived stream is too short")
    return "".join(form.alphabet[byte % size] for byte in usable[: form.length])


def openssh_key(seed: bytes, comment: str) -> SshKey:
    """The ed25519 key of a 32-byte seed in OpenSSH's own format (PROTOCOL.key in OpenSSH's source).

    PyCA's writer draws the two check words at random, so that the same key gives another file each time; here they
    come from the seed. They only let a reader see that a passphrase was right.
    """
    # Here and below, so that a client without a box does not wait for what only its keys need.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    blob = _string(b"ssh-ed25519") + _string(public)
    check = hashlib.sha256(b"gatehouse check word" + seed).digest()[:4]
    secret = check * 2 + blob + _string(seed + public) + _string(comment.encode())
    secret += bytes(range(1, 1 + -len(secret) % 8))
    body = b"openssh-key-v1\0" + _string(b"none") * 2 + _string(b"") + (1).to_bytes(4, "big")
    text = base64.b64encode(body + _string(blob) + _string(secret)).decode()
    lines = "\n".join(text[start : start + 70] for start in range(0, len(text), 70))
    return SshKey(
        private=f"-----BEGIN OPENSSH PRIVATE KEY-----\n{lines}\n-----END OPENSSH PRIVATE KEY-----\n",
        public=f"ssh-ed25519 {base64.b64encode(blob).decode()} {comment}",
    )


def _string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _seed_of(name: str, private_key: str) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    remedy = f"{name} takes an ed25519 private key in OpenSSH's format, without a passphrase"
    try:
        key = serialization.load_ssh_private_key(private_key.encode(), password=None)
    except (
        ValueError,
        TypeError,
        UnsupportedAlgorithm,
    ):  # broken, with a passphrase, or with one in a new way
        raise SecretError(f"this value cannot be read as a private key: {remedy}") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise SecretError(f"this key is of another type: {remedy}")
    return key.private_bytes_raw()
