"""What gatehouse knows about well-known apps: one file each, in components/apps/presets/.

A file in `presets/`, beside `stacks/`, is a preset of one's own; it takes the place of gatehouse's of the same name.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from components.problems import Problem
from components.settings import yaml_text
from components.settings.forms import url_problem

_ROOT = Path(__file__).resolve().parents[2]
BUILT_IN, OWN = _ROOT / "components/apps/presets", _ROOT / "presets"
Text = Annotated[str, Field(min_length=1)]
Format = Literal[
    "clicks",
    "commands",
    "env",
    "file",
    "ini",
    "javascript",
    "json",
    "php",
    "powershell",
    "python",
    "ruby",
    "yaml",
]
"""What an app's settings are written in. `clicks` are fields of a form, `file` is a file of no format."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Block(_Part):
    """Settings that are entered in one place of the app."""

    where: Text
    """The file, the page, the shell."""
    format: Format
    text: Text
    """A template of jinja2's with `${…}` for values: see docs/presets.md."""
    instead_of: Format | None = None
    """The format of the other blocks whose place it takes, if it is asked for."""


class Way(_Part):
    """One of the protocols that the app speaks."""

    why: Text
    """Why it is taken before those below it."""
    app: dict[str, Any] = Field(default_factory=dict)
    """Settings of the app, in the words of a stack file, which wins. `${url}`, `${host}` and `${NAME}` of a parameter
    stand for their values."""
    settings: tuple[Block, ...] = ()
    """What the app itself is told."""


class Parameter(_Part):
    """What nobody but the app's owner knows."""

    what: Text
    default: str | None = None


class Preset(_Part):
    """A well-known app."""

    name: Text
    about: Text
    """What it is for, in a few words."""
    protocols: Annotated[dict[str, Way], Field(min_length=1)]
    """By their names, the one first that is taken if the app says none."""
    parameters: dict[str, Parameter] = Field(default_factory=dict)
    roles: dict[str, str] = Field(default_factory=dict)
    """What the app calls its roles, with what each may do; the mightiest first."""
    existing: Text
    """What happens to accounts that were there before."""
    traps: tuple[str, ...] = ()
    version: Text
    """The version of the app that the sources are about."""
    read: date
    """When the sources were read."""
    sources: Annotated[tuple[str, ...], Field(min_length=1)]
    confidence: Literal["source", "docs", "guide", "unsure"]
    """Whether it is of the app's source, of its documentation, of authentik's guide alone, or of hearsay."""
    unsure: str = ""
    """What is less sure than the rest."""

    @property
    def protocol(self) -> str:
        """The one that is taken if the app says none."""
        return next(iter(self.protocols))

    @model_validator(mode="after")
    def _names(self) -> Self:
        """Parameters are not called as what a template has anyway."""
        if taken := {"url", "host"} & self.parameters.keys():
            raise ValueError(f"a parameter may not be called {' or '.join(sorted(taken))}")
        return self


class _Template(string.Template):
    """`${name}` alone stands for something: a dollar ends a pattern."""

    pattern = r"\$\{(?P<braced>\w+)\}|(?P<escaped>(?!))|(?P<named>(?!))|(?P<invalid>(?!))"  # type: ignore[assignment]  # (a text before the class is made)


def names(*, own: bool = True) -> list[str]:
    """The names of all presets, or of gatehouse's alone."""
    folders = (BUILT_IN, OWN) if own else (BUILT_IN,)
    return sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})


def path(name: str) -> Path:
    """The file of a preset; one's own takes the place of gatehouse's."""
    own = OWN / f"{name}.yaml"
    return own if own.is_file() else BUILT_IN / f"{name}.yaml"


def find(name: str | None) -> Preset | None:
    """The preset of this name; None where there is none, or where its file has mistakes."""
    file = path(name) if name else None
    found = _read(file) if file and file.is_file() else None
    return found if isinstance(found, Preset) else None


def built_in(name: str) -> Preset:
    """A preset of gatehouse's own. Raises ValueError for a file that is none."""
    found = _read(BUILT_IN / f"{name}.yaml")
    if isinstance(found, list):
        raise ValueError("\n".join(map(str, found)))
    return found


def mistakes(name: str) -> list[Problem]:
    """What is wrong with the file of a preset."""
    found = _read(path(name))
    return found if isinstance(found, list) else []


def laid_under(app: Mapping[str, Any]) -> dict[str, Any]:
    """What the app's preset says of it, in the words of the stack file; not what needs a parameter that is missing."""
    preset = find(app.get("preset")) if isinstance(app.get("preset"), str | None) else None
    way = preset.protocols.get(str(app.get("protocol") or preset.protocol)) if preset else None
    url = app.get("url")
    if preset is None or way is None or not isinstance(url, str) or url_problem(url):
        return {}
    values = {"url": url, "host": urlsplit(url).netloc, **parameters(preset, app.get("parameters"))}
    filled = ((name, _filled(value, values)) for name, value in way.app.items())
    return {"name": preset.name, **{name: value for name, value in filled if value is not _MISSING}}


def parameters(preset: Preset, given: Any) -> dict[str, str]:
    """The parameters of a preset that have a value: what the app gives, else their defaults."""
    defaults = {name: each.default for name, each in preset.parameters.items() if each.default is not None}
    return defaults | (
        {str(name): str(value) for name, value in given.items()} if isinstance(given, dict) else {}
    )


_MISSING = object()


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    """A value with its templates filled in."""
    if isinstance(value, str):
        try:
            return _Template(value).substitute(values)
        except KeyError:
            return _MISSING
    if isinstance(value, dict):
        inner = {name: _filled(each, values) for name, each in value.items()}
        return _MISSING if _MISSING in inner.values() else inner
    if isinstance(value, list):
        items = [_filled(each, values) for each in value]
        return _MISSING if _MISSING in items else items
    return value


@cache
def _read(file: Path) -> Preset | list[Problem]:
    where = file.relative_to(_ROOT).as_posix() if file.is_relative_to(_ROOT) else str(file)
    try:
        text = file.read_text(encoding="utf-8")
        return Preset.model_validate(yaml_text.loaded(text))
    except UnicodeDecodeError:
        return [Problem(where, "it is not written in UTF-8", "Save it as UTF-8")]
    except yaml.YAMLError as error:
        what, line = yaml_text.mistake(error)
        return [
            Problem(f"{where}:{line}" if line else where, f"it is not YAML: {what}", "Correct what is there")
        ]
    except ValidationError as error:
        return list(_problems(where, text, error))


def _problems(where: str, text: str, error: ValidationError) -> Iterator[Problem]:
    for detail in error.errors():
        at, last = f"{where}:{yaml_text.line(text, detail['loc'])}", ".".join(map(str, detail["loc"]))
        remedy = "Compare it with docs/presets.md, and with the files in components/apps/presets"
        match detail["type"]:
            case "missing":
                yield Problem(at, f"{last} is missing", remedy)
            case "extra_forbidden":
                yield Problem(at, f"{last} is nothing that a preset has", remedy)
            case _:
                words = detail["msg"].removeprefix("Value error, ")
                yield Problem(at, f"{last or 'the file'}: {words}", remedy)
