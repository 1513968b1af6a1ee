"""What browsers get from the real nginx: headers of every recorded variant, and the recommended configuration."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.npm.testing import ADMIN_EMAIL, ADMIN_PASSWORD, Served, serve
from tests.npm.conftest import needs_nginx
from tests.npm.replay import RECORDINGS

pytestmark = [needs_nginx, pytest.mark.nginx]

TOLD = (
    "strict-transport-security",
    "x-frame-options",
    "x-content-type-options",
    "referrer-policy",
    "content-security-policy",
    "x-served-by",
    "x-powered-by",
)
RECOMMENDED = json.loads((RECORDINGS / "09-recommended" / "post.json").read_text())["request"]["body"]
SAFE = {
    "strict-transport-security": ["max-age=63072000; includeSubDomains"],
    "x-frame-options": ["SAMEORIGIN"],
    "x-content-type-options": ["nosniff"],
    "referrer-policy": ["strict-origin-when-cross-origin"],
}


class Proxy:
    """The emulator with one uploaded certificate, seen from outside and through its API."""

    def __init__(self, served: Served, upstream: int, wildcard: tuple[str, str]) -> None:
        self.served = served
        self.upstream = upstream
        self.api = httpx.Client(base_url=f"{served.url}/api", timeout=30)
        login = self.api.post("/tokens", json={"identity": ADMIN_EMAIL, "secret": ADMIN_PASSWORD}).json()
        self.api.headers["authorization"] = f"Bearer {login['token']}"
        self.certificate = self.write("POST", "/nginx/certificates", provider="other", nice_name="w")["id"]
        files = {"certificate": ("c.pem", wildcard[0]), "certificate_key": ("k.pem", wildcard[1])}
        self.api.post(f"/nginx/certificates/{self.certificate}/upload", files=files).raise_for_status()

    def write(self, method: str, path: str, **body: Any) -> Any:
        """One write; if it makes nginx reload, wait until the old worker takes no more connections."""
        before = self._workers()
        answer = self.api.request(method, path, json=body or None)
        answer.raise_for_status()
        until = time.monotonic() + 0.5
        while before & self._workers() and time.monotonic() < until:
            time.sleep(0.01)
        return answer.json()

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


@pytest.fixture(scope="module")
def proxy(
    tmp_path_factory: pytest.TempPathFactory, upstream: int, wildcard: tuple[str, str]
) -> Iterator[Proxy]:
    with serve(tmp_path_factory.mktemp("npm")) as served:
        yield Proxy(served, upstream, wildcard)


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


def test_the_header_trap_is_the_recorded_one(proxy: Proxy) -> None:
    """Five requests to each of nine ways to set headers: what reaches the browser is what was recorded."""
    results = json.loads((RECORDINGS / "05-headers" / "results.json").read_text())
    number = proxy.host("hdr.example.test", http2_support=True)
    asked: dict[str, Callable[[], httpx.Response]] = {
        "https /": lambda: proxy.get("hdr.example.test"),
        "https 404": lambda: proxy.get("hdr.example.test", "/missing"),
        "https blocked-exploit 403": lambda: proxy.get("hdr.example.test", "/?next=/a/b"),
        "http redirect": lambda: proxy.get("hdr.example.test", tls=False),
        "https /a.css": lambda: proxy.get("hdr.example.test", "/a.css"),
    }
    for variant, answers in results.items():
        request = json.loads((RECORDINGS / "05-headers" / f"{variant}.json").read_text())["request"]
        body = {**request["body"], "certificate_id": proxy.certificate, "forward_port": proxy.upstream}
        body["locations"] = [{**one, "forward_port": proxy.upstream} for one in body["locations"]]
        proxy.write("PUT", f"/nginx/proxy-hosts/{number}", **body)

        def as_recorded(answers: dict[str, Any] = answers, variant: str = variant) -> None:
            for what, recorded in answers.items():
                response = asked[what]()
                assert str(response.status_code) in recorded["status"], (variant, what)
                wanted = {name: recorded[name] for name in TOLD if name in recorded}
                assert told(response) == wanted, (variant, what)

        soon(as_recorded)


class TestRecommended:
    """The configuration that gatehouse uses, on every kind of answer."""

    HOST = "rec.example.test"

    @pytest.fixture(scope="module", autouse=True)
    @staticmethod
    def number(proxy: Proxy) -> int:
        body = {
            **RECOMMENDED,
            "certificate_id": proxy.certificate,
            "forward_host": "127.0.0.1",
            "forward_port": proxy.upstream,
        }
        number = proxy.host(TestRecommended.HOST, **body)
        soon(lambda: TestRecommended._is(proxy.get(TestRecommended.HOST), 200))
        return number

    @staticmethod
    def _is(response: httpx.Response, status: int) -> None:
        assert response.status_code == status

    @pytest.mark.parametrize(
        ("path", "tls", "status"), [("/", True, 200), ("/missing", True, 404), ("/", False, 301)]
    )
    def test_headers_on_every_answer(self, proxy: Proxy, path: str, tls: bool, status: int) -> None:
        response = proxy.get(self.HOST, path, tls=tls)
        assert response.status_code == status
        found = told(response)
        assert found.pop("content-security-policy")[0].startswith("default-src 'self'")
        assert found == SAFE

    def test_headers_when_the_upstream_is_down(self, proxy: Proxy) -> None:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            port = closed.getsockname()[1]
        body = {
            **RECOMMENDED,
            "domain_names": ["down.example.test"],
            "certificate_id": proxy.certificate,
            "forward_host": "127.0.0.1",
            "forward_port": port,
        }
        proxy.host("down.example.test", **body)
        soon(lambda: self._is(proxy.get("down.example.test"), 502))
        found = told(proxy.get("down.example.test"))
        assert "content-security-policy" in found
        assert {name: found[name] for name in SAFE} == SAFE

    def test_forwarded_headers_cannot_be_spoofed(self, proxy: Proxy) -> None:
        lies = {
            "X-Forwarded-Proto": "http",
            "X-Forwarded-Host": "evil.example",
            "X-Forwarded-For": "6.6.6.6",
            "X-Forwarded-Port": "99",
            "X-Forwarded-Scheme": "http",
            "X-Real-IP": "6.6.6.6",
        }
        response = proxy.get(self.HOST, headers=lies)
        seen = {name.lower(): value for name, value in response.json()["headers"]}
        assert "x-forwarded-port" not in seen
        assert {name: seen[name] for name in seen if name.startswith(("x-", "host"))} == {
            "host": self.HOST,
            "x-forwarded-host": self.HOST,
            "x-forwarded-proto": "https",
            "x-forwarded-scheme": "https",
            "x-forwarded-for": "127.0.0.1",
            "x-real-ip": "127.0.0.1",
        }

    def test_a_redirect_uri_in_the_query_passes(self, proxy: Proxy) -> None:
        self._is(proxy.get(self.HOST, "/authorize?redirect_uri=http://localhost/cb&next=/a/b"), 200)

    def test_large_headers_pass_both_ways(self, proxy: Proxy) -> None:
        assert len(proxy.get(self.HOST, "/large/31000").headers["x-large"]) == 31000
        self._is(proxy.get(self.HOST, headers={"Cookie": "c=" + "x" * 31000}), 200)

    def test_websocket(self, proxy: Proxy) -> None:
        context = ssl._create_unverified_context()
        with (
            socket.create_connection(("127.0.0.1", proxy.served.https), 5) as plain,
            context.wrap_socket(plain, server_hostname=self.HOST) as connection,
        ):
            connection.sendall(
                f"GET /ws HTTP/1.1\r\nHost: {self.HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
            )
            answer = connection.recv(4096).decode()
        assert answer.startswith("HTTP/1.1 101")
        assert "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in answer  # RFC 6455, 1.3

    @pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")
    def test_http2(self, proxy: Proxy) -> None:
        port = proxy.served.https
        argv = [
            "curl",
            "-sk",
            "--http2",
            "-o",
            "-",
            "-w",
            "%{http_version}",
            "--noproxy",
            "*",
            "--resolve",
            f"{self.HOST}:{port}:127.0.0.1",
            f"https://{self.HOST}:{port}/",
        ]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=True)
        assert done.stdout.endswith("2")

    def test_an_own_location_ignores_the_access_list(self, proxy: Proxy, number: int) -> None:
        made = proxy.write(
            "POST",
            "/nginx/access-lists",
            name="nobody",
            items=[],
            clients=[{"address": "192.0.2.1", "directive": "allow"}],
        )
        proxy.write("PUT", f"/nginx/proxy-hosts/{number}", access_list_id=made["id"])
        self._is(proxy.get(self.HOST), 200)
        proxy.write("PUT", f"/nginx/proxy-hosts/{number}", access_list_id=0)


class TestHazards:
    """What goes wrong on the wire while the API says that all is well."""

    def test_a_certificate_request_takes_tls_from_a_host_until_it_is_written_again(
        self, proxy: Proxy
    ) -> None:
        name = "victim.example.test"
        number = proxy.host(name)
        soon(lambda: TestRecommended._is(proxy.get(name), 200))
        meta = {
            "dns_challenge": True,
            "dns_provider": "cloudflare",
            "propagation_seconds": 0,
            "dns_provider_credentials": "dns_cloudflare_api_token = TOKEN",
        }
        proxy.write("POST", "/nginx/certificates", provider="letsencrypt", domain_names=[name], meta=meta)
        soon(lambda: TestRecommended._is(proxy.get(name, tls=False), 200))
        soon(lambda: closed(proxy, name))
        row = proxy.api.get(f"/nginx/proxy-hosts/{number}").json()
        assert (row["certificate_id"], row["ssl_forced"], row["meta"]["nginx_online"]) == (
            proxy.certificate,
            True,
            True,
        )
        proxy.write("PUT", f"/nginx/proxy-hosts/{number}", enabled=True)
        soon(lambda: TestRecommended._is(proxy.get(name), 200))

    def test_deleting_an_access_list_opens_the_host_and_drops_tls(self, proxy: Proxy) -> None:
        name = "members.example.test"
        made = proxy.write(
            "POST",
            "/nginx/access-lists",
            name="members",
            clients=[],
            items=[{"username": "u", "password": "p"}],
        )
        proxy.host(name, access_list_id=made["id"])
        soon(lambda: TestRecommended._is(proxy.get(name), 401))
        TestRecommended._is(proxy.get(name, headers={"Authorization": "Basic dTpw"}), 200)
        TestRecommended._is(proxy.get(name, headers={"Authorization": "Basic dTpx"}), 401)
        proxy.write("DELETE", f"/nginx/access-lists/{made['id']}")
        soon(lambda: TestRecommended._is(proxy.get(name, tls=False), 200))
        soon(lambda: closed(proxy, name))

    def test_a_bad_put_is_a_200_and_takes_the_site_down(self, proxy: Proxy) -> None:
        name = "typo.example.test"
        number = proxy.host(name)
        soon(lambda: TestRecommended._is(proxy.get(name), 200))
        answer = proxy.write("PUT", f"/nginx/proxy-hosts/{number}", advanced_config="nonsense;")
        assert answer["meta"]["nginx_online"] is False
        assert 'unknown directive "nonsense"' in answer["meta"]["nginx_err"]
        soon(lambda: closed(proxy, name))
        proxy.write("PUT", f"/nginx/proxy-hosts/{number}", advanced_config="")
        soon(lambda: TestRecommended._is(proxy.get(name), 200))

    def test_enabled_false_does_not_take_a_site_down_and_disable_does(self, proxy: Proxy) -> None:
        name = "off.example.test"
        number = proxy.host(name)
        soon(lambda: TestRecommended._is(proxy.get(name), 200))
        proxy.write("PUT", f"/nginx/proxy-hosts/{number}", enabled=False)
        TestRecommended._is(proxy.get(name), 200)
        proxy.write("PUT", f"/nginx/proxy-hosts/{number}", enabled=True)
        proxy.write("POST", f"/nginx/proxy-hosts/{number}/disable")
        soon(lambda: closed(proxy, name))


def test_unknown_hosts(proxy: Proxy) -> None:
    """Over TLS the handshake is refused; over HTTP the default site decides."""
    closed(proxy, "unknown.example.test")
    proxy.write("PUT", "/settings/default-site", value="404")
    soon(lambda: TestRecommended._is(proxy.get("unknown.example.test", tls=False), 404))
    proxy.write("PUT", "/settings/default-site", value="444", meta={})
    soon(lambda: closed(proxy, "unknown.example.test", tls=False))


def test_a_restart_shows_the_same(tmp_path: Path, upstream: int, wildcard: tuple[str, str]) -> None:
    with serve(tmp_path) as served:
        first = Proxy(served, upstream, wildcard)
        number = first.host("kept.example.test")
        before = first.api.get(f"/nginx/proxy-hosts/{number}?expand=owner,certificate").json()
        token = first.api.headers["authorization"]
    later = {"INITIAL_ADMIN_EMAIL": "other@example.test", "INITIAL_ADMIN_PASSWORD": "other"}
    with serve(tmp_path, later, admin=False) as served:
        again = httpx.Client(base_url=f"{served.url}/api", headers={"authorization": token})
        assert again.get(f"/nginx/proxy-hosts/{number}?expand=owner,certificate").json() == before
        assert [user["email"] for user in again.get("/users").json()] == [ADMIN_EMAIL]
        TestRecommended._is(
            again.post("/tokens", json={"identity": "other@example.test", "secret": "other"}), 400
        )
