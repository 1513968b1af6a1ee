"""The names that lead to a client's box, and the DNS records that they get."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from components.settings import ExistingBox, Settings


def served_hosts(settings: Settings) -> list[str]:
    """The host names that the box answers for: authentik's, and those of apps that it stands in front of."""
    apps = [urlsplit(app.url).hostname or "" for app in settings.apps if app.upstream is not None]
    return [settings.auth_host, *apps]


def record_types(settings: Settings) -> dict[str, tuple[str, ...]]:
    """The types of the records that each served host gets."""
    if isinstance(settings.box, ExistingBox):
        types: tuple[str, ...] = (record_type(settings.box.host),)
    else:
        types = ("A", "AAAA") if settings.network.ipv6 else ("A",)
    return dict.fromkeys(served_hosts(settings), types)


def record_type(target: str) -> str:
    """Of the record that leads to an address or a name."""
    try:
        return {4: "A", 6: "AAAA"}[ipaddress.ip_address(target).version]
    except ValueError:
        return "CNAME"
