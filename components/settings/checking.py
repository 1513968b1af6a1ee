"""What the checks share. `broken` has the paths of settings that are wrong by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from components.problems import Problem, nearest
from components.settings.base import dotted

if TYPE_CHECKING:
    from components.settings.model import Settings


def is_broken(broken: frozenset[str], path: str) -> bool:
    """Whether `path`, or something that it is part of, is wrong by itself."""
    return any(path == one or path.startswith((f"{one}.", f"{one}[")) for one in broken)


def is_touched(broken: frozenset[str], *parts: str | int) -> bool:
    """Whether the setting at `parts`, or something in it, is wrong by itself."""
    path = dotted(*parts)
    return any(one == path or one.startswith((f"{path}.", f"{path}[")) for one in broken)


def declared(
    settings: Settings, broken: frozenset[str], names: Iterable[str], path: tuple[str | int, ...]
) -> Iterator[Problem]:
    if is_touched(broken, "groups"):
        return
    known = {group.name for group in settings.groups} | raw_names(settings, "authentik_core.group")
    for index, name in enumerate(names):
        if name not in known:
            yield Problem(
                dotted(*path, index),
                f"there is no group {name!r}",
                nearest(name, known) or f"Add {_as_declared(name)} to gatehouse:groups",
            )


def _as_declared(group: str) -> str:
    """A group as it has to be declared: one that every authentik has can only be taken over."""
    from components.identity.kinds import defaults  # noqa: PLC0415  (for mistakes alone)

    there = group in defaults().get("authentik_core.group", {})
    return f"{{name: {group}, adopt: true}}" if there else group


def raw_names(settings: Settings, kind: str) -> set[str]:
    """Names of the raw objects of a kind."""
    return {raw.name for raw in settings.objects if raw.kind == kind}


def either(names: Iterable[str]) -> str:
    *first, last = list(names)
    return f"{', '.join(first)} or {last}" if first else last
