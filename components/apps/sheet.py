"""What is entered in an app: settings in its own format, with the client's values in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from components.settings import App, AppContext
from components.settings.presets import Block, Format, parameters

_ABBREVIATIONS = {"url", "uris", "id", "dn", "tls", "ldap", "sso", "slo", "jwks"}
HIDDEN = "<the {}: add --show-secrets>"


@dataclass(frozen=True)
class Entry:
    """What is entered in one place."""

    where: str
    format: Format
    text: str


@dataclass(frozen=True)
class Sheet:
    """All that is entered in one app."""

    entries: tuple[Entry, ...]
    others: tuple[Format, ...]
    """Formats that a part of it can be had in instead."""
    hidden: bool
    """Whether secrets are left out."""


def sheet(app: App, context: AppContext, *, show_secrets: bool, wanted: str | None = None) -> Sheet:
    """What is entered in an app, in the format that is wanted where there are several. Contacts nobody.

    Raises:
        LookupError: nothing of it can be had in that format.
        TemplateError: a preset of one's own has a template that cannot be filled in.
    """
    values = _values(app, context, show_secrets=show_secrets)
    way = app.well_known.protocols.get(app.speaks) if app.well_known else None
    blocks = way.settings if way else ()
    if wanted and wanted not in {each.format for each in blocks}:
        raise LookupError(wanted)
    entries = [_entry(each, values) for each in chosen(blocks, wanted)] or [*_generic(app, values)]
    entries += [
        Entry(f"the {server} in front of the app (one of the servers is enough)", "file", text)
        for server, text in app.front_server(context).items()
    ]
    others = tuple(each.format for each in blocks if each.instead_of and each.format != wanted)
    names = app.secret_outputs().values()
    return Sheet(tuple(entries), others, hidden=bool(names) and not show_secrets)


def chosen(blocks: Iterable[Block], wanted: str | None) -> list[Block]:
    """The blocks that are shown: one of a format that is wanted takes the place of those that it is instead of."""
    blocks = [*blocks]
    taken = [each for each in blocks if each.instead_of and each.format == wanted]
    replaced = {each.instead_of for each in taken}
    return [
        each for each in blocks if each in taken or (each.instead_of is None and each.format not in replaced)
    ]


def fill(block: Block, values: Mapping[str, Any]) -> str:
    """The text of a block with values in it, each made fit for the block's format. Raises TemplateError."""
    return _environment(block.format).from_string(block.text).render(values)


def _entry(block: Block, values: Mapping[str, Any]) -> Entry:
    where = _environment("clicks").from_string(block.where).render(values)
    return Entry(where, block.format, fill(block, values).rstrip("\n"))


def _generic(app: App, values: Mapping[str, Any]) -> Iterator[Entry]:
    """What an app of this protocol is usually asked, in no format; nothing where it is asked nothing."""
    names = [*app.endpoints(values["context"]), *_secret_names(app)]
    shown = {name: values[name] for name in names if values[name] not in (None, "", ())}
    lines = [f"{_label(name)}: {_joined(value)}" for name, value in shown.items()]
    if lines:
        yield Entry(
            f"the settings of {app.name or app.key}, whatever it calls them", "clicks", "\n".join(lines)
        )


def _label(name: str) -> str:
    words = [each.upper() if each in _ABBREVIATIONS else each for each in name.split("_")]
    return " ".join([words[0][0].upper() + words[0][1:], *words[1:]])


def _joined(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _secret_names(app: App) -> dict[str, str]:
    """What a template calls the app's secrets, with the names that they are derived by."""
    return {name.rsplit("/", 1)[1].replace("-", "_"): name for name in app.secret_outputs().values()}


class _Roles(dict[str, tuple[str, ...]]):
    """Roles that the app gives to groups; a role that nobody has is an empty list of groups."""

    def __missing__(self, _: str) -> tuple[str, ...]:
        return ()


def _by_might(app: App) -> dict[str, tuple[str, ...]]:
    """The app's roles, the mightiest first as its preset lists them: many an app takes the first that fits."""
    listed = app.well_known.roles if app.well_known else ()
    return {**{role: app.roles[role] for role in listed if role in app.roles}, **app.roles}


def _values(app: App, context: AppContext, *, show_secrets: bool) -> dict[str, Any]:
    """What stands for what in a template."""
    preset = app.well_known
    secrets = {
        name: context.secrets.value(derived) if show_secrets else HIDDEN.format(name.replace("_", " "))
        for name, derived in _secret_names(app).items()
    }
    return {
        **(parameters(preset, app.parameters) if preset else {}),
        "context": context,
        "key": app.key,
        "url": app.url,
        "host": urlsplit(app.url).netloc,
        "auth_url": context.authentik,
        "groups": app.groups,
        "roles": _Roles(_by_might(app)),
        "client_secret": "",  # a public app has none
        **app.endpoints(context),
        **secrets,
    }


def _quoted(value: str, quote: str = '"') -> str:
    return value.replace("\\", "\\\\").replace(quote, f"\\{quote}").replace("\n", "\\n")


_ESCAPES: Mapping[Format, Callable[[str], str]] = {
    "json": _quoted,
    "yaml": _quoted,
    "python": _quoted,
    "javascript": _quoted,
    "php": lambda value: _quoted(value, "'"),
    "ruby": lambda value: _quoted(value, "'"),
    "commands": lambda value: value.replace("'", r"'\''"),
    "powershell": lambda value: value.replace("'", "''"),
}
"""What is done to a value inside the quotes of a format: double ones, but single ones in the last four."""


@cache
def _environment(format_: Format) -> ImmutableSandboxedEnvironment:
    """Where templates of a format are filled in. What `tojson` made is fit already."""
    escape = _ESCAPES.get(format_, str)

    def finalize(value: Any) -> Any:
        return value if isinstance(value, Markup) else escape(str(value))

    return ImmutableSandboxedEnvironment(
        variable_start_string="${",
        variable_end_string="}",
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        finalize=finalize,
        autoescape=False,
    )
