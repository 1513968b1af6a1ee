"""The reference page of all settings and the JSON schema for editors, made from the models."""

from __future__ import annotations

import inspect
import json
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import models_json_schema
from pydantic_core import PydanticUndefined

from components.secrets import SECRET_FORMS, SSH_KEYS
from components.settings import presets
from components.settings.apps import App
from components.settings.base import Model
from components.settings.model import Settings
from components.settings.protocols import PROTOCOLS
from components.settings.typing_tools import inside, meanings, models, plain

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "settings.md"
SCHEMA = ROOT / "stacks" / "schema.json"

_HEAD = """\
# Settings

Everything that a stack file, `stacks/Pulumi.<client>.yaml`, may say below `config:`, each with `gatehouse:` before
its name. This page and `stacks/schema.json` are made from the models in `components/settings`. For completion in an
editor, put this into the first line of a stack file:

    # yaml-language-server: $schema=schema.json

Mistakes are reported all at once, by their path, before anything is contacted: `./gatehouse doctor NAME`. A complete
example is [example-stack.yaml](example-stack.yaml); what people want of apps is shown in [apps.md](apps.md).

A setting that is marked *secure* is set with `pulumi config set --secret --path 'gatehouse:NAME' --stack CLIENT`; in
clear it is refused.
"""


def page() -> str:
    """The reference page."""
    parts = [_HEAD, _table("All settings", Settings)]
    parts += [_table(title, *found) for title, found in _sections(Settings, "", [])]
    parts += [_secrets()]
    return "\n".join(parts)


def schema() -> str:
    """A JSON schema of stack files."""
    found = [model for _, models in _sections(Settings, "", []) for model in models]
    found.append(Settings)
    _, defined = models_json_schema([(model, "validation") for model in found], by_alias=True)
    for model in found:
        _explain(defined["$defs"][model.__name__], model)
    inner = defined["$defs"].pop("Settings")
    groups = inner["properties"]["groups"]
    groups["items"] = {"anyOf": [{"type": "string"}, groups["items"]]}
    apps = inner["properties"]["apps"]
    apps["patternProperties"] = dict.fromkeys(apps["patternProperties"], _by_protocol())
    for name, app in PROTOCOLS.items():
        defined["$defs"][app.__name__]["properties"]["protocol"]["enum"] = [name]
    claims = defined["$defs"]["OidcApp"]["properties"]["claims"]
    bare = {"type": ["string", "number", "boolean", "array"]}
    for names, claim in claims["patternProperties"].items():
        claims["patternProperties"][names] = {"anyOf": [bare, claim]}
    properties = {f"gatehouse:{name}": value for name, value in inner["properties"].items()}
    whole = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A stack file of gatehouse",
        "type": "object",
        "properties": {
            "encryptionsalt": {"type": "string"},
            "secretsprovider": {"type": "string"},
            "encryptedkey": {"type": "string"},
            "config": {
                "type": "object",
                "properties": properties,
                "required": [f"gatehouse:{name}" for name in inner["required"]],
                # Settings of Pulumi itself and of plugins stand beside ours.
                "patternProperties": {"^(?!gatehouse:)": {}},
                "additionalProperties": False,
            },
        },
        "required": ["config"],
        "$defs": {name: _without_key(value) for name, value in defined["$defs"].items()},
    }
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def _by_protocol() -> dict[str, Any]:
    """An app is one of its protocol, which it says itself or by its preset."""
    schema: dict[str, Any] = {"anyOf": [{"$ref": f"#/$defs/{app.__name__}"} for app in PROTOCOLS.values()]}
    for name, app in reversed([*PROTOCOLS.items()]):
        known = [key for key in presets.names(own=False) if presets.built_in(key).protocol == name]
        said: list[dict[str, Any]] = [
            {"properties": {"protocol": {"enum": [name]}}, "required": ["protocol"]}
        ]
        if known:
            by_preset = {"properties": {"preset": {"enum": known}}, "required": ["preset"]}
            said.append({**by_preset, "not": {"required": ["protocol"]}})
        schema = {"if": {"anyOf": said}, "then": {"$ref": f"#/$defs/{app.__name__}"}, "else": schema}
    return schema


def _explain(definition: dict[str, Any], model: type[BaseModel]) -> None:
    for name, text in meanings(model).items():
        definition["properties"][name]["description"] = text


def _without_key(definition: dict[str, Any]) -> dict[str, Any]:
    """A definition without what only the program fills in: an app's own key."""
    hidden = [name for name in definition.get("properties", {}) if name.startswith(" ")]
    kept = {name: value for name, value in definition.get("properties", {}).items() if name not in hidden}
    required = [name for name in definition.get("required", ()) if name not in hidden]
    return {**definition, "properties": kept, **({"required": required} if "required" in definition else {})}


