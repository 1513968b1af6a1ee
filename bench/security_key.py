"""A security key (a WebAuthn authenticator) made of software, with real keys and signatures; for tests.

It answers what a browser passes on: the options of a registration, or of an assertion.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from bench import cbor

PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


def b64(data: bytes) -> str:
    """Base64 as the web writes it."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def unb64(text: str) -> bytes:
    """Its bytes."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class SecurityKey:
    """A key that somebody holds. `verifies`: it asks for a PIN or fingerprint, and says so."""

    def __init__(self, *, verifies: bool = True) -> None:
        self.verifies = verifies
        self.credential = os.urandom(32)
        self.user = b""
        self.count = 0
        self._key = ec.generate_private_key(ec.SECP256R1())

    def register(self, options: dict[str, Any], origin: str) -> dict[str, Any]:
        """The answer to `navigator.credentials.create`."""
        self.user = unb64(options["user"]["id"])
        point = self._key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: point.x.to_bytes(32), -3: point.y.to_bytes(32)}
        attested = bytes(16) + len(self.credential).to_bytes(2) + self.credential + cbor.encoded(cose)
        data = self._data(options["rp"]["id"], ATTESTED) + attested
        attestation = cbor.encoded({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer(
            {"attestationObject": b64(attestation)}, self._client("create", options["challenge"], origin)
        )

    def assert_(self, options: dict[str, Any], origin: str) -> dict[str, Any]:
        """The answer to `navigator.credentials.get`."""
        data = self._data(options.get("rpId") or str(urlsplit(origin).hostname), 0)
        client = self._client("get", options["challenge"], origin)
        signature = self._key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        return self._answer(
            {"authenticatorData": b64(data), "signature": b64(signature), "userHandle": b64(self.user)},
            client,
        )

    def _data(self, party: str, flags: int) -> bytes:
        self.count += 1
        flags |= PRESENT | (VERIFIED if self.verifies else 0)
        return hashlib.sha256(party.encode()).digest() + bytes([flags]) + self.count.to_bytes(4)

    def _client(self, verb: str, challenge: str, origin: str) -> bytes:
        said = {"type": f"webauthn.{verb}", "challenge": challenge, "origin": origin, "crossOrigin": False}
        return json.dumps(said).encode()

    def _answer(self, response: dict[str, str], client: bytes) -> dict[str, Any]:
        own = b64(self.credential)
        return {
            "id": own,
            "rawId": own,
            "type": "public-key",
            "response": {"clientDataJSON": b64(client), **response},
        }
