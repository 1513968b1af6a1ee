"""The TLS front of the outside world: `python -m bench.registry [ADDRESS]`, on port 443 of the bench's gateway.

Under the names of the real registries it serves the bench's images (read only, without a login), under
api.cloudflare.com it passes on to the bench's Cloudflare, which containers on a box have to reach by that name.
"""

from __future__ import annotations

import json
import logging
import shutil
import ssl
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from bench import ca, images
from bench.images import store
from bench.rootfs import BuildError

REGISTRIES = {"registry-1.docker.io": "docker.io", "ghcr.io": "ghcr.io"}
CLOUDFLARE = "api.cloudflare.com"
NAMES = (*REGISTRIES, CLOUDFLARE)
"""Host names that the bench's DNS has to answer with the gateway's address."""
_UPSTREAM = "http://127.0.0.1:8102"
_OWN_HEADERS = ("connection", "transfer-encoding", "content-length", "date", "server")
log = logging.getLogger("bench.registry")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self) -> None:
        host = (self.headers.get("Host") or "").partition(":")[0]
        if host in REGISTRIES:
            self._registry(REGISTRIES[host])
        elif host == CLOUDFLARE:
            self._pass_on()
        else:
            self._json(404, {"detail": f"the bench has no {host}"})

    def __getattr__(self, name: str) -> Callable[[], None]:
        # The base class looks for do_HEAD, do_POST and so on: all methods are answered in one place.
        if name.startswith("do_"):
            return self.do_GET
        raise AttributeError(name)

    def _registry(self, registry: str) -> None:
        path = urlsplit(self.path).path.strip("/").split("/")
        if self.command not in ("GET", "HEAD"):
            self._refuse(405, "UNSUPPORTED", "the bench's registry is read only")
        elif path == ["v2"]:
            self._json(200, {})
        elif len(path) > 3 and path[0] == "v2" and path[-2] == "blobs":
            self._blob(path[-1], "application/octet-stream")
        elif len(path) > 3 and path[0] == "v2" and path[-2] == "manifests":
            name, reference = f"{registry}/{'/'.join(path[1:-2])}", path[-1]
            try:
                digest = reference if ":" in reference else images.find(name, reference, log.info)
            except BuildError as error:
                self._refuse(500, "UNKNOWN", str(error))
                return
            if digest:
                self._blob(digest, store.MANIFEST)
            else:
                self._refuse(404, "MANIFEST_UNKNOWN", f"the bench has no image {name}:{reference}")
        else:
            self._refuse(404, "NAME_UNKNOWN", f"the bench's registry has no {self.path}")

    def _blob(self, digest: str, kind: str) -> None:
        path = store.blob_path(digest)
        if path is None:
            self._refuse(404, "BLOB_UNKNOWN", f"the bench has no {digest}")
            return
        headers = {
            "Content-Length": str(path.stat().st_size),
            "Docker-Content-Digest": digest,
            "ETag": f'"{digest}"',
        }
        self._start(200, {"Content-Type": kind, **headers})
        if self.command == "GET":
            with path.open("rb") as file:
                shutil.copyfileobj(file, self.wfile, 1 << 20)

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {k: v for k, v in self.headers.items() if k.lower() not in _OWN_HEADERS}
        try:
            reply = httpx.request(
                self.command,
                _UPSTREAM + self.path,
                headers=headers,
                content=body,
                timeout=60,
                trust_env=False,
            )
        except httpx.HTTPError as error:
            self._json(502, {"detail": f"the bench's Cloudflare does not answer: {error}"})
            return
        kept = {
            k: v for k, v in reply.headers.items() if k.lower() not in (*_OWN_HEADERS, "content-encoding")
        }
        self._start(reply.status_code, {**kept, "Content-Length": str(len(reply.content))})
        self.wfile.write(reply.content)

    def _refuse(self, status: int, code: str, message: str) -> None:
        self._json(status, {"errors": [{"code": code, "message": message}]})

    def _json(self, status: int, body: object) -> None:
        data = json.dumps(body).encode()
        self._start(status, {"Content-Type": "application/json", "Content-Length": str(len(data))})
        if self.command != "HEAD":
            self.wfile.write(data)

    def _start(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Docker-Distribution-Api-Version": "registry/2.0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        log.info(format, *args)


class Front(ThreadingHTTPServer):
    """The server; TLS begins in each connection's own thread, so that a silent client holds up nobody."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], certificate: Path, key: Path) -> None:
        super().__init__(address, _Handler)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: object, client_address: object) -> None:
        del request
        log.info("%s: %s", client_address, sys.exc_info()[1])


def main() -> None:
    """Serve until a signal ends it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s", stream=sys.stderr)
    address = sys.argv[1] if len(sys.argv) > 1 else "203.0.113.1"
    Front((address, 443), *ca.issue(NAMES)).serve_forever()


if __name__ == "__main__":
    main()
