"""All that a stack file wants of authentik."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components import login
from components.apps.access import declare_access, mode
from components.apps.people import declare_people
from components.apps.searching import declare_search
from components.identity.plan import Plan
from components.secrets import Secrets
from components.settings import App, RawObject, Settings
from components.settings.app_fields import APPLICATION, unsaid
from components.settings.apps import AppContext
from components.settings.base import dotted
from components.settings.outposts import outposts
from components.settings.protocols import PROTOCOLS
from components.settings.secret_forms import sealing

OUTPOST = "authentik_outposts.outpost"
SCIM = "authentik_providers_scim.scimprovider"
EMBEDDED = "authentik Embedded Outpost"
_SCIM_MAPPING = "goauthentik.io/providers/scim/{}"


def declare(plan: Plan, settings: Settings, secrets: Secrets) -> None:
    """Add groups, people, apps and raw objects to the plan.

    An app is a provider and an application of the app's key, and a binding for each group that may use it. Its names
    in the state come from its id, so that renaming an app renames its objects.
    """
    declare_people(plan, settings, secrets)
    context = AppContext(settings, secrets)
    for app in settings.apps:
        _declare_provider(plan, app, context)
        _declare_application(plan, app, settings)
    raw = {(each.kind, each.name): each for each in settings.objects}
    if behind := [app.key for app in settings.apps if app.embedded and not app.outpost_in(settings)]:
        _declare_embedded(plan, behind, settings.issuer_base, raw.pop((OUTPOST, EMBEDDED), None))
    for outpost, served in outposts(settings):
        plan.add(
            OUTPOST,
            outpost.title,
            {
                "type": outpost.protocol,
                "providers": [app.key for app in served],
                "config": {"authentik_host": context.authentik},
                "token": secrets.as_secret(outpost.token),
            },
        )
    _declare_login(plan, settings, raw)
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


def _declare_login(plan: Plan, settings: Settings, raw: dict[tuple[str, str], RawObject]) -> None:
    """How people log in. Of one of authentik's own objects, a raw one may say what this does not: that one is merged,
    and taken out of `raw`.
    """
    for part in login.parts(settings):
        if part.kind in login.OWN:
            plan.add_own(part.kind, part.name, part.fields, origin=dotted("login", part.setting))
            continue
        more = raw.get((part.kind, part.name)) if part.adopt else None
        if more is not None and not more.fields.keys() & part.fields.keys():
            del raw[part.kind, part.name]
        else:
            more = None
        plan.add(
            part.kind,
            part.name,
            {**part.fields, **(more.opened if more else {})},
            adopt=part.adopt,
            sealed=more.sealed if more else (),
            logical_name=more.id if more else part.name,
            origin=dotted("login", part.setting),
        )


def planned(settings: Settings, secrets: Secrets) -> Plan:
    """The plan of a stack file. Raises Problems for a line that is not known."""
    plan = Plan(settings.authentik.line)
    declare(plan, settings, secrets)
    return plan


def _declare_provider(plan: Plan, app: App, context: AppContext) -> None:
    fields = {**app.provider_fields(context), **app.extra.provider}
    plan.add(
        app.provider,
        app.key,
        fields,
        adopt=app.adopt,
        defaulted=unsaid(app, app.provider, fields),
        owner=app.key,
        keep=_keep(app, context.settings.client),
        logical_name=app.id,
        origin=dotted("apps", app.key),
        # All providers share one name space: an app that changes its protocol gives the old one up first.
        formerly=[each.provider for each in PROTOCOLS.values() if each.provider != app.provider],
        searcher=app.bind_account or "",
    )
    declare_search(plan, app, context)
    for own in app.own_objects(context):
        plan.add(
            own.kind,
            own.name,
            own.fields,
            logical_name=f"{app.id}/{own.suffix}",
            origin=dotted("apps", app.key, own.setting),
        )
    if app.scim is not None:
        plan.add(
            SCIM,
            _back_channel(app),
            {
                "url": app.scim.url,
                "token": app.scim.token,
                "compatibility_mode": app.scim.compatibility,
                "property_mappings": [_SCIM_MAPPING.format("user")],
                "property_mappings_group": [_SCIM_MAPPING.format("group")],
                "exclude_users_service_account": True,
            },
            logical_name=f"{app.id}/scim",
            origin=dotted("apps", app.key, "scim"),
        )


def _keep(app: App, client: str) -> dict[str, str]:
    """What the app is known by, which taking over never changes; with the commands that declare what is there."""
    named = {"client_id": f"app/{app.id}/client-id", "client_secret": f"app/{app.id}/client-secret"}
    return {field: sealing(dotted("secrets", "overrides", name), client) for field, name in named.items()}


def _back_channel(app: App) -> str:
    return f"{app.key}: scim"


def _declare_embedded(plan: Plan, behind: Sequence[str], host: str, raw: RawObject | None) -> None:
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


def _declare_application(plan: Plan, app: App, settings: Settings) -> None:
    fields = {
        "name": app.name or app.key,
        "provider": app.key,
        "backchannel_providers": [_back_channel(app)] if app.scim else None,
        "meta_launch_url": app.launch_url or app.url,
        "meta_icon": app.icon,
        "meta_description": app.description,
        "group": app.group,
        "open_in_new_tab": app.open_in_new_tab or None,
        "policy_engine_mode": mode(app, settings),
        **app.extra.application,
    }
    plan.add(
        APPLICATION,
        app.key,
        fields,
        adopt=app.adopt,
        defaulted=unsaid(app, APPLICATION, fields),
        foreign=app.foreign_access or settings.foreign_access,
        logical_name=app.id,
        origin=dotted("apps", app.key),
    )
    declare_access(plan, app, settings)
