"""What authentik demands of several fields together, checked before anything is contacted.

A rule is a row of facts: `rule`, the fields `f` that it is about, when it holds (`when` a field has one of some values,
`when_set`, `unless`), and what authentik assumes of fields that are not sent (`assume`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pulumi
from pulumi.output import Unknown

from components.identity.kinds import Line
from components.identity.specs import Finding, Spec
from components.objects.values import is_empty

Rule = Mapping[str, Any]


def rule_findings(line: Line, spec: Spec) -> Iterator[Finding]:
    """Rules of the kind that this object, which is to be made, breaks."""
    known = line.fields(spec.kind)
    told = {name: facts["default"] for name, facts in known.items() if "default" in facts}
    usual = {**told, **line.defaults(spec.kind)}
    for rule in line.rules(spec.kind):
        values = {**usual, **rule.get("assume", {}), **spec.fields}
        fields = [name for name in _fields(rule) if name in known]
        about = {*fields, *rule.get("when", ()), rule.get("when_set")}
        later = any(isinstance(values.get(name), (pulumi.Output, Unknown)) for name in about)
        if not later and _holds(rule, values):
            yield from _broken(rule, spec.where, values, fields)


def in_words(line: Line, kind: str) -> Iterator[str]:
    """The rules of a kind, a sentence each."""
    for rule in line.rules(kind):
        fields = [f"`{name}`" for name in _fields(rule) if name in line.fields(kind)]
        named, why = ", ".join(fields), _why(rule)
        match rule["rule"]:
            case "required_if" | "not_empty" | "not_empty_if":
                yield f"{named} must be given{why}."
            case "any_not_empty" | "any_set":
                yield f"One of {named} must be given."
            case "any_true" | "any_true_if":
                yield f"One of {named} must be true{why}."
            case "exactly_one":
                yield f"{named} exclude each other."
            case "reserved":
                yield f"{named} cannot be {', '.join(rule['v'])}."
            case "no_space":
                yield f"{named} must not contain blanks."


def _fields(rule: Rule) -> list[str]:
    return [rule["f"]] if isinstance(rule["f"], str) else list(rule["f"])


def _holds(rule: Rule, values: Mapping[str, Any]) -> bool:
    """Whether the rule applies to an object with these values."""
    if "when_set" in rule and is_empty(values.get(rule["when_set"])):
        return False
    if any(values.get(name) == value for name, value in rule.get("unless", {}).items()):
        return False
    for name, wanted in rule.get("when", {}).items():
        if values.get(name) not in (wanted if isinstance(wanted, list) else [wanted]):
            return False
    return True


def _broken(rule: Rule, where: str, values: Mapping[str, Any], fields: list[str]) -> Iterator[Finding]:
    filled = [name for name in fields if not is_empty(values.get(name))]
    said = " or ".join(fields)
    why = _why(rule)
    match rule["rule"]:
        case "required_if" | "not_empty" | "not_empty_if":
            for name in fields:
                if name not in filled:
                    yield Finding(where, f"{name} is missing{why}", "Give it a value")
        case "any_not_empty" | "any_set" if fields and not filled:
            yield Finding(where, f"{said} is missing", "Give one of them a value")
        case "any_true" | "any_true_if" if fields and not any(values.get(name) for name in fields):
            yield Finding(where, f"{said} must be true{why}", "Set one of them")
        case "exactly_one" if len(filled) > 1:
            yield Finding(where, f"{' and '.join(filled)} exclude each other", "Leave all but one out")
        case "reserved" if values.get(fields[0]) in rule["v"]:
            reserved = ", ".join(rule["v"])
            yield Finding(f"{where}, {fields[0]}", f"cannot be any of {reserved}", "Choose another")
        case "no_space" if " " in str(values.get(fields[0])).strip():
            yield Finding(f"{where}, {fields[0]}", "must not contain blanks", "Use one word")


def _why(rule: Rule) -> str:
    """The condition in words."""
    if "when_set" in rule:
        return f", since {rule['when_set']} is set"
    if "unless" in rule:
        return "".join(f", unless {name} is {_said(value)}" for name, value in rule["unless"].items())
    conditions = [
        f"{name} is {' or '.join(map(_said, wanted if isinstance(wanted, list) else [wanted]))}"
        for name, wanted in rule.get("when", {}).items()
    ]
    return f" where {' and '.join(conditions)}" if conditions else ""


def _said(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
