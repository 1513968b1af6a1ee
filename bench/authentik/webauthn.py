"""WebAuthn, the server's side: what is asked of a security key, and whether its answer is good.

Attestation is not looked at: authentik asks for none unless a stage restricts the types of keys.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from bench import cbor
from bench.authentik.store import Data

ALGORITHMS = [-7, -8, -36, -37, -38, -39, -257, -258, -259]
TIMEOUT = 60_000
PRESENT, VERIFIED = 0x01, 0x04


class RefusedError(Exception):
    """The key's answer is not good; the text is authentik's."""


@dataclass(frozen=True)
class Credential:
    """What is kept of a key."""

    id: str
    x: str
    y: str


def new_challenge() -> str:
    """A number that is used once."""
    return text_of(secrets.token_bytes(32))


def registration(stage: Data, user: Data, origin: str, challenge: str, known: list[str]) -> dict[str, Any]:
    """What a new key is asked; `known` are those that the person has already."""
    required = stage.get("resident_key_requirement") or "preferred"
    chosen = {
        "residentKey": required,
        "requireResidentKey": required == "required",
        "userVerification": stage.get("user_verification") or "preferred",
    }
    if stage.get("authenticator_attachment"):
        chosen["authenticatorAttachment"] = stage["authenticator_attachment"]
    return {
        "rp": {"name": "authentik", "id": urlsplit(origin).hostname},
        "user": {
            "id": text_of(str(user["uuid"]).encode()),
            "name": user["username"],
            "displayName": user["name"] or user["username"],
        },
        "challenge": challenge,
        "pubKeyCredParams": [{"type": "public-key", "alg": each} for each in ALGORITHMS],
        "timeout": TIMEOUT,
        "excludeCredentials": [{"id": each, "type": "public-key"} for each in known],
        "authenticatorSelection": chosen,
        "attestation": "none",
    }


def assertion(origin: str, challenge: str, known: list[str], verification: str) -> dict[str, Any]:
    """What a key that somebody has is asked."""
    return {
        "challenge": challenge,
        "timeout": TIMEOUT,
        "rpId": urlsplit(origin).hostname,
        "allowCredentials": [{"id": each, "type": "public-key"} for each in known],
        "userVerification": verification,
    }


def registered(answer: Mapping[str, Any], origin: str, challenge: str, verification: str) -> Credential:
    """The key in an answer. Raises RefusedError."""
    response = answer.get("response") or {}
    try:
        said(response, "webauthn.create", origin, challenge)
        whole, _ = cbor.decoded(bytes_of(response["attestationObject"]))
        data = whole["authData"]
        proven(data, origin, verification)
        length = int.from_bytes(data[53:55])
        cose, _ = cbor.decoded(data[55 + length :])
        if cose[3] != -7:
            raise RefusedError("Registration failed. Error: the bench knows ES256 only")
        return Credential(text_of(data[55 : 55 + length]), text_of(cose[-2]), text_of(cose[-3]))
    except RefusedError as error:
        raise RefusedError(f"Registration failed. Error: {error}") from None
    except (KeyError, ValueError, TypeError) as error:
        raise RefusedError(f"Registration failed. Error: {error}") from None


def check(answer: Mapping[str, Any], key: Credential, origin: str, challenge: str, verification: str) -> None:
    """Whether the key has signed this challenge. Raises RefusedError."""
    response = answer.get("response") or {}
    try:
        client = said(response, "webauthn.get", origin, challenge)
        data = bytes_of(response["authenticatorData"])
        proven(data, origin, verification)
        numbers = ec.EllipticCurvePublicNumbers(
            int.from_bytes(bytes_of(key.x)), int.from_bytes(bytes_of(key.y)), ec.SECP256R1()
        )
        signed = data + hashlib.sha256(client).digest()
        numbers.public_key().verify(bytes_of(response["signature"]), signed, ec.ECDSA(hashes.SHA256()))
    except (RefusedError, InvalidSignature, KeyError, ValueError, TypeError):
        raise RefusedError("Assertion failed") from None


def said(response: Mapping[str, Any], verb: str, origin: str, challenge: str) -> bytes:
    """What the browser says of the request, checked."""
    client = bytes_of(response["clientDataJSON"])
    told = json.loads(client)
    if told.get("type") != verb:
        raise RefusedError(f'Unexpected client data type "{told.get("type")}", expected "{verb}"')
    if told.get("challenge") != challenge:
        raise RefusedError("Client data challenge was not expected challenge")
    if told.get("origin") != origin:
        raise RefusedError(f'Unexpected client data origin "{told.get("origin")}", expected "{origin}"')
    return client


def proven(data: bytes, origin: str, verification: str) -> None:
    """Whether the key is of this site, somebody was there, and (where required) who."""
    if data[:32] != hashlib.sha256(str(urlsplit(origin).hostname).encode()).digest():
        raise RefusedError("Unexpected RP ID hash")
    if not data[32] & PRESENT:
        raise RefusedError("User was not present during authentication")
    if verification == "required" and not data[32] & VERIFIED:
        raise RefusedError("User verification is required but user was not verified during authentication")


def text_of(data: bytes) -> str:
    """Base64 as the web writes it."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def bytes_of(text: object) -> bytes:
    """Its bytes."""
    return base64.urlsafe_b64decode(str(text) + "=" * (-len(str(text)) % 4))
