"""Stands in for the official docker plugin: containers, networks, volumes and images, over docker's own SDK.

Held against recordings of the official one (5.2.0). What it doesn't do it refuses: building images, TLS
material, docker contexts, and the types that are not listed here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from bench.plugins.base import Failed, Provider
from bench.plugins.docker.container import Container
from bench.plugins.docker.image import RemoteImage
from bench.plugins.docker.simple import Network, Volume
from bench.plugins.docker.transport import Daemon
from bench.plugins.values import UNKNOWN, Values

REFUSED = ("caMaterial", "certMaterial", "certPath", "context", "keyMaterial")


class DockerProvider(Provider):
    """The docker plugin."""

    name, version = "docker", "5.2.0"
    resources: ClassVar = {kind.token: kind for kind in (Container, Network, Volume, RemoteImage)}

    def __init__(self) -> None:
        super().__init__()
        self.daemon = Daemon("", [])
        self._registries: list[Mapping[str, Any]] = []

    def check_config(self, news: Values) -> Values:
        return {name: _compact(value) for name, value in news.items()}

    def _on_diffconfig(self, request: Values) -> Values:
        reply = super()._on_diffconfig(request)
        reply.pop("hasDetailedDiff", None)
        return reply

    def configure(self, config: Values) -> None:
        """Take host, sshOpts and registryAuth; a local daemon must answer, one behind ssh is not asked."""
        given = [name for name in REFUSED if config.get(name)]
        if given:
            raise Failed(
                f"the bench's docker plugin does not know {', '.join(given)}; use the official plugin"
            )
        host = config.get("host") or ""
        if host == UNKNOWN:
            return
        self._registries = config.get("registryAuth") or []
        self.daemon = Daemon(host, config.get("sshOpts") or [])
        if not self.daemon.remote and config.get("disableDockerDaemonCheck") not in (True, "true"):
            try:
                self.daemon.client()
            except Failed:
                text = "docker native provider returned an unexpected error from Configure"
                raise Failed(f"{text}: failed to connect to any docker daemon") from None

    def registry_auth(self, image: str) -> dict[str, str] | None:
        """The credentials for the registry that `image` comes from, if the program gave some."""
        registry = image.split("/", 1)[0]
        for given in self._registries:
            if given.get("address", "").removeprefix("https://").rstrip("/") == registry:
                return {"username": given.get("username", ""), "password": given.get("password", "")}
        return None


def _compact(value: Any) -> Any:
    """Settings that are not strings come as JSON; the official plugin writes it anew."""
    if not isinstance(value, str) or value[:1] not in ("[", "{"):
        return value
    try:
        return json.dumps(json.loads(value), separators=(",", ":"), ensure_ascii=False)
    except ValueError:
        return value


PROVIDER = DockerProvider
