"""How the docker stand-in reaches a daemon: a local socket, or `docker system dial-stdio` by ssh."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import docker
import requests

from bench.plugins.base import Failed

DEFAULT = "unix:///var/run/docker.sock"
API = "1.41"  # Docker 20.10, the oldest that the product's boxes run


def ssh_command(host: str, options: Sequence[str]) -> list[str]:
    """The command that the official plugin runs for ssh://[user@]host[:port]."""
    url = urlsplit(host)
    if not url.hostname:
        raise Failed(f"unable to parse docker host `{host}`")
    user = ["-l", url.username] if url.username else []
    port = ["-p", str(url.port)] if url.port else []
    end = ["-o", "ConnectTimeout=30", "-T", "--", url.hostname, "docker", "system", "dial-stdio"]
    return ["ssh", *user, *port, *options, *end]


class Tunnel:
    """A private unix socket each connection to which is one run of `command`, its stdin and stdout."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)
        self._folder = Path(tempfile.mkdtemp(prefix="gatehouse-docker-"))  # made 0700
        self.path = self._folder / "docker.sock"
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.path))
        self._listener.listen(32)
        self.failure = ""
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections; those that are open end with their client."""
        self._listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            self.failure = ""
            try:
                child = subprocess.Popen(
                    self._command,
                    stdin=connection.fileno(),
                    stdout=connection.fileno(),
                    stderr=subprocess.PIPE,
                )
            except OSError as error:
                self.failure = f"command [{' '.join(self._command)}] cannot be run: {error.strerror}"
                return
            assert child.stderr is not None
            said = child.stderr.read().decode(errors="replace")
            code = child.wait()
            if code != 0:
                self.failure = (
                    f"command [{' '.join(self._command)}] has exited with exit status {code}, make sure the URL "
                    f"is valid, and Docker 18.09 or later is installed on the remote host: stderr={said}"
                )
            with contextlib.suppress(OSError):  # or the client would wait for an answer
                connection.shutdown(socket.SHUT_RDWR)


class _Client(docker.APIClient):
    """Docker's client; when ssh ends, what ssh said takes the place of "connection aborted"."""

    tunnel: Tunnel | None = None

    def send(self, *arguments: Any, **options: Any) -> requests.Response:
        try:
            return super().send(*arguments, **options)
        except requests.ConnectionError as error:
            if self.tunnel and self.tunnel.failure:
                raise requests.ConnectionError(self.tunnel.failure) from error
            raise


class Daemon:
    """One docker daemon: connected at the first use, and again after a failure."""

    def __init__(self, host: str, options: Sequence[str]) -> None:
        self.host = host or os.environ.get("DOCKER_HOST") or DEFAULT
        self._options = list(options)
        self._lock = threading.Lock()
        self._client: docker.APIClient | None = None
        self._tunnel: Tunnel | None = None

    @property
    def remote(self) -> bool:
        """Whether the daemon is reached through ssh."""
        return self.host.startswith("ssh://")

    def client(self) -> docker.APIClient:
        """The client, pinged once; raises Failed in the official plugin's words."""
        with self._lock:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> docker.APIClient:
        address = self.host
        if self.remote:
            self._tunnel = self._tunnel or Tunnel(ssh_command(self.host, self._options))
            address = f"unix://{self._tunnel.path}"
        client = _Client(base_url=address, version=API, timeout=600)
        client.tunnel = self._tunnel
        try:
            client.ping()
        except (requests.RequestException, docker.errors.DockerException) as error:
            at = "http://docker.example.com/_ping" if self.remote else f"{self.host}/_ping"
            raise Failed(
                f"failed to create Docker client: Error pinging Docker server, please make sure that {self.host} "
                f"is reachable and has a  '_ping' endpoint. Error: error during connect: Head \"{at}\": {error}"
            ) from error
        return client
