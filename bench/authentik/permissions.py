"""The permissions that roles are given: Django makes four for each model when the database is made.

Those that authentik adds of its own (`view_system_info` and the like) are not here, and nothing on the bench is ever
allowed or refused by a permission: they can be named, and that is all.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from bench.authentik import lists, names
from bench.authentik.api import Api
from bench.authentik.calls import Answer, Call
from bench.authentik.catalog import Kind, load

FILTERS = {"codename": "codename", "content_type__model": "model", "content_type__app_label": "app_label"}


def app_words(kind: Kind) -> str:
    """How an app of authentik's is called; recorded of "Core" only."""
    return kind.label.partition(".")[0].removeprefix("authentik_").replace("_", " ").title()


@cache
def permissions(line: str) -> tuple[dict[str, Any], ...]:
    """All of a line, in Django's order."""
    found = [
        {
            "name": f"Can {action} {names.verbose(kind)}",
            "codename": f"{action}_{kind.class_name.lower()}",
            "model": kind.class_name.lower(),
            "app_label": kind.label.partition(".")[0],
            "app_label_verbose": f"authentik {app_words(kind)}",
            "model_verbose": names.verbose(kind),
        }
        for kind in sorted(load(line).kinds.values(), key=lambda kind: kind.label)
        for action in ("add", "change", "delete", "view")
    ]
    return tuple({"id": number, **each} for number, each in enumerate(found, 1))


def listing(api: Api, call: Call) -> Answer:
    """GET /rbac/permissions/"""
    asked = {field: call.first(name) for name, field in FILTERS.items()}
    found: list[Any] = [
        each
        for each in permissions(api.line.name)
        if all(wanted in (None, "", each[field]) for field, wanted in asked.items())
    ]
    block, shown = lists.page(found, dict(call.query))
    return Answer(200, lists.answer(block, list(shown)))
