"""A way to what only a box itself reaches, over connections of ssh that are allowed to run a command there.

The box's sshd forwards to authentik and Nginx Proxy Manager alone, so each connection is one `ssh` whose command there
copies between its standard streams and the address.
"""

from __future__ import annotations

import contextlib
import shlex
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx

_THERE = """
import os, socket, sys, threading
there = socket.create_connection((sys.argv[1], int(sys.argv[2])), 30)
there.settimeout(None)
def up():
    while data := os.read(0, 65536):
        there.sendall(data)
    there.shutdown(socket.SHUT_WR)
threading.Thread(target=up, daemon=True).start()
while data := there.recv(65536):
    os.write(1, data)
"""


class Plainly(httpx.BaseTransport):
    """Sends every request to one socket, without TLS, whatever its URL says: what is behind is the server itself."""

    def __init__(self, path: Path) -> None:
        self._inner = httpx.HTTPTransport(uds=str(path))

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """One request."""
        sent = httpx.Request(
            request.method,
            request.url.copy_with(scheme="http", port=None),
            headers=request.headers,
            stream=request.stream,
            extensions=request.extensions,
        )
        return self._inner.handle_request(sent)

    def close(self) -> None:
        """End the connections."""
        self._inner.close()


@contextlib.contextmanager
def relay(command: Callable[[str], list[str]], host: str, port: int) -> Iterator[Path]:
    """A Unix socket of this user's alone that leads to an address of the box, for as long as the block runs.

    `command` makes the `ssh` command line of one that is to run on the box.
    """
    with (
        tempfile.TemporaryDirectory(prefix="gatehouse-") as folder,
        socket.socket(socket.AF_UNIX) as listener,
    ):
        path = Path(folder) / "relay"
        listener.bind(str(path))
        listener.listen(16)
        started: list[subprocess.Popen[bytes]] = []
        there = f"python3 -c {shlex.quote(_THERE)} {shlex.quote(host)} {port}"
        threading.Thread(target=_accept, args=(listener, command(there), started), daemon=True).start()
        try:
            yield path
        finally:
            for process in started:
                process.kill()
                process.wait()


def _accept(listener: socket.socket, argv: list[str], started: list[subprocess.Popen[bytes]]) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:  # closed: nobody asks any more
            return
        with connection:
            # ssh itself copies: the socket is both of its streams, and ends with it.
            both = connection.fileno()
            started.append(subprocess.Popen(argv, stdin=both, stdout=both, stderr=subprocess.DEVNULL))
