"""How the docker plugin's bridge checks inputs, explains differences and reads inputs back."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from typing import Any, ClassVar

from bench.plugins.base import Call, CheckFailed, Diff, Found, Resource
from bench.plugins.schema import Spec, nested, resource
from bench.plugins.values import UNKNOWN, Values, has_unknown

DEFAULTS = "__defaults"


def bare(value: Any) -> Any:
    """`value` without the notes on which properties were filled in."""
    if isinstance(value, dict):
        return {key: bare(inner) for key, inner in value.items() if key != DEFAULTS}
    return [bare(inner) for inner in value] if isinstance(value, list) else value


def brief(value: Any) -> Any:
    """`value` without what says no more than nothing, as an input that was left out."""
    if isinstance(value, dict):
        kept = {
            key: part
            for key, inner in value.items()
            if key != DEFAULTS and (part := brief(inner)) is not None
        }
        return kept or None
    if isinstance(value, list):
        return [brief(inner) for inner in value] or None
    return None if value in ("", False, 0) else value


def filled(spec: Spec, value: Any, zero: int | None = None) -> Any:
    """An input as the state keeps it: nested objects complete, `zero` for a number not given."""
    inner = nested("docker", spec)
    if value == UNKNOWN or inner is None:
        return value
    if isinstance(value, list):
        return [filled(spec, each, zero) for each in value]
    known = bare(value)
    return {
        name: filled(part, known[name], zero) if known.get(name) is not None else _nothing(part, zero)
        for name, part in inner["properties"].items()
    }


def _nothing(spec: Spec, zero: int | None) -> Any:
    return {"string": "", "boolean": False, "array": [], "integer": zero}.get(spec.get("type", ""))


class Bridged(Resource):
    """A resource type of the docker plugin; the facts of a type are in its class attributes."""

    token: ClassVar[str]
    defaults: ClassVar[Mapping[str, Any]] = {}  # what Check fills in
    inner_defaults: ClassVar[Mapping[str, Mapping[str, Any]]] = {}  # the same by nested object type
    computed: ClassVar[frozenset[str]] = (
        frozenset()
    )  # the daemon fills in: taking the input away is no change
    sets: ClassVar[frozenset[str]] = frozenset()  # lists whose order says nothing
    string_sets: ClassVar[frozenset[str]] = (
        frozenset()
    )  # of these, those of texts: the state has them in order
    named: ClassVar[bool] = True  # gets a name when none is given, and goes before it is replaced
    patterns: ClassVar[Mapping[str, str]] = {}  # texts that an input must match
    least: ClassVar[Mapping[str, int]] = {}  # the least that a number may be

    @property
    def inputs(self) -> Mapping[str, Spec]:
        """The schema's input properties."""
        found: Mapping[str, Spec] = resource(self.token)["inputProperties"]
        return found

    def check(self, call: Call) -> Values:
        found = {name: value for name, value in call.news.items() if value is not None}
        noted: list[str] = []
        for name, value in self.defaults.items():
            if name not in found:
                found[name] = value
                noted.append(name)
        if self.named and "name" not in found:
            proposed = call.autonaming.get("proposedName")
            found["name"] = call.olds.get("name") or proposed or f"{call.name}-{secrets.token_hex(4)[:7]}"
            noted.append("name")
        found = {name: self._with_defaults(self.inputs.get(name, {}), value) for name, value in found.items()}
        found[DEFAULTS] = sorted(noted)
        reasons = self._wrong(call, found)
        if reasons:
            raise CheckFailed(*(("", reason) for reason in reasons), inputs=found)
        return found

    def _with_defaults(self, spec: Spec, value: Any) -> Any:
        inner = nested("docker", spec)
        if inner is None or value == UNKNOWN:
            return value
        if isinstance(value, list):
            return [self._with_defaults(spec, each) for each in value]
        kind = (spec.get("$ref") or spec["items"]["$ref"]).rsplit(":", 1)[-1]
        extra = {k: v for k, v in self.inner_defaults.get(kind, {}).items() if value.get(k) is None}
        given = {
            name: self._with_defaults(inner["properties"].get(name, {}), part)
            for name, part in value.items()
            if part is not None
        }
        return {**given, **extra, DEFAULTS: sorted(extra)}

    def _wrong(self, call: Call, found: Values) -> list[str]:
        reasons = []
        for name in resource(self.token).get("requiredInputs", []):
            if name not in found:
                snake = re.sub(r"([A-Z])", lambda match: "_" + match[1].lower(), name)
                said = f'The argument "{snake}" is required, but no definition was found.'
                reasons.append(f"Missing required argument. {said}. Examine values at '{call.name}.{name}'.")
        for name, value in sorted(found.items()):
            if value == UNKNOWN or name == DEFAULTS:
                continue
            said = ""
            if name not in self.inputs:
                said = "Invalid or unknown key"
            elif name in self.patterns and not re.match(self.patterns[name], str(value)):
                said = f"'{value}' doesn't match the pattern '{self.patterns[name]}'"
                said = f"{said}. {said}"
            elif name in self.least and value < self.least[name]:
                said = f"'{value}' cannot be lower than {self.least[name]}"
                said = f"{said}. {said}"
            if said:
                reasons.append(f"{said}. Examine values at '{call.name}.{name}'.")
        return reasons

    def diff(self, call: Call) -> Diff:
        detailed: dict[str, str] = {}
        for name in sorted(self.inputs):
            if name not in call.ignore:
                self._compare(name, call.olds.get(name), call.news.get(name), detailed)
        forced = {name for name, spec in self.inputs.items() if spec.get("willReplaceOnChanges")}
        tops = [re.split(r"[.\[]", path, maxsplit=1)[0] for path in detailed]
        replaces = [top for top in tops if top in forced]
        given = self.named and "name" not in call.news.get(DEFAULTS, [])
        return Diff(
            diffs=sorted(set(tops)),
            replaces=replaces,
            stables=sorted(forced - set(tops)),
            detailed={
                path: kind + "_REPLACE" * (top in forced)
                for (path, kind), top in zip(detailed.items(), tops, strict=True)
            },
            delete_before_replace=bool(replaces) and given,
        )

    def _compare(self, name: str, old: Any, new: Any, detailed: dict[str, str]) -> None:
        """Note in `detailed` how the input `name` differs from the state."""
        was, now = brief(old), brief(new)
        if name in self.sets and isinstance(was, list) and isinstance(now, list):
            was, now = _sorted(was), _sorted(now)
        if was == now or (new is None and name in self.computed):
            return
        if now is None and new is None:
            detailed[name] = "DELETE"
        elif has_unknown(new):
            detailed[name] = "ADD" if old in (None, []) else "UPDATE"
        elif old is None or (was is None and isinstance(old, list)):
            detailed[name] = "ADD"
        elif not isinstance(new, dict | list):
            detailed[name] = "UPDATE"
        elif name in self.sets and _incomplete(old, new):
            detailed[name] = "UPDATE"  # with defaults left out, the bridge cannot pair a set's elements
        else:
            _paths(name, was, now, detailed)

    def read_inputs(self, call: Call, outputs: Values) -> Values:
        """The inputs after a read: the program's where the state agrees, else the state's."""
        if not call.old_inputs:
            names = {n: outputs.get(n) for n in self.inputs if brief(outputs.get(n)) is not None}
            return {**names, DEFAULTS: []}
        found: Values = {}
        for name, value in call.old_inputs.items():
            was, now = brief(value), brief(outputs.get(name))
            if (
                name in self.sets
                and isinstance(was, list)
                and isinstance(now, list)
                and isinstance(was[0], dict)
            ):
                was, now = _sorted(was), _sorted(now)  # a set of texts, though, is put in order
            found[name] = value if name == DEFAULTS or was == now else outputs.get(name)
        changed = {name for name in found if found[name] is not call.old_inputs[name]}
        found[DEFAULTS] = [name for name in call.old_inputs.get(DEFAULTS, []) if name not in changed]
        return found

    def found(self, call: Call, id: str, outputs: Values) -> Found:
        """What Read answers for an object that is there."""
        return Found(id, outputs, self.read_inputs(call, outputs))

    def state(self, inputs: Values, zero: int | None = None) -> Values:
        """The inputs as the state keeps them; sets in order."""
        kept = {n: filled(self.inputs.get(n, {}), v, zero) for n, v in inputs.items() if n != DEFAULTS}
        for name in self.sets & {"labels", *self.string_sets}:
            if isinstance(kept.get(name), list):
                kept[name] = _sorted(kept[name])
        return kept


def _sorted(values: list[Any]) -> list[Any]:
    return sorted(values, key=lambda value: json.dumps(value, sort_keys=True))


def _incomplete(olds: Any, news: Any) -> bool:
    """Whether an element of the state says something that the inputs leave to a default."""
    if not isinstance(news, list) or not all(isinstance(new, dict) for new in news) or not olds:
        return False
    said = {name for old in olds for name, value in old.items() if value is not None}
    return any(said - set(new) for new in news)


def _paths(path: str, old: Any, new: Any, detailed: dict[str, str]) -> None:
    """Note in `detailed` what differs at and below `path`."""
    if old == new:
        return
    if old is None or new is None:
        detailed[path] = "ADD" if old is None else "DELETE"
    elif isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            step = f".{key}" if key.isidentifier() else f"[{json.dumps(key)}]"
            _paths(path + step, old.get(key), new.get(key), detailed)
    elif isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            was, now = (each[index] if index < len(each) else None for each in (old, new))
            _paths(f"{path}[{index}]", was, now, detailed)
    else:
        detailed[path] = "UPDATE"
