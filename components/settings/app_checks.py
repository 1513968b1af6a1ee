"""What only shows when apps are read together with each other and with the rest."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from components.problems import Problem, nearest
from components.settings import presets
from components.settings.app_fields import APPLICATION, said_by, settings_of
from components.settings.apps import App
from components.settings.base import dotted
from components.settings.checking import either, is_touched
from components.settings.forms import LOOPBACK
from components.settings.host import Elsewhere
from components.settings.model import Settings
from components.settings.protocols import PROTOCOLS, having


def check_apps(settings: Settings, _: frozenset[str]) -> Iterator[Problem]:
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
        if app.protocol and app.protocol not in PROTOCOLS:
            yield Problem(
                dotted(*path, "protocol"),
                f"{app.protocol!r} is not a choice",
                nearest(app.protocol, PROTOCOLS) or f"Take one of {either(PROTOCOLS)}",
            )
            continue
        if of_preset := [*_preset(app)]:
            yield from of_preset
            continue
        if app.preset is None and app.protocol is None:
            yield Problem(
                dotted(*path),
                "nothing says how people log in to it",
                f"Add preset (./gatehouse presets lists them) or protocol ({either(PROTOCOLS)})",
            )
            continue
        yield from _others_settings(app)
        yield from app.problems(settings)
        yield from _fields(app)


def _preset(app: App) -> Iterator[Problem]:
    """What keeps the app's preset from saying what it has to."""
    path = ("apps", app.key)
    if app.preset is None:
        if app.parameters:
            yield Problem(dotted(*path, "parameters"), "this is for apps with a preset", "Take it out")
        return
    if not presets.path(app.preset).is_file():
        others = "See what there is with ./gatehouse presets, or take protocol: oidc and redirectUris"
        what = f"there is no preset {app.preset!r}"
        yield Problem(dotted(*path, "preset"), what, nearest(app.preset, presets.names()) or others)
        return
    preset = app.well_known
    if preset is None:
        yield from presets.mistakes(app.preset)
        return
    if app.speaks not in preset.protocols:
        yield Problem(
            dotted(*path, "protocol"),
            f"the preset {app.preset} speaks {either(preset.protocols)}",
            "Take protocol out, or preset",
        )
    for role in app.roles:
        if preset.roles and role not in preset.roles:
            what = f"the preset {app.preset} knows no role {role!r}"
            remedy = nearest(role, preset.roles) or f"Take one of {either(preset.roles)}"
            yield Problem(dotted(*path, "roles", role), what, remedy)
    for name in app.parameters:
        if name not in preset.parameters:
            known = f"Take one of {either(preset.parameters)}" if preset.parameters else "Take it out"
            what = f"the preset {app.preset} has no parameter {name!r}"
            yield Problem(dotted(*path, "parameters", name), what, nearest(name, preset.parameters) or known)
    for name in sorted(preset.parameters.keys() - presets.parameters(preset, app.parameters).keys()):
        yield Problem(
            dotted(*path, "parameters"),
            f"the preset {app.preset} needs {name}",
            f"Add {name}: {preset.parameters[name].what}",
        )


def _others_settings(app: App) -> Iterator[Problem]:
    """Settings that only apps of other protocols have."""
    for name in app.others:
        yield Problem(
            dotted("apps", app.key, name),
            f"this is for {either(having(name))}, and the app {app.words}",
            "Take it out",
        )


def _fields(app: App) -> Iterator[Problem]:
    """Fields that a setting stands for: what gatehouse declares has one place in the file."""
    for part, kind in (("provider", app.provider), ("application", APPLICATION)):
        for name in getattr(app.extra, part):
            if name in settings_of(app, kind):
                setting = said_by(app, kind, name)
                what = "gatehouse sets it itself, since names and access hang on it"
                yield Problem(
                    dotted("apps", app.key, "fields", part, name),
                    f"{setting} of the app says this" if setting else what,
                    f"Write {setting}" if setting else "Take it out",
                )


def check_overlaid(settings: Settings, _: frozenset[str]) -> Iterator[Problem]:
    """Raw objects that are an app's provider or application, which gatehouse declares already."""
    apps = {app.key: app for app in settings.apps}
    for index, raw in enumerate(settings.objects):
        app = apps.get(raw.name)
        if app is None or raw.kind not in (APPLICATION, app.provider):
            continue
        part = "application" if raw.kind == APPLICATION else "provider"
        place = dotted("apps", app.key)
        named = sorted({setting for name in raw.fields if (setting := said_by(app, raw.kind, name))})
        rest = [name for name in raw.fields if name not in settings_of(app, raw.kind)]
        said = [f"{name} of {place}" for name in named]
        said += [f"{place}.fields.{part}.{name}" for name in rest]
        yield Problem(
            dotted("objects", index),
            f"it is the {part} of the app {app.key}, which gatehouse declares already",
            f"Say it in {' and '.join(said)}, and take this object out" if said else "Take it out",
        )


def check_icons(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    """A picture's address is a field of the API since 2026.2."""
    if is_touched(broken, "authentik") or settings.authentik.line != "2025.8":
        return
    for app in settings.apps:
        if app.icon:
            yield Problem(
                dotted("apps", app.key, "icon"),
                f"authentik {settings.authentik.line} takes no address of a picture, only a file",
                "Take it out, or take a version of 2026.2 or newer",
            )


def check_urls(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for app in settings.apps:
        path, parts = ("apps", app.key), urlsplit(app.url)
        # Who speaks LDAP or RADIUS may be an app that people log in to another way as well.
        beside = app.upstream is None and app.outpost is not None
        if app.url.lower() in seen and not beside:
            yield Problem(
                dotted(*path, "url"),
                f"{seen[app.url.lower()]} has the same URL",
                "Give each app a URL of its own, or let both be one app",
            )
        if not beside:
            seen.setdefault(app.url.lower(), app.key)
        if is_touched(broken, "domain") or is_touched(broken, "authentik"):
            continue
        if parts.netloc == urlsplit(settings.issuer_base).netloc:
            yield Problem(
                dotted(*path, "url"), "authentik itself answers there", "Give the app a host of its own"
            )
        elif (
            app.upstream
            and not isinstance(settings.box, Elsewhere)
            and not _served_here(parts.netloc, settings.domain)
        ):
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
        if (
            app.upstream
            and not isinstance(settings.box, Elsewhere)
            and urlsplit(app.upstream).hostname in LOOPBACK
        ):
            yield Problem(
                dotted(*path, "upstream"),
                f"{app.upstream} is the proxy's own container, not the box",
                "Let the app run in a container of Docker's network `gatehouse`, and give that container's name",
            )
        yield from app.address_problems(settings)


def _served_here(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")
