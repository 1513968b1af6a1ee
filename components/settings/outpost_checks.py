"""What an app needs that authentik serves through an outpost of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from components.problems import Problem
from components.settings.apps import App
from components.settings.base import dotted
from components.settings.host import Elsewhere
from components.settings.model import Settings
from components.settings.outposts import OUTPOSTS, base_dn, has_outpost


def check_ldap(settings: Settings, app: App) -> Iterator[Problem]:
    yield from _clients(settings, app)
    if app.clients and isinstance(settings.box, Elsewhere):
        yield Problem(
            dotted("apps", app.key, "clients"),
            "with `box: none` you run the outpost yourself, and gatehouse opens no port",
            "Take it out, and let in whom you like where it runs",
        )
    if app.base_dn is not None and not re.fullmatch(r"\w+=[^,=]+(,\s*\w+=[^,=]+)*", app.base_dn):
        yield Problem(
            dotted("apps", app.key, "baseDn"),
            f"{app.base_dn!r} is not a distinguished name",
            "Write it like dc=ldap,dc=acme,dc=example",
        )
    mine = base_dn(app, settings)
    for other in settings.apps:
        if other.key >= app.key or not has_outpost(other) or other.speaks != "ldap":
            continue
        theirs = base_dn(other, settings)
        shorter, longer = sorted((f",{mine.lower()}", f",{theirs.lower()}"), key=len)
        if longer.endswith(shorter):
            # The outpost tells apps apart by the names that are asked for: it would look who may use the wrong one.
            own = ",".join(f"dc={part}" for part in (app.key, *settings.domain.split(".")))
            yield Problem(
                dotted("apps", app.key, "baseDn"),
                f"{mine} and {theirs}, that of {other.key}, cannot be told apart",
                f"Give each LDAP app one of its own, such as baseDn: {own}",
            )
            return


def check_radius(settings: Settings, app: App) -> Iterator[Problem]:
    if not app.clients:
        yield Problem(
            dotted("apps", app.key, "clients"),
            "nobody could ask: a radius app needs the networks that its access points or VPN come from",
            "Add clients, such as [198.51.100.7/32]",
        )
    yield from _clients(settings, app)


def _clients(settings: Settings, app: App) -> Iterator[Problem]:
    for index, network in enumerate(app.clients):
        if ":" in network:
            yield Problem(
                dotted("apps", app.key, "clients", index),
                "outposts are reached over IPv4 only",
                "Write the IPv4 network that the app comes from, or take it out",
            )
    opening = next(each.opening for each in OUTPOSTS if each.protocol == app.speaks)
    if app.clients and opening in settings.network.open_ports:
        yield Problem(
            dotted("network", "openPorts", settings.network.open_ports.index(opening)),
            f"{opening} leads to authentik's outpost, and is open to the clients of {app.key} alone",
            "Take it out",
        )
