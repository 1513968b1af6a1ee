"""What authentik and an app speak: a module for each protocol, with all that is special about it.

A class of `App` is an app of that protocol: its settings, what must be right of them, its provider's fields, its
outpost, what the app is told and how a login is tried. mypy refuses one that leaves something out.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from components.settings.apps import OTHERS, App
from components.settings.presets import find, laid_under
from components.settings.protocols.ldap import LdapApp
from components.settings.protocols.oidc import OidcApp
from components.settings.protocols.proxy import ProxyApp
from components.settings.protocols.radius import RadiusApp
from components.settings.protocols.saml import SamlApp
from components.settings.typing_tools import OneOf

MODELS: tuple[type[App], ...] = (
    OidcApp,
    ProxyApp,
    SamlApp,
    LdapApp,
    RadiusApp,
)
PROTOCOLS: Mapping[str, type[App]] = {model.speaks: model for model in MODELS}
"""The class of an app, by the name of its protocol."""


def having(setting: str) -> list[str]:
    """The protocols whose apps have a setting, named as it is written."""
    return [name for name, model in PROTOCOLS.items() if setting in _written(model)]


class _ByProtocol(OneOf):
    """An app is of the class of its protocol."""

    def __get_pydantic_core_schema__(self, _: Any, __: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(_app)

    def __get_pydantic_json_schema__(self, _: CoreSchema, __: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "object"}  # what may be in it, `tools.settings_page` says


AppSetting = Annotated[App, _ByProtocol(MODELS)]


def _app(value: Any, info: ValidationInfo) -> App:
    """An app that says no protocol, or none that there is, counts as one of OpenID Connect until it is refused."""
    if isinstance(value, App):
        return value
    model: type[App] = OidcApp
    if isinstance(value, dict):
        preset = find(str(value.get("preset")))
        model = PROTOCOLS.get(str(value.get("protocol") or (preset and preset.protocol)), OidcApp)
        written = _written(model)
        others = tuple(name for name in value if name not in written and having(name))
        said = {name: each for name, each in value.items() if name not in others}
        laid = laid_under(said)
        app = model.model_validate({**laid, **_over(laid, said), OTHERS: others}, context=info.context)
        # What only the preset says is not said by the file: taking over an object leaves it alone.
        app.__pydantic_fields_set__.difference_update(written[name] for name in laid.keys() - said.keys())
        return app
    return model.model_validate(value, context=info.context)


def _over(laid: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """What the file says, its claims together with those of the preset."""
    under, over = laid.get("claims"), said.get("claims")
    both = isinstance(under, dict) and isinstance(over, dict)
    return {**said, "claims": {**under, **over}} if both else {**said}  # type: ignore[dict-item]


@cache
def _written(model: type[App]) -> Mapping[str, str]:
    """The settings of an app as they are written, with their names here."""
    return {field.alias or name: name for name, field in model.model_fields.items()}
