"""What only shows when settings are read together: clashes, names that nobody declared, settings that need others.

Each check yields every problem that it finds. `broken` has the paths of what is wrong by itself, with something harmless
in its place meanwhile, so that what depends on it is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import urlsplit

from components.secrets import SecretError, check_override, form_of, secret_names
from components.settings.apps import App
from components.settings.base import Problem, dotted
from components.settings.host import SERVER_TYPES
from components.settings.lines import LINES, newest
from components.settings.model import Settings
from components.settings.names import nearest
from components.settings.presets import presets

def check(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    """All problems of settings whose single values are right, or were taken out."""
    for one in (_authentik, _where, _memory, _people, _groups, _apps, _app_urls, _objects, _secrets, _email):
        yield from one(settings, broken)


def is_broken(broken: frozenset[str], path: str) -> bool:
    """Whether `path`, or something that it is part of, is wrong by itself."""
    return any(path == one or path.startswith((f"{one}.", f"{one}[")) for one in broken)


def _touched(broken: frozenset[str], *parts: str | int) -> bool:
    """Whether the setting at `parts`, or something in it, is wrong by itself."""
    path = dotted(*parts)
    return any(one == path or one.startswith((f"{path}.", f"{path}[")) for one in broken)


def memory_findings(path: str, what: str, gigabytes: float, apps: int) -> tuple[list[Problem], list[Problem]]:
    """What refuses and what is advised against on `gigabytes` of memory with so many apps."""
    if gigabytes < 2:
        return [Problem(path, f"{what} has {gigabytes:g} GB of memory, and authentik does not run in less than 2",
                        "Take a type with 4 GB, such as cx23")], []  # fmt: skip
    if gigabytes < 4 and apps > 6:
        return [], [Problem(path, f"{what} has {gigabytes:g} GB of memory for {apps} apps",
                            "Take a type with 4 GB or more, such as cx23, beyond six apps")]  # fmt: skip
    return [], []


def warnings(settings: Settings) -> Iterator[Problem]:
    """What works but is advised against."""
    if settings.server and settings.server.type in SERVER_TYPES:
        type_ = settings.server.type
        yield from memory_findings(dotted("server", "type"), type_, SERVER_TYPES[type_], len(settings.apps))[1]
    if settings.redis is True and settings.box.kind != "none" and not _uses_redis(settings.authentik.line):
        yield Problem(dotted("redis"), f"authentik {settings.authentik.line} does not use Redis, which still runs",
                      "Write auto to run it only where it is used, or true to keep it without this notice"
                      if "redis" not in settings.model_fields_set else
                      "Write auto to run it only where it is used")  # fmt: skip


def _uses_redis(line: str) -> bool:
    return tuple(map(int, line.split("."))) <= (2025, 8)


def _authentik(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    if _touched(broken, "authentik"):
        return
    line, path = settings.authentik.line, dotted("authentik", "version")
    if line in LINES:
        return
    if _number(line) > _number(newest()):
        yield Problem(path, f"authentik {line} is newer than what this gatehouse knows, which is up to {newest()}",
                      f"Take a version of {newest()}, or update gatehouse")  # fmt: skip
    else:
        yield Problem(path, f"this gatehouse does not know authentik {line}", f"Take a version of {_or(LINES)}")


def _number(line: str) -> tuple[int, ...]:
    return tuple(map(int, line.split(".")))


def _where(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    if not _touched(broken, "server") and not _touched(broken, "box"):
        if settings.server and settings.box_setting:
            yield Problem(dotted("box"), "there is a server and a box", "Keep one: server to have it made, box to use one")
        if not settings.server and not settings.box_setting:
            yield Problem(dotted("server"), "nothing says where authentik runs",
                          "Add server: {type: cx23, location: nbg1}, or box: {host: …, hostKey: …}, or box: none")  # fmt: skip
        if not settings.operators and not _touched(broken, "operators") and settings.box.kind != "none":
            yield Problem(dotted("operators"), "nobody may log in to the box",
                          "Add one: {name: sam, email: sam@agency.example, sshKey: ssh-ed25519 AAAA…}")  # fmt: skip
    if not _touched(broken, "box") and not _touched(broken, "authentik"):
        for name in ("url", "token"):
            given = getattr(settings.authentik, name) is not None
            if given != (settings.box.kind == "none"):
                yield Problem(dotted("authentik", name),
                              "this is only for `box: none`" if given else "`box: none` needs it",
                              "Take it out" if given else "Say which authentik it is, and give an administrator's API token")  # fmt: skip
    if not _touched(broken, "operators"):
        yield from _twice(settings.operators, "operators", "name", lambda one: one.name)
        for index, operator in enumerate(settings.operators):
            if operator.name in ("root", "deploy"):
                yield Problem(dotted("operators", index, "name"), f"{operator.name} is an account of the box's own",
                              "Give the person's own name")  # fmt: skip


def _memory(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    if not _touched(broken, "server") and settings.server and settings.server.type in SERVER_TYPES:
        type_ = settings.server.type
        yield from memory_findings(dotted("server", "type"), type_, SERVER_TYPES[type_], len(settings.apps))[0]


def _twice(items: Iterable[Any], section: str, field: str, value: Callable[[Any], str]) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, item in enumerate(items):
        key = value(item)
        if key in seen:
            yield Problem(dotted(section, index, field), f"{getattr(item, field)!r} is there already, as {section}[{seen[key]}]",
                          "Take one of them out, or give it a name of its own")  # fmt: skip
        seen.setdefault(key, index)


def _people(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    yield from _twice(settings.people, "people", "username", lambda person: person.username.lower())
    yield from _twice(settings.people, "people", "email", lambda person: person.email.lower())
    for index, person in enumerate(settings.people):
        if person.username in ("akadmin", "gatehouse"):
            yield Problem(dotted("people", index, "username"), f"{person.username} is an account of authentik's own administration",
                          "Take another user name")  # fmt: skip
        yield from _declared(settings, broken, person.groups, ("people", index, "groups"))


def _declared(
    settings: Settings, broken: frozenset[str], names: Iterable[str], path: tuple[str | int, ...]
) -> Iterator[Problem]:
    if _touched(broken, "groups"):
        return
    known = {group.name for group in settings.groups} | _raw_names(settings, "authentik_core.group")
    for index, name in enumerate(names):
        if name not in known:
            yield Problem(dotted(*path, index), f"there is no group {name!r}",
                          nearest(name, known) or f"Add {name} to gatehouse:groups")  # fmt: skip


def _raw_names(settings: Settings, kind: str) -> set[str]:
    return {raw.name for raw in settings.objects if raw.kind == kind}


def _groups(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    yield from _twice(settings.groups, "groups", "name", lambda group: group.name)


def _apps(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    ids: dict[str, str] = {}
    for app in settings.apps:
        path = ("apps", app.key)
        if app.id in ids:
            yield Problem(dotted(*path, "id"), f"{app.id!r} is the id of {ids[app.id]} too", "Give each app an id of its own")
        ids.setdefault(app.id, app.key)
        yield from _declared(settings, broken, app.groups, (*path, "groups"))
        if app.preset and app.preset not in presets():
            yield Problem(dotted(*path, "preset"), f"there is no preset {app.preset!r}",
                          nearest(app.preset, presets()) or f"Take one of {_or(presets())}, or protocol: oidc and redirectUris")  # fmt: skip
            continue
        if app.preset and app.protocol and presets()[app.preset].protocol != app.protocol:
            yield Problem(dotted(*path, "protocol"), f"{app.preset} speaks {presets()[app.preset].protocol}", "Take protocol out")
            continue
        protocol = app.protocol or (presets()[app.preset].protocol if app.preset else None)
        if protocol is None:
            yield Problem(dotted(*path), "nothing says how people log in to it",
                          f"Add preset ({_or(presets())}) or protocol (oidc or proxy)")  # fmt: skip
        elif protocol == "oidc" and not app.redirect_uris and not (app.preset and presets()[app.preset].redirect_paths):
            yield Problem(dotted(*path, "redirectUris"), "an oidc app needs at least one",
                          f"Add what the app's documentation names, such as [{app.url}/oauth2/callback]")  # fmt: skip
        elif protocol == "proxy":
            yield from _proxy_app(app)


def _proxy_app(app: App) -> Iterator[Problem]:
    if app.upstream is None:
        yield Problem(dotted("apps", app.key, "upstream"), "an app behind the proxy needs it",
                      "Say where the box reaches the app, such as http://dashboard:8080")  # fmt: skip
    for field, name in (("redirect_uris", "redirectUris"), ("scopes", "scopes"), ("issuer", "issuer")):
        if getattr(app, field):
            yield Problem(dotted("apps", app.key, name), "this is for oidc, and the app is behind the proxy", "Take it out")


def _app_urls(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for app in settings.apps:
        path, parts = ("apps", app.key), urlsplit(app.url)
        if app.url.lower() in seen:
            yield Problem(dotted(*path, "url"), f"{seen[app.url.lower()]} has the same URL",
                          "Give each app a URL of its own, or let both be one app")  # fmt: skip
        seen.setdefault(app.url.lower(), app.key)
        for index, uri in enumerate(() if _touched(broken, *path, "url") else app.redirect_uris):
            if urlsplit(uri)[:2] != parts[:2]:
                yield Problem(dotted(*path, "redirectUris", index), f"{uri} is not on the app's URL, {app.url}",
                              f"Write {parts.scheme}://{parts.netloc}{urlsplit(uri).path}, or correct url")  # fmt: skip
        if _touched(broken, "domain") or _touched(broken, "authentik"):
            continue
        if parts.netloc == urlsplit(settings.issuer_base).netloc:
            yield Problem(dotted(*path, "url"), "authentik itself answers there", "Give the app a host of its own")
        elif app.upstream and settings.box.kind != "none" and not _served_here(parts.netloc, settings.domain):
            yield Problem(dotted(*path, "url"), f"gatehouse serves it (upstream), but {parts.netloc} is not below {settings.domain}",
                          f"Write https://{app.key}.{settings.domain}, or take upstream out")  # fmt: skip
        elif app.upstream and parts.path:
            yield Problem(dotted(*path, "url"), f"gatehouse serves whole hosts, not {parts.path} alone",
                          f"Write https://{parts.netloc}")  # fmt: skip
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


def _objects(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    seen: dict[tuple[str, str], int] = {}
    for index, raw in enumerate(settings.objects):
        key = (raw.kind, raw.name)
        if key in seen:
            yield Problem(dotted("objects", index, "name"), f"{raw.kind} {raw.name!r} is there already, as objects[{seen[key]}]",
                          "Put the fields of both into one")  # fmt: skip
        seen.setdefault(key, index)


def _secrets(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    names = {f"app/{app.id}/" for app in settings.apps} | {f"person/{person.username}/" for person in settings.people}
    for section in ("generations", "overrides"):
        for name in getattr(settings.secrets, section):
            path = dotted("secrets", section, name)
            try:
                form_of(name)
            except SecretError:
                yield Problem(path, f"there is no secret {name!r}", nearest(name, secret_names()) or f"Take one of {_or(secret_names())}")
                continue
            owner = name[: name.rindex("/") + 1]
            if owner.count("/") == 2 and owner not in names and not _touched(broken, "apps") and not _touched(broken, "people"):
                what, who = owner.rstrip("/").split("/")
                yield Problem(path, f"there is no {what} {who!r}", nearest(who, {one.split("/")[1] for one in names if one.startswith(what)})
                              or "Take it out, or declare what it belongs to")  # fmt: skip
    for name in set(settings.secrets.generations) & set(settings.secrets.overrides):
        yield Problem(dotted("secrets", "generations", name), "it has an override, which no generation changes", "Take one of them out")
    for name, value in settings.secrets.overrides.items():
        if not value.get_secret_value():  # sealed in the file, and so looked at when the program runs
            continue
        try:
            check_override(name, value.get_secret_value())
        except SecretError as error:
            if not str(error).startswith("there is no secret"):
                yield Problem(dotted("secrets", "overrides", name), str(error), "Change it where it is used first, then here")


def _email(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    email = settings.email
    if email is None:
        return
    if (email.username is None) != (email.password is None):
        missing = "username" if email.username is None else "password"
        yield Problem(dotted("email", missing), "username and password belong together", f"Add {missing}, or take both out")
    if (email.port, email.tls) in ((465, "starttls"), (587, "tls")):
        right = "tls" if email.port == 465 else "starttls"
        yield Problem(dotted("email", "tls"), f"port {email.port} does not speak {email.tls}", f"Write {right}")


def _or(names: Iterable[str]) -> str:
    *first, last = list(names)
    return f"{', '.join(first)} or {last}" if first else last
