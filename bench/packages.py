"""A small caching proxy for Debian packages: the only way from a box of the bench to the outside.

It speaks only to the machine's own Debian archives (`bench.sources.allowed_hosts`) and keeps `.deb` files, whose names
never change their contents, in the bench's cache. Its upstream connections honour the machine's own proxy and
certificate environment (httpx does).
"""

from __future__ import annotations

import hashlib
import os
import select
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from bench.paths import CACHE
from bench.sources import allowed_hosts

PASSED_ON = ("content-length", "last-modified", "etag", "content-type", "content-range", "accept-ranges")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def do_GET(self) -> None:
        self._fetch()

    def do_HEAD(self) -> None:
        self._fetch()

    def do_CONNECT(self) -> None:
        """A tunnel for archives whose address is https: allowed to port 443 of an allowed host only."""
        host, _, port = self.path.partition(":")
        if host not in self.server.hosts or port != "443":
            self.send_error(403, f"not one of this machine's Debian archives: {self.path}")
            return
        with socket.create_connection((host, 443), timeout=60) as upstream:
            self.send_response(200)
            self.end_headers()
            self._pump(upstream)
        self.close_connection = True

    def _pump(self, upstream: socket.socket) -> None:
        ends = {self.connection: upstream, upstream: self.connection}
        while ready := select.select(list(ends), [], [], 120)[0]:
            for end in ready:
                data = end.recv(65536)
                if not data:
                    return
                ends[end].sendall(data)

    def _fetch(self) -> None:
        url = urlsplit(self.path)
        if url.hostname not in self.server.hosts:
            self.send_error(403, f"not one of this machine's Debian archives: {url.hostname}")
            return
        kept = self.server.kept(self.path) if url.path.endswith(".deb") else None
        if kept and kept.exists():
            self._send_file(kept)
            return
        headers = {k: v for k in ("If-Modified-Since", "Range", "If-Range") if (v := self.headers.get(k))}
        headers["Accept-Encoding"] = "identity"
        try:
            with self.server.upstream.stream(self.command, self.path, headers=headers) as reply:
                self._pass_on(reply, kept)
        except httpx.HTTPError as error:
            self.send_error(502, f"{url.hostname}: {error}")

    def _pass_on(self, reply: httpx.Response, kept: Path | None) -> None:
        self.send_response(reply.status_code)
        for name in PASSED_ON:
            if name in reply.headers:
                self.send_header(name.title(), reply.headers[name])
        if "content-length" not in reply.headers:
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        keep = kept if reply.status_code == 200 and self.command == "GET" else None
        try:
            with _kept_file(keep) as write:
                for block in reply.iter_raw():
                    self.wfile.write(block)
                    write(block)
        except httpx.HTTPError:
            self.close_connection = (
                True  # too late for an error: apt sees a body that ends early, and tries again
            )

    def _send_file(self, path: Path) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(path.stat().st_size))
        self.end_headers()
        if self.command == "GET":
            with path.open("rb") as file:
                self.connection.sendfile(file)

    def log_message(self, *_: object) -> None:
        """Say nothing: apt tells its user what failed."""


@contextmanager
def _kept_file(path: Path | None) -> Iterator[Callable[[bytes], object]]:
    if path is None:
        yield lambda _block: None
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            yield file.write
            file.flush()
            Path(file.name).replace(path)
        finally:
            Path(file.name).unlink(missing_ok=True)


class Proxy(ThreadingHTTPServer):
    """The proxy as a server; `listener` may be a socket that was opened in another network namespace."""

    daemon_threads = True

    def __init__(self, listener: socket.socket | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=listener is None)
        if listener is not None:
            self.socket.close()
            self.socket = listener
        self.hosts = allowed_hosts()
        self.upstream = httpx.Client(timeout=120, follow_redirects=False)

    def kept(self, url: str) -> Path:
        """Where the file behind this address is kept."""
        return CACHE / "packages" / hashlib.sha256(url.encode()).hexdigest()


@contextmanager
def serving() -> Iterator[str]:
    """A proxy on loopback for as long as the block runs; yields its address."""
    proxy = Proxy()
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_address[1]}"
    finally:
        proxy.shutdown()
        proxy.server_close()


def main() -> None:
    """Serve the listening socket that the parent process passed on; GATEHOUSE_LISTENER is its file descriptor."""
    with socket.socket(fileno=int(os.environ["GATEHOUSE_LISTENER"])) as listener:
        listener.set_inheritable(False)
        Proxy(listener).serve_forever()


if __name__ == "__main__":
    main()
