"""All that a stack file wants of authentik."""

from __future__ import annotations

from collections.abc import Mapping

from components.apps.people import declare_people
from components.apps.providers import PROXY, preset_of, provider
from components.identity.plan import Plan
from components.secrets import Secrets
from components.settings import App, Settings
from components.settings.base import dotted

APPLICATION = "authentik_core.application"
BINDING = "authentik_policies.policybinding"
OUTPOST = "authentik_outposts.outpost"
EMBEDDED = "authentik Embedded Outpost"


def declare(plan: Plan, settings: Settings, secrets: Secrets) -> None:
    """Add groups, people, apps and raw objects to the plan.

    An app is a provider and an application of the app's key, and a binding for each group that may use it. Its names
    in the state come from its id, so that renaming an app renames its objects.
    """
    declare_people(plan, settings, secrets)
    behind = []
    ids = {group.name: group.id for group in settings.groups}
    for app in settings.apps:
        kind, fields = provider(app, settings, secrets)
        plan.add(kind, app.key, fields, adopt=app.adopt, logical_name=app.id, origin=dotted("apps", app.key))
        if kind == PROXY:
            behind.append(app.key)
        _declare_application(plan, app, ids)
    if behind:
        # The embedded outpost is authentik's own, and its list of providers has one owner: this line.
        host = {"authentik_host": settings.issuer_base}
        plan.add(OUTPOST, EMBEDDED, {"type": "proxy", "providers": behind, "config": host}, adopt=True)
    for index, raw in enumerate(settings.objects):
        origin = dotted("objects", index)
        plan.add(
            raw.kind,
            raw.name,
            raw.opened,
            adopt=raw.adopt,
            logical_name=raw.id,
            sealed=raw.sealed,
            origin=origin,
        )


def _declare_application(plan: Plan, app: App, ids: Mapping[str, str]) -> None:
    preset = preset_of(app)
    plan.add(
        APPLICATION,
        app.key,
        {
            "name": display_name(app),
            "provider": app.key,
            "meta_launch_url": app.launch_url or app.url + (preset.launch_path if preset else ""),
            "meta_icon": app.icon,
            "policy_engine_mode": "any",
        },
        adopt=app.adopt,
        logical_name=app.id,
        origin=dotted("apps", app.key),
    )
    for group in app.groups:
        plan.add(
            BINDING,
            f"{app.key}: {group}",
            {"target": app.key, "group": group, "order": 0},
            adopt=app.adopt,
            logical_name=f"{app.id}/{ids.get(group, group)}",
            origin=dotted("apps", app.key, "groups"),
        )


def display_name(app: App) -> str:
    """What people see on authentik's start page."""
    preset = preset_of(app)
    return app.name or (preset.name if preset else app.key)
