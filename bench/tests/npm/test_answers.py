"""What browsers get from the real nginx: headers of every recorded variant, and the recommended
configuration.
"""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from bench.tests.npm.conftest import needs_nginx
from bench.tests.npm.proxying import TOLD, Proxy, answered, soon, told
from bench.tests.npm.replay import RECORDINGS

pytestmark = [needs_nginx, pytest.mark.nginx]

RECOMMENDED = json.loads((RECORDINGS / "09-recommended" / "post.json").read_text())["request"]["body"]
SAFE = {
    "strict-transport-security": ["max-age=63072000; includeSubDomains"],
    "x-frame-options": ["SAMEORIGIN"],
    "x-content-type-options": ["nosniff"],
    "referrer-policy": ["strict-origin-when-cross-origin"],
}


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
        soon(lambda: answered(proxy.get(TestRecommended.HOST), 200))
        return number

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
        soon(lambda: answered(proxy.get("down.example.test"), 502))
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
        answered(proxy.get(self.HOST, "/authorize?redirect_uri=http://localhost/cb&next=/a/b"), 200)

    def test_large_headers_pass_both_ways(self, proxy: Proxy) -> None:
        assert len(proxy.get(self.HOST, "/large/31000").headers["x-large"]) == 31000
        answered(proxy.get(self.HOST, headers={"Cookie": "c=" + "x" * 31000}), 200)

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
        made = proxy.ask(
            "POST",
            "/nginx/access-lists",
            name="nobody",
            items=[],
            clients=[{"address": "192.0.2.1", "directive": "allow"}],
        )
        proxy.write("PUT", f"/nginx/proxy-hosts/{number}", access_list_id=made["id"])
        answered(proxy.get(self.HOST), 200)
        proxy.write("PUT", f"/nginx/proxy-hosts/{number}", access_list_id=0)
