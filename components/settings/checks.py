"""What only shows when settings are read together: clashes, names that nobody declared, settings that need others.

Each check yields every problem that it finds. `broken` has the paths of what is wrong by itself, with
something harmless in its place meanwhile, so that what depends on it is passed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pydantic.alias_generators import to_camel

from components.problems import Problem, nearest
from components.release_lines import known_lines, newest_line, sort_key
from components.secrets import SecretError, check_override, form_of, secret_names
from components.settings.access_checks import check_access
from components.settings.app_checks import check_apps, check_icons, check_overlaid, check_urls
from components.settings.backup import backup_problems
from components.settings.base import dotted
from components.settings.checking import declared, either, is_touched
from components.settings.host import SERVER_TYPES, Elsewhere, memory_problems
from components.settings.login_checks import check_login
from components.settings.model import Settings
from components.settings.object_checks import check_secrets
from components.settings.object_traps import check_traps

# What only a box of ours can be told, by the fields of Settings.
_OF_THE_BOX = ("backup", "cloudflare_token", "dns", "email", "hetzner_token", "network", "rebuild", "redis")


def check(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    """All problems of settings whose single values are right, or were taken out."""
    for one in (
        _authentik,
        _where,
        _too_small,
        _people,
        _groups,
        check_apps,
        check_access,
        check_urls,
        check_icons,
        check_overlaid,
        _objects,
        check_secrets,
        check_traps,
        check_login,
        _secrets,
        _email,
        _backup,
    ):
        yield from one(settings, broken)


def _authentik(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    if is_touched(broken, "authentik"):
        return
    line, path = settings.authentik.line, dotted("authentik", "version")
    if line in known_lines():
        return
    if sort_key(line) > sort_key(newest_line()):
        yield Problem(
            path,
            f"authentik {line} is newer than what this gatehouse knows, which is up to {newest_line()}",
            f"Take a version of {newest_line()}, or update gatehouse",
        )
    else:
        yield Problem(
            path,
            f"this gatehouse does not know authentik {line}",
            f"Take a version of {either(known_lines())}",
        )


def _where(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    if not is_touched(broken, "server") and not is_touched(broken, "box"):
        if settings.server and settings.box_setting:
            yield Problem(
                dotted("box"),
                "there is a server and a box",
                "Keep one: server to have it made, box to use one",
            )
        if not settings.server and not settings.box_setting:
            yield Problem(
                dotted("server"),
                "nothing says where authentik runs",
                "Add server: {type: cx23, location: nbg1}, or box: {host: …, hostKey: …}, or box: none",
            )
        if (
            not settings.operators
            and not is_touched(broken, "operators")
            and not isinstance(settings.box, Elsewhere)
        ):
            yield Problem(
                dotted("operators"),
                "nobody may log in to the box",
                "Add one: {name: sam, email: sam@agency.example, sshKey: ssh-ed25519 AAAA…}",
            )
    if not is_touched(broken, "box") and not is_touched(broken, "authentik"):
        elsewhere = isinstance(settings.box, Elsewhere)
        if elsewhere and settings.authentik.url is None:
            yield Problem(
                dotted("authentik", "url"),
                "with `box: none` nothing says which authentik is meant",
                "Add authentik.url: where it answers, such as https://sso.acme.example",
            )
        for name in _OF_THE_BOX if elsewhere and settings.server is None else ():
            if name in settings.model_fields_set and not is_touched(broken, to_camel(name)):
                yield Problem(
                    dotted(to_camel(name)),
                    "it has no effect with `box: none`, where somebody else runs authentik",
                    "Take it out",
                )
        for name in ("url", "token"):
            if getattr(settings.authentik, name) is not None and not elsewhere:
                yield Problem(dotted("authentik", name), "this is only for `box: none`", "Take it out")
    if not is_touched(broken, "operators"):
        yield from _twice(settings.operators, "operators", "name", lambda one: one.name)
        for index, operator in enumerate(settings.operators):
            if (
                not operator.ssh_key
                and not isinstance(settings.box, Elsewhere)
                and not is_touched(broken, "box")
            ):
                yield Problem(
                    dotted("operators", index, "sshKey"),
                    "it is missing",
                    "Add sshKey: the one line of their public key file",
                )


def _too_small(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    if not is_touched(broken, "server"):
        yield from (each for each in memory(settings) if each.refuses)


def memory(settings: Settings) -> Iterator[Problem]:
    """What speaks against the memory of a server type that is known here."""
    if settings.server and settings.server.type in SERVER_TYPES:
        type_ = settings.server.type
        yield from memory_problems(dotted("server", "type"), type_, SERVER_TYPES[type_], len(settings.apps))


def _twice(
    items: Iterable[Any], section: str, field: str, value: Callable[[Any], str], *, bare: bool = False
) -> Iterator[Problem]:
    """Items with the same value; `bare` where the field's name is not written in the file."""
    seen: dict[str, int] = {}
    for index, item in enumerate(items):
        key = value(item)
        if key in seen:
            what = f"{getattr(item, field)!r} is there already, as {section}[{seen[key]}]"
            yield Problem(
                dotted(section, index) if bare else dotted(section, index, field),
                what,
                "Take one of them out, or give it a name of its own",
            )
        seen.setdefault(key, index)


