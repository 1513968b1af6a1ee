"""The emulator and its nginx as a test uses them: hosts are created through the API and looked at from
outside.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from bench.npm.testing import ADMIN_EMAIL, ADMIN_PASSWORD, Served

TOLD = (
    "strict-transport-security",
    "x-frame-options",
    "x-content-type-options",
    "referrer-policy",
    "content-security-policy",
    "x-served-by",
    "x-powered-by",
)


class Proxy:
    """The emulator with one uploaded certificate, seen from outside and through its API."""

    def __init__(self, served: Served, upstream: int, wildcard: tuple[str, str]) -> None:
        self.served = served
        self.upstream = upstream
        self.api = httpx.Client(base_url=f"{served.url}/api", timeout=30)
        login = self.api.post("/tokens", json={"identity": ADMIN_EMAIL, "secret": ADMIN_PASSWORD}).json()
        self.api.headers["authorization"] = f"Bearer {login['token']}"
        self.certificate = self.ask("POST", "/nginx/certificates", provider="other", nice_name="w")["id"]
        files = {"certificate": ("c.pem", wildcard[0]), "certificate_key": ("k.pem", wildcard[1])}
        self.api.post(f"/nginx/certificates/{self.certificate}/upload", files=files).raise_for_status()

    def ask(self, method: str, path: str, **body: Any) -> Any:
        """One request that must succeed."""
        answer = self.api.request(method, path, json=body or None)
        answer.raise_for_status()
        return answer.json()

    def write(self, method: str, path: str, **body: Any) -> Any:
        """One that makes nginx reload: wait until the old worker takes no more connections."""
        before = self._workers()
        told = self.ask(method, path, **body)
        until = time.monotonic() + 0.5
        while before & self._workers() and time.monotonic() < until:
            time.sleep(0.01)
        return told

    def _workers(self) -> set[str]:
        process = self.served.emulator.manager.nginx._process
        assert process
        return set(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split())

    def host(self, name: str, **fields: Any) -> int:
        """Create a proxy host with TLS and be sure that nginx took it."""
        body = {
            "domain_names": [name],
            "forward_scheme": "http",
            "forward_host": "127.0.0.1",
            "forward_port": self.upstream,
            "certificate_id": self.certificate,
            "ssl_forced": True,
            **fields,
        }
        made = self.write("POST", "/nginx/proxy-hosts", **body)["id"]
        meta = self.api.get(f"/nginx/proxy-hosts/{made}").json()["meta"]
        assert meta == {"nginx_online": True, "nginx_err": None}
        return int(made)

    def get(
        self, host: str, path: str = "/", *, tls: bool = True, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        """One request on a new connection."""
        scheme, port = ("https", self.served.https) if tls else ("http", self.served.http)
        with httpx.Client(verify=False, trust_env=False) as client:
            return client.get(
                f"{scheme}://127.0.0.1:{port}{path}",
                headers={"Host": host, **(headers or {})},
                extensions={"sni_hostname": host},
            )


def soon(check: Callable[[], object], seconds: float = 5) -> None:
    """Wait until a check holds: nginx changes workers a moment after a reload was asked for."""
    until = time.monotonic() + seconds
    while True:
        try:
            check()
            return
        except (AssertionError, httpx.HTTPError):
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def closed(proxy: Proxy, host: str, *, tls: bool = True) -> None:
    """Check that a host is not answered: its handshake is refused, or the connection is closed."""
    try:
        status = proxy.get(host, tls=tls).status_code
    except (httpx.ConnectError, httpx.RemoteProtocolError):
        return
    raise AssertionError(f"{host} answers {status}")


def told(response: httpx.Response) -> dict[str, list[str]]:
    """The headers that the recordings note."""
    return {name: response.headers.get_list(name) for name in TOLD if name in response.headers}


def answered(response: httpx.Response, status: int) -> None:
    """Check a status."""
    assert response.status_code == status
