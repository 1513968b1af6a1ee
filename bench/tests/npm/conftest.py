"""What the tests of the emulator need around it: a web server to proxy to, a Cloudflare API, a
certificate.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.npm.nginx import Nginx
from bench.npm.testing import serve
from bench.tests.npm.proxying import Proxy

needs_nginx = pytest.mark.skipif(Nginx.find() is None, reason="no nginx on this machine")


class _Upstream(BaseHTTPRequestHandler):
    """Tells what it was asked, with the headers that authentik sends; has a missing page, a large header
    and a websocket.
    """

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self._websocket()
            return
        told = {"method": self.command, "path": self.path, "headers": list(self.headers.items())}
        data = json.dumps(told).encode()
        self.send_response(404 if self.path == "/missing" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Frame-Options", "DENY")
        self.send_header("Referrer-Policy", "same-origin")
        self.send_header("X-Powered-By", "authentik")
        if self.path.startswith("/large/"):
            self.send_header("X-Large", "x" * int(self.path.removeprefix("/large/")))
        self.end_headers()
        self.wfile.write(data)

    def _websocket(self) -> None:
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header(
            "Sec-WebSocket-Accept", base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        )
        self.end_headers()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Quiet."""


class _Cloudflare(BaseHTTPRequestHandler):
    """One token, one zone, as the recordings' Cloudflare."""

    def _answer(self, status: int, result: object, errors: object = (), **more: object) -> None:
        told = {"success": status == 200, "errors": errors, "messages": [], "result": result, **more}
        data = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self) -> None:
        if self.headers["Authorization"] != "Bearer GOOD-TOKEN":
            page = {"page": 1, "per_page": 20, "count": 1, "total_count": 1, "total_pages": 1}
            self._answer(403, None, [{"code": 9109, "message": "Invalid access token"}], result_info=page)
        else:
            self._answer(200, [{"id": "zone1"}] if "name=example.test" in self.path else [])

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(200, {"id": "record1"})

    def do_DELETE(self) -> None:
        self._answer(200, {"id": "record1"})

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    server: socketserver.BaseServer = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def upstream() -> Iterator[int]:
    """The port of a web server."""
    with _serving(_Upstream) as port:
        yield port


@pytest.fixture(scope="session")
def cloudflare() -> Iterator[str]:
    """The base URL of a Cloudflare API that knows GOOD-TOKEN and example.test."""
    with _serving(_Cloudflare) as port:
        yield f"http://127.0.0.1:{port}/client/v4"


@pytest.fixture(scope="session")
def wildcard() -> tuple[str, str]:
    """A self-signed certificate for *.example.test, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "*.example.test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("*.example.test")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode(), private.decode()


@pytest.fixture(scope="package")
def proxy(
    tmp_path_factory: pytest.TempPathFactory, upstream: int, wildcard: tuple[str, str]
) -> Iterator[Proxy]:
    """An emulator with a real nginx and one uploaded certificate."""
    with serve(tmp_path_factory.mktemp("npm")) as served:
        yield Proxy(served, upstream, wildcard)
