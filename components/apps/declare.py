"""All that a stack file wants of authentik."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.apps.people import declare_people
from components.apps.providers import KINDS, PROXY, defaulted, keep, preset_of, provider
from components.identity.plan import Plan
from components.secrets import Secrets
from components.settings import App, RawObject, Settings
from components.settings.base import dotted

APPLICATION = "authentik_core.application"
BINDING = "authentik_policies.policybinding"
OUTPOST = "authentik_outposts.outpost"
EMBEDDED = "authentik Embedded Outpost"
_SETTINGS = {"name": "name", "meta_launch_url": "launch_url", "meta_icon": "icon"}
"""Fields of an application that need not be written, by the setting that they come from."""


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
        plan.add(
            kind,
            app.key,
            fields,
            adopt=app.adopt,
            defaulted=defaulted(app, fields),
            owner=app.key,
            keep=keep(app, settings.client),
            logical_name=app.id,
            origin=dotted("apps", app.key),
            # All providers share one name space: an app that changes its protocol gives the old one up first.
            formerly=[other for other in KINDS if other != kind],
        )
        if kind == PROXY:
            behind.append(app.key)
        _declare_application(plan, app, ids)
    raw = {(each.kind, each.name): each for each in settings.objects}
    if behind:
        _declare_embedded(plan, behind, settings.issuer_base, raw.pop((OUTPOST, EMBEDDED), None))
    for index, each in enumerate(settings.objects):
        if (each.kind, each.name) in raw:
            plan.add(
                each.kind,
                each.name,
                each.opened,
                adopt=each.adopt,
                logical_name=each.id,
                sealed=each.sealed,
                origin=dotted("objects", index),
            )


def _declare_embedded(plan: Plan, behind: list[str], host: str, raw: RawObject | None) -> None:
    """The embedded outpost is authentik's own, and its list of providers has one owner: this function.

    What a raw object says of it is laid over that; its providers come on top.
    """
    more = raw.opened if raw else {}
    config, providers = more.get("config", {}), more.get("providers", [])
    whole: dict[str, Any] = {
        "type": "proxy",
        **more,
    }  # what is not of the right type is for the plan to refuse
    if isinstance(providers, list):
        whole["providers"] = [*behind, *(name for name in providers if name not in behind)]
    if isinstance(config, dict):
        whole["config"] = {"authentik_host": host, **config}
    sealed = raw.sealed if raw else ()
    plan.add(OUTPOST, EMBEDDED, whole, adopt=True, sealed=sealed, logical_name=raw.id if raw else None)


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
        defaulted=[field for field, setting in _SETTINGS.items() if setting not in app.model_fields_set],
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
