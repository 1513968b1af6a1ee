"""From raw values to settings, or to every mistake that is in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from components.problems import Problem, Problems, nearest
from components.settings import advice, checks
from components.settings.base import dotted
from components.settings.checking import is_broken
from components.settings.model import Settings
from components.settings.salvage import Loc, locate, salvage
from components.settings.sealed import is_sealed
from components.settings.secret_forms import NOT_SECRET, SET_SECRET, set_secret
from components.settings.typing_tools import inside, meanings, models

_MANY = 25  # names of settings in one sentence


def parse(raw: Mapping[str, object], *, sealed: bool = False) -> Settings:
    """The settings of a stack file, given its values without the `gatehouse:` prefix.

    With `sealed` the values are those of the file itself, where a secret is `{secure: …}` and its content is not
    looked at. Raises Problems with every mistake.
    """
    context = {"sealed": sealed}
    try:
        settings = Settings.model_validate(dict(raw), context=context)
        problems = list(checks.check(settings, frozenset()))
        if not sealed:
            problems += advice.missing_token(settings)
    except ValidationError as error:
        problems = [_problem(detail, str(raw.get("client", "NAME"))) for detail in error.errors()]
        broken = frozenset(problem.where for problem in problems)
        if rest := salvage(raw, error, context):
            problems += (found for found in checks.check(rest, broken) if not is_broken(broken, found.where))
    if problems:
        raise Problems(sorted(set(problems)))
    settings._warnings = tuple(advice.warnings(settings))
    return settings


def _problem(detail: ErrorDetails, client: str) -> Problem:
    loc, context, given = locate(detail["loc"]), detail.get("ctx", {}), detail["input"]
    path = dotted(*loc)
    if sealed := _misplaced(loc, detail):
        return sealed
    match detail["type"]:
        case "gatehouse" if context["remedy"] == SET_SECRET:
            return Problem(path, context["what"], set_secret(path, client))
        case "gatehouse":
            return Problem(path, context["what"], context["remedy"])
        case "extra_forbidden":
            known = _known(loc[:-1])
            if loc[-1] in (misnomers := _misnomers(loc[:-1])):
                return Problem(path, *misnomers[loc[-1]])
            rest = f"Take one of {', '.join(known)}" if len(known) <= _MANY else "See docs/settings.md"
            what = f"there is no setting {loc[-1]!r} here"
            return Problem(path, what, nearest(str(loc[-1]), known) or rest)
        case "missing":
            about = _describe(loc)
            return Problem(path, "it is missing", f"Add {loc[-1]}: {about}" if about else f"Add {loc[-1]}")
        case "literal_error":
            choices = context["expected"].replace("'", "")
            near = nearest(str(given), choices.replace(" or ", ", ").split(", "))
            return Problem(path, f"{given!r} is not a choice", near or f"Take one of {choices}")
        case "greater_than_equal":
            return Problem(path, f"{_shown(given)} is too small", f"Write {context['ge']} or more")
        case "less_than_equal":
            return Problem(path, f"{_shown(given)} is too large", f"Write {context['le']} or less")
        case kind if kind in _WORDS:
            what, remedy = _WORDS[kind]
            return Problem(path, f"{_shown(given)} {what}", remedy)
        case _:
            message = detail["msg"].removeprefix("Input ").removeprefix("String ").removeprefix("Value ")
            return Problem(path, f"{_shown(given)} {message}", _describe(loc) or "See docs/settings.md")


def _misplaced(loc: Loc, detail: ErrorDetails) -> Problem | None:
    """A secret in a setting that is none: pydantic objects to the mapping, or to what is and is not in it."""
    if loc[-1:] != ("secure",) and not is_sealed(detail["input"]):
        return None
    place = loc[:-1] if loc[-1:] == ("secure",) or detail["type"] == "missing" else loc
    what = "this is not a secret setting: it would stand in clear in state and previews"
    return Problem(dotted(*place), what, NOT_SECRET)


# pydantic's words for a value of the wrong type, in an operator's terms.
_WORDS = {
    "string_type": (
        "is not a text",
        "Write a text; put what looks like a number or true and false in quotes",
    ),
    "int_type": ("is not a whole number", "Write digits alone"),
    "int_parsing": ("is not a whole number", "Write digits alone"),
    "int_from_float": ("is not a whole number", "Write digits alone"),
    "bool_type": ("is neither true nor false", "Write true or false"),
    "bool_parsing": ("is neither true nor false", "Write true or false"),
    "tuple_type": ("is not a list", "Write [first, second], or one line with a hyphen for each"),
    "dict_type": ("is not a mapping", "Write name: value, one a line and indented"),
    "model_type": ("is not a mapping", "Write name: value, one a line and indented"),
    "model_attributes_type": ("is not a mapping", "Write name: value, one a line and indented"),
}


def _shown(given: object) -> str:
    """A value in a sentence; whole sections are named rather than repeated."""
    if isinstance(given, dict):
        return "a mapping"
    if isinstance(given, list | tuple):
        return "a list"
    return "nothing" if given is None else repr(given)


def _type_at(loc: Loc) -> Any:
    annotation: Any = Settings
    for step in loc:
        fields = [field for model in models(annotation) for field in model.model_fields.values()]
        field = next((field for field in fields if field.alias == step), None)
        annotation = field.annotation if field else inside(annotation)
    return annotation


def _known(loc: Loc) -> list[str]:
    """The names of the settings that are at `loc`, as they are written."""
    found = {
        field.alias or name: None
        for model in models(_type_at(loc))
        for name, field in model.model_fields.items()
        if not field.exclude
    }
    return [*found]


def _misnomers(loc: Loc) -> Mapping[str | int, tuple[str, str]]:
    """Names that are no settings at `loc`, with what is so instead."""
    return {
        name: said
        for model in models(_type_at(loc))
        for name, said in getattr(model, "misnomers", {}).items()
    }


def _describe(loc: Loc) -> str | None:
    """What the setting at `loc` is for, in the words of the reference page."""
    for model in models(_type_at(loc[:-1])):
        if about := meanings(model).get(str(loc[-1])):
            return about.rstrip(".")
    return None
