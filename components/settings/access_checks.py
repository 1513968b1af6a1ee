"""Whether each app says who may use it, and says it in one place."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from components.problems import Problem, warning
from components.settings.app_access import APPLICATION, BINDING
from components.settings.apps import App
from components.settings.base import dotted
from components.settings.checking import declared, is_touched
from components.settings.identity import RawObject
from components.settings.model import Settings

SAYING = ("groups", "users", "everyone", "group")
"""Settings of an app that say, or seem to say, who may use it."""


def check_access(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    """Apps that say nothing of it or too much, and raw bindings that say it in their place."""
    for app in settings.apps:
        path = ("apps", app.key)
        yield from declared(settings, broken, app.groups, (*path, "groups"))
        for role, groups in app.roles.items():
            yield from declared(settings, broken, groups, (*path, "roles", role))
        if app.until and app.require == "any":
            yield Problem(
                dotted(*path, "until"),
                "with require: any, whoever is in one of its groups gets in after that day too",
                "Take require out, or take until out",
            )
        if dotted(*path) in broken or any(is_touched(broken, *path, name) for name in SAYING):
            continue
        named = " and ".join(name for name in ("groups", "users") if getattr(app, name))
        if app.everyone and named:
            what = f"with it everybody who has an account may use the app, whatever is in {named}"
            yield Problem(dotted(*path, "everyone"), what, f"Take it out, or take {named} out")
        elif not app.everyone and not named and app.group in {group.name for group in settings.groups}:
            yield Problem(
                dotted(*path, "group"),
                f"this is the heading on the start page, and lets nobody in or out, though {app.group} is a group",
                f"Write groups: [{app.group}]",
            )
        elif not app.everyone and not named:
            yield Problem(
                dotted(*path),
                "nothing says who may use it",
                "Add groups: [name, …] or users: [name, …]; or everyone: true, if everybody may who has an account",
            )
    for index, raw in enumerate(settings.objects):
        bound = bound_app(settings, raw)
        for subject in ("group", "user"):
            if bound and raw.fields.get(subject):
                yield Problem(
                    dotted("objects", index),
                    f"who may use {bound.key} is said by the app itself",
                    f"Add {raw.fields[subject]} to {dotted('apps', bound.key, f'{subject}s')}, and take this out",
                )


def access_warnings(settings: Settings) -> Iterator[Problem]:
    """Access that has ended, and roles of people who do not get in."""
    for app in settings.apps:
        if app.end and app.end <= datetime.now(UTC):
            yield warning(
                dotted("apps", app.key, "until"),
                f"nobody has got in since {app.until} ended",
                "Write a later day, or take the app out",
            )
        for role, groups in app.roles.items():
            for index, group in enumerate(groups):
                if not app.everyone and group not in app.groups:
                    yield warning(
                        dotted("apps", app.key, "roles", role, index),
                        f"{group} is not among the groups that may use the app",
                        f"Add {group} to its groups, or leave it if its people get in by another group",
                    )


def bound_app(settings: Settings, raw: RawObject) -> App | None:
    """The app that a raw object is a binding of, if it is one."""
    if raw.kind != BINDING:
        return None
    target = str(raw.fields.get("target", "")).removeprefix(f"{APPLICATION}:")
    return settings.app_settings.get(target)
