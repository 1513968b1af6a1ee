"""Keys, certificates and times of the emulator."""

from __future__ import annotations

import secrets
import string
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

LETTERS = string.ascii_letters + string.digits


def random_text(length: int) -> str:
    """Letters and digits, as authentik makes keys of them."""
    return "".join(secrets.choice(LETTERS) for _ in range(length))


def now() -> str:
    """The current time as the API writes it."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def later(**span: float) -> str:
    """A time from now on, as the API writes it."""
    moment = datetime.now(UTC) + timedelta(**span)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def key_type(key: object) -> str:
    """authentik's word for the algorithm of a key."""
    for kind, word in (
        (rsa.RSAPublicKey, "rsa"),
        (ec.EllipticCurvePublicKey, "ec"),
        (ed25519.Ed25519PublicKey, "ed25519"),
    ):
        if isinstance(key, kind):
            return word
    return "dsa"


def details(certificate_data: str, key_data: str) -> dict[str, Any]:
    """The read-only fields that a certificate's object shows."""
    certificate = x509.load_pem_x509_certificate(certificate_data.encode())
    names = reversed(list(certificate.subject))
    return {
        "fingerprint_sha256": certificate.fingerprint(hashes.SHA256()).hex(":"),
        "fingerprint_sha1": certificate.fingerprint(hashes.SHA1()).hex(":"),  # noqa: S303 (what the API shows)
        "cert_expiry": certificate.not_valid_after_utc.isoformat().replace("+00:00", "Z"),
        "cert_subject": ",".join(name.rfc4514_string() for name in names),
        "private_key_available": bool(key_data),
        "key_type": key_type(certificate.public_key()),
        "private_key_type": key_type(load_pem_private_key(key_data.encode(), None).public_key())
        if key_data
        else None,
    }


def self_signed(
    common_name: str, days: int, algorithm: str, version: str, alternatives: list[str]
) -> tuple[str, str]:
    """A new self-signed certificate and its key, both in PEM."""
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
    if algorithm == "ecdsa":
        key = ec.generate_private_key(ec.SECP256R1())
    elif algorithm == "ed25519":
        key = ed25519.Ed25519PrivateKey.generate()
    else:
        # authentik makes 4096 bits; half of that is made in a tenth of the time and serves the same tests.
        key = rsa.generate_private_key(65537, 2048)
    start = datetime.now(UTC)
    names = [
        x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "authentik"),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Self-signed"),
    ]
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name(names))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"authentik {version}")]))
        .not_valid_before(start - timedelta(days=1))
        .not_valid_after(start + timedelta(days=days))
        .serial_number(x509.random_serial_number())
        .public_key(key.public_key())
    )
    if alternatives:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in alternatives]), critical=True
        )
    certificate = builder.sign(key, None if algorithm == "ed25519" else hashes.SHA256())
    return (
        certificate.public_bytes(Encoding.PEM).decode(),
        key.private_bytes(
            Encoding.PEM,
            PrivateFormat.TraditionalOpenSSL if algorithm != "ed25519" else PrivateFormat.PKCS8,
            NoEncryption(),
        ).decode(),
    )
