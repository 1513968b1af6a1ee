"""The names that a client's box serves to the world, and where each of them leads."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from components.containers.networks import AUTHENTIK_ADDRESS
from components.settings import App, Settings

AUTHENTIK = ("http", AUTHENTIK_ADDRESS, 9000)
_FORWARD_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")


@dataclass(frozen=True)
class Route:
    """A name and where it leads to.

    `authentik`: whether it is authentik's own name: gatehouse says who may frame it, and X-authentik-CSRF passes.
    `below`: whether browsers are to ask for all names below it by https too, which the client's bare domain must not
    demand of names that gatehouse has no part in.
    """

    host: str
    scheme: str
    forward_host: str
    port: int
    authentik: bool = False
    below: bool = True


def routes(settings: Settings) -> list[Route]:
    """What is served: authentik, and each app that the box stands in front of."""
    return [
        Route(settings.auth_host, *AUTHENTIK, authentik=True),
        *(_route(app, settings) for app in _proxied_apps(settings)),
    ]


def _proxied_apps(settings: Settings) -> list[App]:
    return [app for app in settings.apps if app.upstream is not None]


def _route(app: App, settings: Settings) -> Route:
    host = urlsplit(app.url).hostname or ""
    below = host != settings.domain
    if app.embedded:
        # authentik asks who it is first, and passes on what may pass.
        return Route(host, *AUTHENTIK, below=below)
    parts = urlsplit(app.upstream or "")
    forward = parts.hostname or ""
    if not _FORWARD_HOST.fullmatch(forward):
        raise ValueError(f"{forward!r} cannot be written into nginx's configuration")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Route(host, parts.scheme, forward, port, below=below)
