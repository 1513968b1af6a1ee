"""Raw objects against what the tables of authentik's kinds say of their fields."""

from __future__ import annotations

from collections.abc import Iterator

from components.problems import Problem
from components.settings.base import dotted
from components.settings.checking import is_touched
from components.settings.model import Settings
from components.settings.secret_forms import IN_CLEAR, set_secret


def check_secrets(settings: Settings, broken: frozenset[str]) -> Iterator[Problem]:
    """Fields that are secret by nature and stand in clear."""
    if not settings.objects or is_touched(broken, "authentik"):
        return
    from components.identity.kinds import ReleaseLine  # noqa: PLC0415  (a file without raw objects need not read the tables)

    try:
        line = ReleaseLine(settings.authentik.line)
    except KeyError:
        return  # that is said elsewhere
    for index, raw in enumerate(settings.objects):
        secret = line.kind(raw.kind).secret if raw.kind in line.labels() else frozenset()
        for name, value in raw.fields.items():
            if name in secret and value and name not in raw.sealed:
                path = ("objects", index, "fields", name)
                yield Problem(dotted(*path), IN_CLEAR, set_secret(dotted(*path), settings.client))
