"""Second factors that people have: security keys, authenticator apps (TOTP) and static codes.

They lie in the store as objects of the API's own kinds, their secrets in fields that never leave (`factor_api` shows
them).
"""

from __future__ import annotations

import base64
import hmac
import secrets
import struct
import time
from typing import Any

from bench.authentik import crypto
from bench.authentik.store import Data, Store
from bench.authentik.webauthn import Credential

TYPES = ("static", "totp", "webauthn")
"""Of the devices that the bench knows; text messages, mails and Duo need what is not here."""
MODELS = {
    "static": ("authentik_stages_authenticator_static.StaticDevice", "Static Device"),
    "totp": ("authentik_stages_authenticator_totp.TOTPDevice", "TOTP Device"),
    "webauthn": ("authentik_stages_authenticator_webauthn.WebAuthnDevice", "WebAuthn Device"),
}
STEP = 30


def path_of(device: str) -> str:
    """The kind of such devices."""
    return f"/authenticators/admin/{device}/"


def of(store: Store, user: Data | None, types: object = TYPES) -> list[tuple[str, Data]]:
    """The devices of a person, of some types, each with its type."""
    assert isinstance(types, (list, tuple))
    if user is None:
        return []
    return [
        (device, row)
        for device in TYPES
        if device in types
        for row in store.all(path_of(device))
        if row["_user"] == user["pk"]
    ]


def add(store: Store, device: str, user: Data, name: str, **secret: Any) -> Data:
    """Somebody has set one up; `secret` are its hidden fields."""
    pk = store.next_int(path_of(device))
    row = {
        "pk": pk,
        "name": name,
        "user": user["pk"],
        "_user": user["pk"],
        "_created": crypto.now(),
        "_last_used": None,
        **({"created_on": crypto.now(), "device_type": None, "aaguid": str(AAGUID)} if device == "webauthn" else {}),
        **({"token_set": []} if device == "static" else {}),
        **{f"_{each}": value for each, value in secret.items()},
    }  # fmt: skip
    store.insert(path_of(device), pk, row)
    return row


AAGUID = "00000000-0000-0000-0000-000000000000"


def used(store: Store, device: str, row: Data, **changes: Any) -> None:
    """A device has been used."""
    store.replace(path_of(device), row["pk"], {**row, "_last_used": crypto.now(), **changes})


def credential(row: Data) -> Credential:
    """The security key of a device."""
    return Credential(row["_id"], row["_x"], row["_y"])


def new_seed() -> str:
    """The secret of an authenticator app, as its address shows it."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def totp(seed: str, digits: int = 6, at: float | None = None) -> str:
    """The code of an authenticator app (RFC 6238) at a time."""
    counter = int((time.time() if at is None else at) // STEP)
    digest = hmac.digest(base64.b32decode(seed), struct.pack(">Q", counter), "sha1")
    start = digest[-1] & 15
    number = struct.unpack(">I", digest[start : start + 4])[0] & 0x7FFFFFFF
    return str(number % 10**digits).zfill(digits)


def takes(row: Data, code: str) -> bool:
    """Whether a code is that of an authenticator app now, or was a moment ago; each is good once."""
    now = time.time()
    good = {totp(row["_seed"], row["_digits"], now + drift * STEP) for drift in (-1, 0, 1)}
    return code in good and code != row.get("_spent")
