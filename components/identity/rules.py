"""What authentik demands of several fields together, checked before anything is contacted.

A rule is a row of facts: `rule`, the fields `f` that it is about, when it holds (`when` a field has one of some values,
`when_set`, `unless`), and what authentik assumes of fields that are not sent (`assume`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from components.identity.kinds import ReleaseLine
from components.identity.specs import ObjectSpec
from components.objects.values import is_empty, is_plain
from components.problems import Problem, warning

Rule = Mapping[str, Any]
LIFETIME = "goauthentik.io/user/token-maximum-lifetime"
"""The attribute of a person or group that says how long an app password may live; without it, 30 minutes."""
_OF_VALUES = frozenset({"reserved", "no_space", "kubeconfig", "server_overwrites", "trimmed"})
"""Rules about a value that is given: they count for an object that is taken over, too."""


def rule_problems(line: ReleaseLine, spec: ObjectSpec) -> Iterator[Problem]:
    """Rules of the kind that this object breaks. Of one that is taken over, only what is declared is known."""
    for rule, values, fields in _applicable(line, spec):
        yield from _violation(rule, spec, values, fields)


def rule_warnings(line: ReleaseLine, spec: ObjectSpec) -> Iterator[Problem]:
    """What authentik takes and then does away with by itself."""
    for rule, values, fields in _applicable(line, spec):
        ends = rule["rule"] == "server_overwrites" or (rule["rule"] == "max" and "expires" not in spec.fields)
        if ends and fields == ["expires"] and values.get("expiring"):
            what = f"authentik ends it 30 minutes after it is written{_condition_text(rule)}, and then deletes it"
            yield warning(spec.where, what, "Set expiring to false if it is to stay")


def _applicable(line: ReleaseLine, spec: ObjectSpec) -> Iterator[tuple[Rule, dict[str, Any], list[str]]]:
    """The rules that hold for this object, with its values over authentik's defaults and the fields of each."""
    known = line.fields(spec.kind)
    told = {name: facts["default"] for name, facts in known.items() if "default" in facts}
    usual = {} if spec.adopt else {**told, **line.defaults(spec.kind)}
    for rule in line.rules(spec.kind):
        if spec.adopt and rule["rule"] not in _OF_VALUES:
            continue
        values = {**usual, **({} if spec.adopt else rule.get("assume", {})), **spec.fields}
        fields = [name for name in _fields(rule) if name in known]
        about = {*fields, *rule.get("when", ()), rule.get("when_set")}
        later = any(not is_plain(values.get(name)) for name in about)
        if not later and _holds(rule, values):
            yield rule, values, fields


def describe(line: ReleaseLine, kind: str) -> Iterator[str]:
    """The rules of a kind, a sentence each."""
    for rule in line.rules(kind):
        fields = [f"`{name}`" for name in _fields(rule) if name in line.fields(kind)]
        named, why = ", ".join(fields), _condition_text(rule)
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
            case "may_be_empty_only_if":
                yield f"{named} must be given, and may be empty only{why}."
            case "server_overwrites" if fields:
                yield f"authentik itself sets {named}{why}."
            case "max":
                yield f"{named} cannot be further off than its user's attribute `{LIFETIME}` says{why}: 30 minutes."
            case "trimmed":
                yield f"Blanks at the ends of {named} are cut off, so its own default cannot be written."


def _fields(rule: Rule) -> list[str]:
    return [rule["f"]] if isinstance(rule["f"], str) else list(rule["f"])


def _holds(rule: Rule, values: Mapping[str, Any]) -> bool:
    """Whether the rule applies to an object with these values."""
    if rule["rule"] == "may_be_empty_only_if":
        return True  # its condition is what makes an empty value right
    if "when_set" in rule and is_empty(values.get(rule["when_set"])):
        return False
    if any(values.get(name) == value for name, value in rule.get("unless", {}).items()):
        return False
    for name, wanted in rule.get("when", {}).items():
        if values.get(name) not in (wanted if isinstance(wanted, list) else [wanted]):
            return False
    return True


def _violation(
    rule: Rule, spec: ObjectSpec, values: Mapping[str, Any], fields: list[str]
) -> Iterator[Problem]:
    filled = [name for name in fields if not is_empty(values.get(name))]
    said, where = " or ".join(fields), spec.where
    why = _condition_text(rule)
    match rule["rule"]:
        case "required_if" | "not_empty" | "not_empty_if":
            for name in fields:
                if name not in filled:
                    yield Problem(where, f"{name} is missing{why}", "Give it a value")
        case "any_not_empty" | "any_set" if fields and not filled:
            yield Problem(where, f"{said} is missing", "Give one of them a value")
        case "any_true" | "any_true_if" if fields and not any(values.get(name) for name in fields):
            yield Problem(where, f"{said} must be true{why}", "Set one of them")
        case "exactly_one" if len(filled) > 1:
            yield Problem(where, f"{' and '.join(filled)} exclude each other", "Leave all but one out")
        case "reserved" if values.get(fields[0]) in rule["v"]:
            reserved = ", ".join(rule["v"])
            yield Problem(f"{where}, {fields[0]}", f"cannot be any of {reserved}", "Choose another")
        case "no_space" if " " in str(values.get(fields[0])).strip():
            yield Problem(f"{where}, {fields[0]}", "must not contain blanks", "Use one word")
        case "may_be_empty_only_if" if not filled:
            met = all(values.get(name) == value for name, value in rule["when"].items())
            if said not in values:
                remedy = "Give it a value; an empty one ({}) will do" if met else "Give it a value"
                yield Problem(where, f"{said} is missing", remedy)
            elif not met:
                yield Problem(where, f"{said} is empty, which it may be only{why}", "Give it a value")
        case "kubeconfig" if filled and not _loadable(values[said]):
            what = "has no current context with its cluster and user"
            remedy = "Give it what `kubectl config view --raw --minify --flatten -o json` says"
            yield Problem(f"{where}, {said}", what, remedy)
        case "server_overwrites" if said in spec.fields:
            yield Problem(f"{where}, {said}", f"is set by authentik itself{why}", "Leave it out")
        case "trimmed" if isinstance(text := spec.fields.get(said), str) and text != text.strip():
            what = "has blanks at its ends, which authentik cuts off"
            yield Problem(f"{where}, {said}", what, "Write it without; left out, it keeps what it has")


def _loadable(config: Any) -> bool:
    """Whether Kubernetes' own client finds its way in a kubeconfig: a current context, its cluster and its user."""

    def named(section: str, name: Any) -> Any:
        rows = config.get(section)
        found = [row for row in rows if isinstance(row, dict) and row.get("name") == name] if rows else []
        return found[0].get(section.removesuffix("s")) if found else None

    if not isinstance(config, dict):
        return False
    context = named("contexts", config.get("current-context"))
    return isinstance(context, dict) and None not in (
        named("clusters", context.get("cluster")), named("users", context.get("user")),
    )  # fmt: skip


def _condition_text(rule: Rule) -> str:
    """The condition in words."""
    if "when_set" in rule:
        return f", since {rule['when_set']} is set"
    if "unless" in rule:
        return "".join(f", unless {name} is {_value_text(value)}" for name, value in rule["unless"].items())
    conditions = [
        f"{name} is {' or '.join(map(_value_text, wanted if isinstance(wanted, list) else [wanted]))}"
        for name, wanted in rule.get("when", {}).items()
    ]
    return f" where {' and '.join(conditions)}" if conditions else ""


def _value_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