def _ids_twice(
    items: Iterable[Any],
    section: str,
    name: Callable[[Any], str],
    space: Callable[[Any], str] = lambda _: "",
) -> Iterator[Problem]:
    """Different items of one name space that go by one id."""
    seen: dict[tuple[str, str], tuple[int, str]] = {}
    for index, item in enumerate(items):
        first, other = seen.setdefault((space(item), item.id), (index, name(item)))
        if other != name(item):
            what = f"{section}[{first}], {other!r}, goes by {item.id!r} already"
            yield Problem(dotted(section, index, "id"), what, "Give each an id of its own, or none")


def _people(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    yield from _twice(settings.people, "people", "username", lambda person: person.username.lower())
    yield from _twice(settings.people, "people", "email", lambda person: person.email.lower())
    yield from _ids_twice(settings.people, "people", lambda person: person.username)
    for index, person in enumerate(settings.people):
        if person.username in ("akadmin", "gatehouse"):
            what = f"{person.username} is an account of authentik's own administration"
            yield Problem(dotted("people", index, "username"), what, "Take another user name")
        yield from declared(settings, broken, person.groups, ("people", index, "groups"))


def _groups(settings: Settings, _: frozenset[str]) -> Iterator[Problem]:
    yield from _twice(settings.groups, "groups", "name", lambda group: group.name, bare=True)
    yield from _ids_twice(settings.groups, "groups", lambda group: group.name)


def _objects(settings: Settings, _: frozenset[str]) -> Iterator[Problem]:
    seen: dict[tuple[str, str], int] = {}
    for index, raw in enumerate(settings.objects):
        key = (raw.kind, raw.name)
        if key in seen:
            what = f"{raw.kind} {raw.name!r} is there already, as objects[{seen[key]}]"
            yield Problem(dotted("objects", index, "name"), what, "Put the fields of both into one")
        seen.setdefault(key, index)
    yield from _ids_twice(settings.objects, "objects", lambda raw: raw.name, lambda raw: raw.kind)


def _secrets(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    names = {f"app/{app.id}/" for app in settings.apps} | {
        f"person/{person.id}/" for person in settings.people
    }
    for section in ("generations", "overrides"):
        for name in getattr(settings.secrets, section):
            path = dotted("secrets", section, name)
            try:
                form_of(name)
            except SecretError:
                yield Problem(
                    path,
                    f"there is no secret {name!r}",
                    nearest(name, secret_names()) or f"Take one of {either(secret_names())}",
                )
                continue
            owner = name[: name.rindex("/") + 1]
            if (
                owner.count("/") == 2
                and owner not in names
                and not is_touched(broken, "apps")
                and not is_touched(broken, "people")
            ):
                what, who = owner.rstrip("/").split("/")
                known = {one.split("/")[1] for one in names if one.startswith(what)}
                remedy = nearest(who, known) or "Take it out, or declare what it belongs to"
                yield Problem(path, f"there is no {what} {who!r}", remedy)
    for name, generation in settings.secrets.generations.items():
        if generation > 1 and _stays(name):
            yield Problem(
                dotted("secrets", "generations", name),
                f"{name} acts on a first start only, so that a new one would lock gatehouse out",
                "Take it out",
            )
    for name in set(settings.secrets.generations) & set(settings.secrets.overrides):
        yield Problem(
            dotted("secrets", "generations", name),
            "it has an override, which no generation changes",
            "Take one of them out",
        )
    for name, value in settings.secrets.overrides.items():
        if not value.get_secret_value():  # sealed in the file, and so looked at when the program runs
            continue
        try:
            check_override(name, value.get_secret_value())
        except SecretError as error:
            if not str(error).startswith("there is no secret"):
                yield Problem(
                    dotted("secrets", "overrides", name),
                    str(error),
                    "Change it where it is used first, then here",
                )


def _stays(name: str) -> bool:
    try:
        form = form_of(name)
    except SecretError:
        return False
    return form is None or not form.rotates


def _email(settings: Settings, _: frozenset[str]) -> Iterator[Problem]:
    email = settings.email
    if email is None:
        return
    if (email.username is None) != (email.password is None):
        missing = "username" if email.username is None else "password"
        yield Problem(
            dotted("email", missing),
            "username and password belong together",
            f"Add {missing}, or take both out",
        )
    if (email.port, email.tls) in ((465, "starttls"), (587, "tls")):
        right = "tls" if email.port == 465 else "starttls"
        yield Problem(
            dotted("email", "tls"), f"port {email.port} does not speak {email.tls}", f"Write {right}"
        )


def _backup(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    if not is_touched(broken, "backup"):
        yield from backup_problems(
            settings.backup, has_mail=settings.email is not None or is_touched(broken, "email")
        )
