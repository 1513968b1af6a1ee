"""The bench's certificate authority: what a box, a registry and the stand-in for Let's Encrypt are trusted by.

It exists only in the bench's cache on this machine and is trusted only inside the bench: by its boxes, and by the
operator's side through SSL_CERT_FILE.
"""

from __future__ import annotations

import datetime
import ipaddress
import os
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bench.paths import CACHE, locked

DIRECTORY = CACHE / "ca"
_NAME = "gatehouse bench (trust nowhere else)"


def ensure(directory: Path = DIRECTORY) -> tuple[Path, Path]:
    """The authority's certificate and key files, made at first use; good for ten years."""
    cert, key = directory / "cert.pem", directory / "key.pem"
    with locked("ca"):
        if not cert.exists():
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            private = ec.generate_private_key(ec.SECP256R1())
            name = _name(_NAME)
            built = (
                _certificate(name, name, private.public_key(), days=3650)
                .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
                .add_extension(_usage(sign_certificates=True), critical=True)
                .sign(private, hashes.SHA256())
            )
            _write_private(key, private)
            cert.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    return cert, key


def issue(names: Iterable[str], directory: Path = DIRECTORY, days: int = 90) -> tuple[Path, Path]:
    """A certificate chain file and its key file for these host names or addresses, below `directory`/issued."""
    wanted = list(names)
    authority_file, authority_key_file = ensure(directory)
    authority = x509.load_pem_x509_certificate(authority_file.read_bytes())
    authority_key = serialization.load_pem_private_key(authority_key_file.read_bytes(), password=None)
    assert isinstance(authority_key, ec.EllipticCurvePrivateKey)
    private = ec.generate_private_key(ec.SECP256R1())
    built = (
        _certificate(_name(wanted[0]), authority.subject, private.public_key(), days)
        .add_extension(x509.SubjectAlternativeName([_alternative(n) for n in wanted]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    place = directory / "issued"
    place.mkdir(exist_ok=True, mode=0o700)
    stem = wanted[0].replace("*", "_")
    cert, key = place / f"{stem}.pem", place / f"{stem}.key"
    _write_private(key, private)
    cert.write_bytes(built.public_bytes(serialization.Encoding.PEM) + authority_file.read_bytes())
    return cert, key


def _certificate(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=days))
    )


def _usage(*, sign_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _write_private(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