def _sections(
    model: type[BaseModel], path: str, seen: list[type[BaseModel]]
) -> Iterator[tuple[str, list[type[BaseModel]]]]:
    """Each place that holds models, with those that a value there may be."""
    for field in model.model_fields.values():
        annotation = field.annotation
        step = f"{path}{'.' if path else ''}{field.alias}"
        within = inside(annotation)
        if within is not None:
            step += "[…]" if plain(annotation) is tuple else ".<name>"
        found = [each for each in models(within if within is not None else annotation) if each not in seen]
        if found:
            seen += found
            yield f"`gatehouse:{step}`", found
        for each in found:
            yield from _sections(each, step, seen)


def _table(title: str, *found: type[BaseModel]) -> str:
    """What the models at a place may say: a table for what all of them may, and for what is shared by some once."""
    lines, ancestors = [f"## {title}", ""], [_ancestors(model) for model in found]
    common = [part for part in ancestors[0] if all(part in others for others in ancestors)]
    explained: list[type[BaseModel]] = []
    for parts in (common, *([part for part in each if part not in common] for each in ancestors)):
        for part in (each for each in parts if each not in explained):
            lines += [_about(part), "", *_rows(_own(part), part), ""]
        if again := [f"`{field.alias}`" for part in parts if part in explained for field in _own(part)]:
            lines += [f"And, as above: {', '.join(again)}.", ""]
        explained += parts
    return "\n".join(lines)


def _ancestors(model: type[BaseModel]) -> list[type[BaseModel]]:
    """A model, and what it inherits its settings from."""
    return [each for each in model.__mro__ if issubclass(each, Model) and each is not Model]


def _own(model: type[BaseModel]) -> list[FieldInfo]:
    """The settings that a model itself has."""
    named = inspect.get_annotations(model)
    return [field for name, field in model.model_fields.items() if name in named and not field.exclude]


def _about(model: type[BaseModel]) -> str:
    return " ".join((model.__doc__ or "").split())


def _rows(fields: Iterable[FieldInfo], model: type[BaseModel]) -> Iterator[str]:
    yield from ("| setting | form | default | meaning |", "|---|---|---|---|")
    for field in fields:
        cells = (
            f"`{field.alias}`",
            " or ".join(f"`{name}`" for name in PROTOCOLS)
            if field is App.model_fields["protocol"]
            else _form(field.annotation),
            _default(field),
            _words(model, field.alias or ""),
        )
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _words(model: type[BaseModel], name: str) -> str:
    """What a setting is for. Raises LookupError, naming it, where its class does not say."""
    known = meanings(model)
    if name not in known:
        raise LookupError(
            f"{model.__name__}.{name} has no words: write below it in {model.__module__} what it is for"
        )
    return known[name]


_NAMES = {
    "str": "text",
    "int": "number",
    "bool": "`true` or `false`",
    "SecretStr": "*secure*",
    "Any": "anything",
    "date": "day",
    "datetime": "date and time",
}


def _form(annotation: Any) -> str:
    return " or ".join(dict.fromkeys(_forms(annotation)))


def _forms(annotation: Any) -> Iterator[str]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is types.NoneType:
        return
    if origin in (Union, types.UnionType):
        for member in arguments:
            yield from _forms(member)
    elif origin is Literal:
        yield from (f"`{str(value).lower() if isinstance(value, bool) else value}`" for value in arguments)
    elif origin is tuple:
        yield f"list of {_form(arguments[0])}"
    elif origin is dict:
        yield f"mapping of {_form(arguments[1])}"
    elif hasattr(annotation, "__metadata__"):
        yield from _forms(arguments[0])
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield "mapping"
    else:
        yield _NAMES[annotation.__name__]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**needed**"
    value = field.default if field.default is not PydanticUndefined else None
    if value is None or value in ((), "") or isinstance(value, BaseModel):
        return ""
    if isinstance(value, tuple):
        return f"`[{', '.join(value)}]`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _secrets() -> str:
    lines = [
        "## Derived secrets", "",
        "Names for `gatehouse:secrets.generations` and `gatehouse:secrets.overrides`.", "",
        "| secret | length | an override may be | takes a new generation |", "|---|---|---|---|",
    ]  # fmt: skip
    lines += [
        f"| `{name}` | {form.length} | {form.limit} | {'yes' if form.rotates else 'no'} |"
        for name, form in SECRET_FORMS.items()
    ]
    lines += [
        f"| `{name}` | | an ed25519 private key in OpenSSH's format, without a passphrase | no |"
        for name in SSH_KEYS
    ]
    return "\n".join([*lines, ""])


def files() -> dict[Path, str]:
    """Page and schema as they are to be."""
    return {PAGE: page(), SCHEMA: schema()}
