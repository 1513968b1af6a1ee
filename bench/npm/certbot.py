"""What certbot with its Cloudflare plugin does for the real one, as far as a client can tell.

The credentials are parsed as certbot parses them; the token and the zone are checked against the
Cloudflare API that `cloudflare` names, where the challenge's TXT record is made and removed again. Then,
instead of Let's Encrypt, the bench's certificate authority signs. Nothing is validated over HTTP. Waiting
for DNS is shortened fiftyfold.
"""

from __future__ import annotations

import re
import shutil
import threading
import time
from pathlib import Path

import httpx

from bench import ca
from bench.npm.errors import ApiError, internal
from bench.npm.layout import Layout
from bench.npm.store import Row

WAITING = 0.02
"""Seconds that pass on the bench for each second of propagation."""

_HELP = (
    "Ask for help or search for solutions at https://community.letsencrypt.org."
    " See the logfile {log} or re-run Certbot with -v for more details."
)
_KEY = "dns_cloudflare_api_token"
_SAVING = "Error: Saving debug log to /data/logs/letsencrypt.log"
_NO_INTERNET = (
    "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='acme-v02.api.letsencrypt.org', port=443):"
    " Max retries exceeded with url: /directory"
    " (the bench has no certificate authority: set GATEHOUSE_BENCH_CA_CERT)"
)


class Certbot:
    """One certbot at a time: a second one fails, as the real one does."""

    def __init__(self, layout: Layout, *, authority: Path | None, cloudflare: str | None) -> None:
        self.layout = layout
        self.authority = authority
        self.cloudflare = cloudflare
        self._running = threading.Lock()

    def obtain(self, certificate: Row, email: str) -> None:
        """Get the certificate of a row and lay it below live/. Raises ApiError 500 with certbot's words."""
        number, meta = certificate["id"], certificate["meta"]
        command = _command(certificate, email)
        if not self._running.acquire(blocking=False):
            where = "/var/tmp/certbot-log/log"  # noqa: S108  (words of certbot, nothing is written there)
            raise _failure(["Error: Another instance of Certbot is already running."], command, log=where)
        try:
            if self.authority is None:
                raise _failure([_SAVING, "An unexpected error occurred:", _NO_INTERNET], command)
            if meta.get("dns_challenge"):
                self._prove(number, certificate["domain_names"], meta, command)
            self._sign(number, certificate["domain_names"], self.authority)
        finally:
            self._running.release()

    def forget(self, number: int) -> None:
        """Revoke and delete, as happens when the row is deleted."""
        chain, _ = self.layout.certificate(number, "letsencrypt")
        shutil.rmtree(chain.parent, ignore_errors=True)
        self.layout.credentials(number).unlink(missing_ok=True)

    def _sign(self, number: int, names: list[str], authority: Path) -> None:
        issued = ca.issue(names, authority.parent)
        chain, key = self.layout.certificate(number, "letsencrypt")
        chain.parent.mkdir(mode=0o700, exist_ok=True)
        for made, wanted in zip(issued, (chain, key), strict=True):
            wanted.touch(mode=0o600)
            wanted.write_bytes(made.read_bytes())

    def _prove(self, number: int, names: list[str], meta: Row, command: str) -> None:
        file = self.layout.credentials(number)
        file.touch(mode=0o600)
        file.write_text(meta.get("dns_provider_credentials", ""))
        token = _token(file.read_text(), number, command)
        if self.cloudflare is not None:
            with httpx.Client(
                base_url=self.cloudflare.rstrip("/"),
                headers={"Authorization": f"Bearer {token}"},
                timeout=30,
            ) as api:
                for name in names:
                    self._challenge(api, name.removeprefix("*."), command)
        time.sleep(min(meta.get("propagation_seconds", 10), 120) * WAITING)

    def _challenge(self, api: httpx.Client, name: str, command: str) -> None:
        zone = _zone(api, name, command)
        record = {"type": "TXT", "name": f"_acme-challenge.{name}", "content": "bench", "ttl": 120}
        made = api.post(f"/zones/{zone}/dns_records", json=record)
        if made.is_error:
            raise _failure(
                [_SAVING, f"Error communicating with the Cloudflare API: {_reason(made)}"], command
            )
        api.delete(f"/zones/{zone}/dns_records/{made.json()['result']['id']}")


def _token(credentials: str, number: int, command: str) -> str:
    file = f"/etc/letsencrypt/credentials/credentials-{number}"
    found = {}
    for at, line in enumerate(credentials.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        key, equals, value = line.partition("=")
        if not equals:
            what = f"Invalid line ({line!r}) (matched as neither section nor keyword) at line {at}."
            raise _failure([_SAVING, f"Error parsing credentials configuration '{file}': {what}"], command)
        found[key.strip()] = value.strip().strip("\"'")
    token = found.get(_KEY)
    if not token or not re.fullmatch(r"[A-Za-z0-9_-]+", token):
        what = f'Property "{_KEY}" not found (should be API token for Cloudflare account)'
        raise _failure(
            [_SAVING, f"Missing property in credentials configuration file {file}:", f" * {what}."], command
        )
    return token


def _zone(api: httpx.Client, name: str, command: str) -> str:
    labels = name.split(".")
    guesses = [".".join(labels[at:]) for at in range(len(labels))]
    for guess in guesses:
        try:
            answer = api.get("/zones", params={"name": guess, "per_page": 1})
        except httpx.HTTPError as broken:
            raise _failure([_SAVING, f"Error determining zone_id: {broken}"], command) from broken
        if answer.is_error:
            code = answer.json()["errors"][0]["code"]
            hint = (
                " Please confirm that you have supplied valid Cloudflare API credentials."
                " (Did you enter a valid Cloudflare Token?)"
            )
            raise _failure([_SAVING, f"Error determining zone_id: {code} {_reason(answer)}.{hint}"], command)
        if answer.json()["result"]:
            return str(answer.json()["result"][0]["id"])
    unknown = (
        f"Unable to determine zone_id for {name} using zone names: {guesses}. Please confirm that the domain"
        " name has been entered correctly and is already associated with the supplied Cloudflare account."
    )
    raise _failure([_SAVING, unknown], command)


def _reason(answer: httpx.Response) -> str:
    try:
        return f"Error code: {answer.status_code} - {answer.json()}"
    except ValueError:
        return f"Error code: {answer.status_code}"


def _command(certificate: Row, email: str) -> str:
    number, meta = certificate["id"], certificate["meta"]
    parts = [
        "certbot certonly -n --config /etc/letsencrypt.ini --work-dir /var/tmp/letsencrypt-lib",
        "--logs-dir /data/logs",
        f"--cert-name npm-{number} --agree-tos -m {email} --preferred-challenges dns",
        f"--domains {','.join(certificate['domain_names'])} --authenticator dns-cloudflare",
        f"--dns-cloudflare-credentials /etc/letsencrypt/credentials/credentials-{number}",
        f"--dns-cloudflare-propagation-seconds {meta.get('propagation_seconds', 10)}",
    ]
    if "key_type" in meta:
        parts.append(f"--key-type {meta['key_type']}")
    return " ".join(parts)


def _failure(stack: list[str], command: str, *, log: str = "/data/logs/letsencrypt.log") -> ApiError:
    previous = {"code": 1, "killed": False, "signal": None, "cmd": command}
    return internal(stack=[*stack, _HELP.format(log=log), ""], previous=previous)
