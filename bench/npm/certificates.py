"""Certificates: those that are uploaded and those that certbot gets."""

from __future__ import annotations

import uuid
from datetime import UTC

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import NameOID

from bench.npm.auth import Caller
from bench.npm.errors import ApiError, internal, invalid, missing
from bench.npm.manager import Manager, shown_relation
from bench.npm.store import Row, now, public

RELATIONS = {"owner", "proxy_hosts", "redirection_hosts", "dead_hosts", "streams"}

DNS_PROVIDERS: list[Row] = [
    {
        "id": "cloudflare",
        "name": "Cloudflare",
        "credentials": "# Cloudflare API token\ndns_cloudflare_api_token="
        + "0123456789abcdef" * 2
        + "01234567",
    }
]
"""The one of the real one's many that the bench stands in for."""


def find(manager: Manager, caller: Caller, number: int) -> Row:
    """The row; 404 with the id if it is not there or not theirs."""
    row = manager.store.get("certificate", number)
    if row is None or not caller.sees(row):
        raise missing(number)
    return row


def shown(manager: Manager, row: Row, expand: set[str]) -> Row:
    """The row as GET shows it: an uploaded one with its private key, one of Let's Encrypt without
    credentials.
    """
    if expand - RELATIONS:
        raise internal()
    told = public(row)
    told["meta"] = {key: value for key, value in row["meta"].items() if key != "dns_provider_credentials"}
    if "owner" in expand:
        owner = manager.store.get("user", row["owner_user_id"])
        told["owner"] = public(owner) if owner else None
    if "proxy_hosts" in expand:
        hosts = manager.store.all("proxy_host")
        told["proxy_hosts"] = [shown_relation(one) for one in hosts if one["certificate_id"] == row["id"]]
    return told | {key: [] for key in expand & {"redirection_hosts", "dead_hosts", "streams"}}


def create(manager: Manager, caller: Caller, body: Row) -> Row:
    """POST. No domain and no name needs to be unique."""
    if body["provider"] == "letsencrypt":
        if "domain_names" not in body:
            raise internal(stack=["TypeError: Cannot read properties of undefined (reading 'join')"])
        return request(manager, caller, body["domain_names"], body.get("meta", {}), body.get("nice_name"))
    return public(
        manager.store.insert(
            "certificate",
            {
                "owner_user_id": caller.user["id"],
                "provider": "other",
                "nice_name": body.get("nice_name", ""),
                "domain_names": sorted(body.get("domain_names", [])),
                "expires_on": now(),
                "meta": body.get("meta", {}),
            },
        )
    )


def request(manager: Manager, caller: Caller, domains: list[str], meta: Row, name: str | None = None) -> Row:
    """Let certbot get a certificate.

    Hosts that answer to one of the domains go off while it runs and come back without TLS, whether it
    works or not. A certificate that could not be had leaves no row.
    """
    provider = meta.get("dns_provider")
    if meta.get("dns_challenge") and provider not in [one["id"] for one in DNS_PROVIDERS]:
        raise missing(provider)
    known = {"dns_challenge", "dns_provider", "dns_provider_credentials", "propagation_seconds", "key_type"}
    row = manager.store.insert(
        "certificate",
        {
            "owner_user_id": caller.user["id"],
            "provider": "letsencrypt",
            "nice_name": name or ", ".join(domains),
            "domain_names": sorted(domains),
            "expires_on": now(),
            "meta": {key: value for key, value in meta.items() if key in known},
        },
    )
    touched = [host for host in manager.using(domains) if host["enabled"]]
    for host in touched:
        manager.layout.host_conf(host["id"]).unlink(missing_ok=True)
    manager.reload()
    try:
        manager.certbot.obtain(row, caller.user["email"])
    except ApiError:
        manager.store.remove("certificate", row["id"])
        manager.certbot.forget(row["id"])
        raise
    finally:
        manager.rewrite_bare(touched)
        manager.reload()
    chain, _ = manager.layout.certificate(row["id"], "letsencrypt")
    facts = read(chain.read_text())
    row = manager.store.patch("certificate", row["id"], expires_on=_expiry(chain.read_text()))
    told = shown(manager, row, set())
    return {**told, "meta": {**told["meta"], "letsencrypt_certificate": facts}}


def renew(manager: Manager, caller: Caller, number: int) -> Row:
    """POST …/renew."""
    row = find(manager, caller, number)
    if row["provider"] != "letsencrypt":
        raise invalid("Only Let'sEncrypt certificates can be renewed")
    manager.certbot.obtain(row, caller.user["email"])
    manager.reload()
    chain, _ = manager.layout.certificate(number, "letsencrypt")
    row = manager.store.patch("certificate", number, expires_on=_expiry(chain.read_text()))
    told = shown_relation(row)
    assert told is not None
    return told


def remove(manager: Manager, caller: Caller, number: int) -> bool:
    """DELETE: hosts that use it keep its number, and the files of a Let's Encrypt one are gone at once."""
    row = find(manager, caller, number)
    manager.store.remove("certificate", number)
    if row["provider"] == "letsencrypt":
        manager.certbot.forget(number)
    return True


def validate(certificate: str, key: str | None) -> Row:
    """POST …/validate, and the first half of an upload. Whether the two belong together is not asked."""
    facts = read(certificate)
    if key is not None:
        try:
            load_pem_private_key(key.encode(), password=None)
        except (ValueError, TypeError) as wrong:
            raise invalid(f"Certificate Key is not valid ({wrong})") from wrong
    return {"certificate": facts, **({"certificate_key": True} if key is not None else {})}


def upload(manager: Manager, caller: Caller, number: int, files: dict[str, str]) -> Row:
    """POST …/upload: checks, stores (the private key too) and lays down the files."""
    row = find(manager, caller, number)
    if row["provider"] != "other":
        raise invalid("Cannot upload certificates for this type of provider")
    validate(files["certificate"], files.get("certificate_key"))
    facts = read(files["certificate"])
    meta = {**row["meta"], **files}
    manager.store.patch(
        "certificate",
        number,
        meta=meta,
        domain_names=[facts["cn"]],
        expires_on=_expiry(files["certificate"]),
    )
    chain, key = manager.layout.certificate(number, "other")
    chain.parent.mkdir(mode=0o700, exist_ok=True)
    key.touch(mode=0o600)
    chain.write_text(files["certificate"] + "\n" + files.get("intermediate_certificate", ""))
    key.write_text(meta.get("certificate_key", ""))
    return files


def read(pem: str) -> Row:
    """Name, issuer and dates of a certificate; 400 if it is none."""
    certificate = _load(pem)
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    issuer = certificate.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    return {
        "cn": str(names[0].value) if names else "",
        "issuer": f"CN = {issuer[0].value!s}" if issuer else "",
        "dates": {
            "from": int(certificate.not_valid_before_utc.timestamp()),
            "to": int(certificate.not_valid_after_utc.timestamp()),
        },
    }


def _expiry(pem: str) -> str:
    return _load(pem).not_valid_after_utc.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _load(pem: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError as wrong:
        where = f"/var/tmp/{uuid.uuid4()}"  # noqa: S108  (words of openssl, nothing is written there)
        said = f"Could not read certificate from {where}\nUnable to load certificate\n"
        message = f"Certificate is not valid ({said})"
        cause = {
            "code": 1,
            "killed": False,
            "signal": None,
            "cmd": f"openssl x509 -in {where} -subject -noout",
        }
        raise ApiError(
            400,
            message,
            stack=f"Error: {message}".split("\n"),
            previous={"name": "Error", "previous": cause, "message": said, "code": 1, "public": False},
        ) from wrong
