"""Checking fields against the catalog of the client's line, before anything is contacted. All problems at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from components.identity import catalog
from components.identity.kind_exceptions import OWNED_BY_OTHER_SIDE
from components.identity.kinds import ReleaseLine
from components.identity.rules import rule_problems, rule_warnings
from components.identity.specs import ObjectSpec
from components.identity.texts import text_problem, unknown_units
from components.objects.values import has_null, is_empty, is_plain
from components.problems import Problem, nearest, warning

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list, tuple),
    "object": (dict,),
}
_TYPE_NAMES = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
}


def kind_problems(line: ReleaseLine, spec: ObjectSpec) -> Iterator[Problem]:
    """Whether the kind exists in this line and may be declared."""
    if spec.kind in line.labels():
        why = line.undeclarable_reason(spec.kind)
        if why is not None:
            yield Problem(spec.where, f"this kind is not configuration: {why}", "Leave it out")
        return
    since = [other for other in catalog.lines() if spec.kind in ReleaseLine(other).labels()]
    if since:
        yield Problem(
            spec.where,
            f"authentik {line.line} has no such kind",
            f"It is known in {_list(since)}; update authentik, or leave it out",
        )
    else:
        yield Problem(spec.where, "there is no such kind", _nearest(spec.kind, line.labels(), "kinds"))


def field_problems(line: ReleaseLine, spec: ObjectSpec) -> Iterator[Problem]:
    """Unknown fields, wrong types and values, missing required fields. References are checked elsewhere."""
    known = line.fields(spec.kind)
    references = line.kind(spec.kind).references
    for name, value in spec.fields.items():
        where = f"{spec.where}, {name}"
        if name not in known:
            yield _unknown(line, spec.kind, name, where)
        elif not is_plain(value) or value is None:
            continue
        elif name in spec.sealed:
            yield from _sealed(line, spec, name, value)
        elif name in references:
            yield from _reference(where, value, many=references[name].many)
        else:
            yield from _value(where, known[name], value)
    for part in line.kind(spec.kind).key.parts:
        if all(spec.fields.get(name) is None for name in part.fields) and (part.is_choice or spec.adopt):
            yield Problem(
                spec.where,
                f"{' or '.join(part.fields)} is missing",
                "It is part of what identifies the object",
            )
    for name, facts in known.items():
        # An object that is taken over has the rest already.
        if facts.get("required") and spec.fields.get(name) is None and not spec.adopt:
            wanted = _article(facts) if name not in references else "the name of another object"
            yield Problem(spec.where, f"{name} is missing", f"Give it {wanted}")
    yield from rule_problems(line, spec)


def _sealed(line: ReleaseLine, spec: ObjectSpec, name: str, value: Any) -> Iterator[Problem]:
    """A field with a secret in it: no text may show any of it."""
    kind, facts, where = line.kind(spec.kind), line.fields(spec.kind)[name], f"{spec.where}, {name}"
    if name in kind.references or name in kind.key.fields:
        yield Problem(where, "is a name, and names stand in state and previews", "Write it without secure")
    elif any(_value(where, facts, value)):
        yield Problem(where, "its secret value is not what the field takes", f"Give it {_article(facts)}")


def _unknown(line: ReleaseLine, kind: str, name: str, where: str) -> Problem:
    if name in OWNED_BY_OTHER_SIDE.get(kind, {}):
        side = OWNED_BY_OTHER_SIDE[kind][name]
        return Problem(where, "this relation is declared from its other side", f"Declare {side} instead")
    having = [
        other
        for other in catalog.lines()
        if kind in ReleaseLine(other).labels() and name in ReleaseLine(other).fields(kind)
    ]
    if having:
        order = catalog.lines()
        later = order.index(having[0]) > order.index(line.line)
        said = f"exists from {having[0]} on" if later else f"exists up to {having[-1]}"
        return Problem(
            where,
            f"{said}, as far as known; this stack runs {line.line}",
            "Leave it out, or change the version",
        )
    return Problem(where, "there is no such field", _nearest(name, line.fields(kind), "fields"))


def _reference(where: str, value: Any, *, many: bool) -> Iterator[Problem]:
    if many and not isinstance(value, (list, tuple)):
        yield Problem(where, f"is {_kind_of(value)}", "Give a list of names")
        return
    for each in value if many else [value]:
        if not isinstance(each, str) and is_plain(each):
            yield Problem(
                where, f"refers to {each!r}", "Refer to objects by name (a slug, a name), not by pk"
            )


def _value(where: str, facts: Mapping[str, Any], value: Any) -> Iterator[Problem]:
    if not is_plain(value):
        return
    type_ = facts["type"]
    expected = _TYPES.get(type_)
    if expected and (not isinstance(value, expected) or (isinstance(value, bool) and type_ != "boolean")):
        yield Problem(where, f"is {_kind_of(value)}", f"Give it {_article(facts)}")
        return
    if "enum" in facts and value not in facts["enum"]:
        yield Problem(where, f"cannot be {value!r}", f"Choose one of {_list(facts['enum'])}")
    if isinstance(value, str):
        yield from _text(where, facts, value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        low, high = facts.get("minimum"), facts.get("maximum")
        if (low is not None and value < low) or (high is not None and value > high):
            yield Problem(where, f"{value} is out of range", f"Stay between {low} and {high}")
    if isinstance(value, (list, tuple)) and "items" in facts:
        for index, each in enumerate(value):
            yield from _value(f"{where}[{index}]", facts["items"], each)
    if isinstance(value, dict) and "fields" in facts:
        yield from _object(where, facts["fields"], value)


def _text(where: str, facts: Mapping[str, Any], value: str) -> Iterator[Problem]:
    if facts.get("minLength") and not value.strip():
        yield Problem(where, "must not be empty", "Give it a text, or leave the field out")
    longest, length = facts.get("maxLength"), len(value.strip())
    if longest is not None and length > longest:
        yield Problem(where, f"has {length} characters", f"Use at most {longest}")
    wrong = text_problem(facts, value)
    if wrong is not None:
        yield Problem(where, *wrong)


def _object(where: str, known: Mapping[str, Any], value: Mapping[str, Any]) -> Iterator[Problem]:
    for name, inner in value.items():
        if name not in known:
            yield Problem(f"{where}.{name}", "there is no such field", _nearest(name, known, "fields"))
        elif inner is not None:
            yield from _value(f"{where}.{name}", known[name], inner)
    for name, facts in known.items():
        if facts.get("required") and is_empty(value.get(name)):
            yield Problem(where, f"{name} is missing", f"Give it {_article(facts)}")


def field_warnings(line: ReleaseLine, spec: ObjectSpec) -> Iterator[Problem]:
    """What authentik takes, or may take, and what is hardly meant."""
    if line.needs_enterprise(spec.kind):
        what = "authentik takes objects of this kind with an enterprise licence only"
        yield warning(spec.where, what, "Without one, leave it out")
    yield from rule_warnings(line, spec)
    known = line.fields(spec.kind)
    for name, value in spec.fields.items():
        where = f"{spec.where}, {name}"
        if has_null(value):
            yield warning(
                where, "a null in it gets lost on its way through the engine", "Leave that member out"
            )
        for unit in unknown_units(known.get(name, {}), value):
            yield warning(where, f"authentik skips the unit {unit!r} without a word", "Correct it")


def _nearest(name: str, known: Iterable[str], what: str) -> str:
    return nearest(name, known) or f"See the {what} in the reference"


def _article(facts: Mapping[str, Any]) -> str:
    said = _TYPE_NAMES.get(facts["type"], "a value")
    return f"{said} of {_list(facts['enum'])}" if "enum" in facts else said


def _kind_of(value: Any) -> str:
    for name, types in _TYPES.items():
        if isinstance(value, types) and (not isinstance(value, bool) or name == "boolean"):
            return _TYPE_NAMES[name]
    return f"a {type(value).__name__}"


def _list(values: Any) -> str:
    return ", ".join(str(value) for value in values)
