"""Which of authentik's fields each setting of an app stands for: what a setting says, nothing else may say as well."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from components.settings.apps import KEPT, App

APPLICATION = "authentik_core.application"
_APPLICATION = {
    "slug": KEPT,
    "provider": KEPT,
    "policy_engine_mode": ("require",),
    "backchannel_providers": ("scim",),
    "name": ("name",),
    "meta_launch_url": ("launch_url",),
    "meta_icon": ("icon",),
    "meta_description": ("description",),
    "group": ("group",),
    "open_in_new_tab": ("open_in_new_tab",),
}
_ALWAYS = frozenset({"provider", "policy_engine_mode", "client_id", "client_secret"})
"""Fields that count as said in any case: who gets in, and what the app is known by, which nothing changes anyway."""


def settings_of(app: App, kind: str) -> Mapping[str, tuple[str, ...]]:
    """Field of the app's application or provider -> the settings that say it."""
    return _APPLICATION if kind == APPLICATION else app.provider_settings


def said_by(app: App, kind: str, field: str) -> str | None:
    """The settings that say a field, as they are written; None where none does."""
    names = settings_of(app, kind).get(field)
    return None if not names else " or ".join(str(type(app).model_fields[name].alias) for name in names)


def unsaid(app: App, kind: str, fields: Iterable[str]) -> frozenset[str]:
    """Those of the fields that the stack file does not say itself."""
    extra, settings = {**app.extra.provider, **app.extra.application}, settings_of(app, kind)
    return frozenset(
        field
        for field in ("name", *fields)
        if field not in _ALWAYS | extra.keys() and not {*settings.get(field, ())} & app.model_fields_set
    )
