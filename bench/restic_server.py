"""A place for backups: restic's REST protocol over TLS, `python -m bench.restic_server FOLDER [--port …]`.

Behaves as restic's own rest-server (restic's documentation describes the protocol, "REST Backend"): one repository a
folder below FOLDER, a user and a password for all of them. With `--append-only` nothing but locks is deleted, and
nothing is written twice.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import json
import re
import ssl
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from bench import ca
from bench.machine.network import GATEWAY

PORT = 8443
TYPES = ("data", "index", "keys", "locks", "snapshots")
_PATH = re.compile(
    rf"/(?P<repository>[\w-]+)/((?P<config>config)|(?P<type>{'|'.join(TYPES)})/(?P<name>\w*))?"
)
_LIST = "application/vnd.x.restic.rest.v2"


class Server(ThreadingHTTPServer):
    """The server, with what its handlers need to know."""

    daemon_threads = True

    def __init__(self, folder: Path, port: int, login: str, *, append_only: bool) -> None:
        super().__init__((GATEWAY, port), Handler)
        self.folder, self.login, self.append_only = folder, login, append_only
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*ca.issue([GATEWAY]))
        self.socket = context.wrap_socket(self.socket, server_side=True)


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: Server

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        wanted = "Basic " + base64.b64encode(self.server.login.encode()).decode()
        if not hmac.compare_digest(self.headers.get("Authorization") or "", wanted):
            self._send(401)
            return
        found = _PATH.fullmatch(urlsplit(self.path).path)
        if not found:
            self._send(404)
            return
        place = self.server.folder / found["repository"]
        if found["type"] and not found["name"]:
            self._list(place / found["type"])
        elif found["config"] or found["type"]:
            self._file(place / (found["config"] or f"{found['type']}/{found['name']}"), body)
        elif self.command == "POST" and "create=true" in self.path:
            for each in TYPES:
                (place / each).mkdir(parents=True, exist_ok=True)
            self._send(200)
        else:
            self._send(405)

    def __getattr__(self, name: str) -> Callable[[], None]:
        # The base class looks for do_GET, do_POST and so on: all methods are answered in one place.
        if name.startswith("do_"):
            return self._answer
        raise AttributeError(name)

    def _list(self, folder: Path) -> None:
        if not folder.exists():
            self._send(404)
            return
        found = [{"name": each.name, "size": each.stat().st_size} for each in sorted(folder.iterdir())]
        self._send(200, json.dumps(found).encode(), _LIST)

    def _file(self, path: Path, body: bytes) -> None:
        is_lock = path.parent.name == "locks"
        if self.command == "POST":
            if path.exists() and self.server.append_only:
                self._send(403)
                return
            new = path.with_suffix(".new")
            new.write_bytes(body)
            new.rename(path)
            self._send(200)
        elif not path.exists():
            self._send(404)
        elif self.command == "DELETE":
            if self.server.append_only and not is_lock:
                self._send(403)
                return
            path.unlink()
            self._send(200)
        else:
            data = path.read_bytes()
            wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range") or "")
            if wanted:
                end = int(wanted[2]) + 1 if wanted[2] else len(data)
                self._send(206, data[int(wanted[1]) : end])
            else:
                self._send(200, data)

    def _send(self, status: int, body: bytes = b"", kind: str = "application/octet-stream") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    log_message: Callable[..., None] = lambda *_: None


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--login", default="acme:only for tests", help="user:password")
    parser.add_argument("--append-only", action="store_true")
    given = parser.parse_args()
    Server(given.folder, given.port, given.login, append_only=given.append_only).serve_forever()


if __name__ == "__main__":
    main()
