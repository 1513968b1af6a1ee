"""Who may use an app, as authentik's bindings.

authentik has one mode for all bindings of an application: any of them, or all. Groups and people are alternatives, and
policies are conditions; where there are several of the former, and one of the latter at least, a policy of ours stands
for the former.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Literal

from components.identity.plan import Plan
from components.settings import App, Settings
from components.settings.access_checks import bound_app
from components.settings.app_access import BINDING, WHOLE
from components.settings.base import dotted

POLICY = "authentik_policies_expression.expressionpolicy"


def mode(app: App, settings: Settings) -> Literal["all", "any"]:
    """Whether one of the app's bindings is enough."""
    raw = any(bound_app(settings, each) == app and each.fields.get("policy") for each in settings.objects)
    return "all" if (app.policies or app.until or raw) and app.require == "all" else "any"


def declare_access(plan: Plan, app: App, settings: Settings) -> None:
    """Add the app's bindings to the plan."""
    for field, name, logical, setting in _bindings(plan, app, settings):
        plan.add(
            BINDING,
            f"{app.key}: {name}",
            {"target": app.key, field: name, **WHOLE},
            adopt=app.adopt,
            logical_name=logical,
            origin=dotted("apps", app.key, setting),
        )


def _bindings(plan: Plan, app: App, settings: Settings) -> Iterator[tuple[str, str, str, str]]:
    """(field, name, logical name, setting) of each."""
    ids = {("group", group.name): group.id for group in settings.groups}
    ids |= {("user", person.username): person.id for person in settings.people}
    subjects = _subjects(app)
    if len(subjects) > 1 and mode(app, settings) == "all":
        name = f"{app.key}: who may use it"
        plan.add(POLICY, name, {"expression": expression(app)}, logical_name=f"{app.id}: people")
        yield "policy", name, f"{app.id}: people", "policies"
    else:
        for field, name in subjects:
            known = ids.get((field, name), name)
            logical = f"{app.id}/{known}" if field == "group" else f"{app.id}: user {known}"
            yield field, name, logical, f"{field}s"
    for name in app.policies:
        yield "policy", name, f"{app.id}: policy {name}", "policies"
    if app.end:
        name = f"{app.key}: until when"
        plan.add(POLICY, name, {"expression": before(app.end)}, logical_name=f"{app.id}: until")
        yield "policy", name, f"{app.id}: until", "until"


def _subjects(app: App) -> list[tuple[str, str]]:
    """The groups and people who may use it; with them the account that it looks people up with."""
    named: list[tuple[str, str]] = list(app.subjects)
    return [*named, ("user", app.bind_account)] if named and app.bind_account else named


def before(end: datetime) -> str:
    """Whether it is not that late yet."""
    last = f"datetime({end.year}, {end.month}, {end.day}, tzinfo=timezone.utc)"
    return f"from datetime import datetime, timezone\nreturn datetime.now(timezone.utc) < {last}"


def expression(app: App) -> str:
    """Whether somebody is in one of the app's groups, or in one below it, or is one of its users."""
    conditions: list[Any] = []
    users = sorted(name for subject, name in _subjects(app) if subject == "user")
    if app.groups:
        conditions.append(f"ak_is_group_member(request.user, name__in={sorted(app.groups)!r})")
    if users:
        conditions.append(f"request.user.username in {users!r}")
    return f"return {' or '.join(conditions)}"
