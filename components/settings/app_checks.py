"""What only shows when apps are read together with each other and with the rest."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from components.settings.apps import App
from components.settings.base import Problem, dotted
from components.settings.checking import declared, either, touched
from components.settings.forms import LOOPBACK
from components.settings.model import Settings
from components.settings.names import nearest
from components.settings.presets import presets


def check_apps(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    ids: dict[str, str] = {}
    for app in settings.apps:
        path = ("apps", app.key)
        if app.id in ids:
            yield Problem(
                dotted(*path, "id"),
                f"{app.id!r} is the id of {ids[app.id]} too",
                "Give each app an id of its own",
            )
        ids.setdefault(app.id, app.key)
        yield from declared(settings, broken, app.groups, (*path, "groups"))
        if app.preset and app.preset not in presets():
            others = f"Take one of {either(presets())}, or protocol: oidc and redirectUris"
            what = f"there is no preset {app.preset!r}"
            yield Problem(dotted(*path, "preset"), what, nearest(app.preset, presets()) or others)
            continue
        if app.preset and app.protocol and presets()[app.preset].protocol != app.protocol:
            yield Problem(
                dotted(*path, "protocol"),
                f"{app.preset} speaks {presets()[app.preset].protocol}",
                "Take protocol out",
            )
            continue
        protocol = app.protocol or (presets()[app.preset].protocol if app.preset else None)
        if protocol is None:
            yield Problem(
                dotted(*path),
                "nothing says how people log in to it",
                f"Add preset ({either(presets())}) or protocol (oidc or proxy)",
            )
        elif (
            protocol == "oidc"
            and not app.redirect_uris
            and not (app.preset and presets()[app.preset].redirect_paths)
        ):
            yield Problem(
                dotted(*path, "redirectUris"),
                "an oidc app needs at least one",
                f"Add what the app's documentation names, such as [{app.url}/oauth2/callback]",
            )
        elif protocol == "proxy":
            yield from _proxy_app(app)


def check_icons(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    """A picture's address is a field of the API since 2026.2."""
    if touched(broken, "authentik") or settings.authentik.line != "2025.8":
        return
    for app in settings.apps:
        if app.icon:
            yield Problem(
                dotted("apps", app.key, "icon"),
                f"authentik {settings.authentik.line} takes no address of a picture, only a file",
                "Take it out, or take a version of 2026.2 or newer",
            )


def _proxy_app(app: App) -> Iterator[Problem]:
    if app.upstream is None:
        yield Problem(
            dotted("apps", app.key, "upstream"),
            "an app behind the proxy needs it",
            "Say where the box reaches the app, such as http://dashboard:8080",
        )
    for field, name in (("redirect_uris", "redirectUris"), ("scopes", "scopes"), ("issuer", "issuer")):
        if getattr(app, field):
            yield Problem(
                dotted("apps", app.key, name),
                "this is for oidc, and the app is behind the proxy",
                "Take it out",
            )


def check_urls(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for app in settings.apps:
        path, parts = ("apps", app.key), urlsplit(app.url)
        if app.url.lower() in seen:
            yield Problem(
                dotted(*path, "url"),
                f"{seen[app.url.lower()]} has the same URL",
                "Give each app a URL of its own, or let both be one app",
            )
        seen.setdefault(app.url.lower(), app.key)
        for index, uri in enumerate(() if touched(broken, *path, "url") else app.redirect_uris):
            if urlsplit(uri)[:2] != parts[:2]:
                yield Problem(
                    dotted(*path, "redirectUris", index),
                    f"{uri} is not on the app's URL, {app.url}",
                    f"Write {parts.scheme}://{parts.netloc}{urlsplit(uri).path}, or correct url",
                )
        if touched(broken, "domain") or touched(broken, "authentik"):
            continue
        if parts.netloc == urlsplit(settings.issuer_base).netloc:
            yield Problem(
                dotted(*path, "url"), "authentik itself answers there", "Give the app a host of its own"
            )
        elif app.upstream and settings.box.kind != "none" and not _served_here(parts.netloc, settings.domain):
            what = f"gatehouse serves it (upstream), but {parts.netloc} is not below {settings.domain}"
            yield Problem(
                dotted(*path, "url"), what, f"Write https://{app.key}.{settings.domain}, or take upstream out"
            )
        elif app.upstream and parts.path:
            yield Problem(
                dotted(*path, "url"),
                f"gatehouse serves whole hosts, not {parts.path} alone",
                f"Write https://{parts.netloc}",
            )
        if app.upstream and settings.box.kind != "none" and urlsplit(app.upstream).hostname in LOOPBACK:
            yield Problem(
                dotted(*path, "upstream"),
                f"{app.upstream} is the proxy's own container, not the box",
                "Let the app run in a container of Docker's network `gatehouse`, and give that container's name",
            )
        if app.issuer:
            yield from _issuer(settings, app, app.issuer)


def _served_here(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


def _issuer(settings: Settings, app: App, given: str) -> Iterator[Problem]:
    right = f"{settings.issuer_base}/application/o/{app.key}/"
    if given == right:
        return
    what = "it lacks its slash at the end, without which no token of authentik's is accepted"
    if given.rstrip("/") != right.rstrip("/"):
        what = f"{given} is not the issuer that this app will have"
    yield Problem(dotted("apps", app.key, "issuer"), what, f"Write {right}, here and in the app")
