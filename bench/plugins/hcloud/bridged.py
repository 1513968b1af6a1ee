"""How the bridge of the official plugin checks, compares and reads: the part that all its resources share.

Hetzner's plugin has resources of two makes. The older ones (`Sdk`: servers, volumes, firewalls) note their
defaults, explain a difference property by property and delete before they replace; the newer ones
(`Framework`: SSH keys, primary IPs, reverse names) do neither.
"""

from __future__ import annotations

import secrets
from typing import Any, ClassVar

from hcloud.helpers.labels import LabelValidator

from bench.plugins.base import Call, CheckFailed, Diff, Found, Resource
from bench.plugins.schema import nested, resource
from bench.plugins.values import UNKNOWN, Values, has_unknown

DEFAULTS = "__defaults"


def bare(value: Any) -> Any:
    """`value` without the notes on defaults, at any depth."""
    if isinstance(value, dict):
        return {k: bare(v) for k, v in value.items() if k != DEFAULTS}
    return [bare(v) for v in value] if isinstance(value, list) else value


def empty(value: Any) -> bool:
    """Whether a value says no more than a property that is not set."""
    return value in (None, "", 0, False, [], {})


class Bridged(Resource):
    """What both makes have in common."""

    kind: ClassVar[str]  # the type's token
    replacing: ClassVar[tuple[str, ...]]  # inputs whose change replaces, in alphabetical order
    computed: ClassVar[tuple[str, ...]] = ()  # inputs that the API fills in: taking them away changes nothing
    unordered: ClassVar[tuple[str, ...]] = ()  # lists whose order says nothing

    def _named(self, call: Call, inputs: Values) -> list[str]:
        """Give the resource a name if the program gave none; the names of what was filled in."""
        if "name" not in resource(self.kind)["inputProperties"] or inputs.get("name") is not None:
            return []
        old = call.olds.get("name")
        proposed = call.autonaming.get("proposedName")
        inputs["name"] = old or proposed or f"{call.name}-{secrets.token_hex(4)[:7]}"
        return ["name"]

    def _wrong_labels(self, call: Call, inputs: Values) -> list[tuple[str, str]]:
        labels = inputs.get("labels")
        if not isinstance(labels, dict) or has_unknown(labels):
            return []
        wrong = []
        for key, value in bare(labels).items():
            if not LabelValidator.KEY_REGEX.match(key):
                wrong.append(f"label key '{key}' is not correctly formatted")
            elif not LabelValidator.VALUE_REGEX.match(value):
                wrong.append(f"label value '{value}' (key: {key}) is not correctly formatted")
        return [("", f"{reason}. Examine values at '{call.name}.labels'.") for reason in wrong]

    def changed(self, call: Call, new: Values) -> list[str]:
        """The inputs in which the program and the state differ."""
        old = call.olds
        names = [k for k in resource(self.kind)["inputProperties"] if k not in call.ignore]
        return [k for k in names if self._differs(k, old.get(k), new.get(k), k in new)]

    def _differs(self, name: str, old: Any, new: Any, given: bool) -> bool:
        if not given:
            return name not in self.computed and not empty(old)
        if empty(old) and empty(new) and not isinstance(new, bool):
            return False
        if name in self.unordered and isinstance(old, list) and isinstance(new, list):
            return sorted(map(repr, old)) != sorted(map(repr, new))
        return bool((old or False) != new) if isinstance(new, bool) else bool(old != new)

    def refreshed(self, call: Call, outputs: Values) -> Values:
        """The inputs that match a state that was just read: what the program gave, with today's values."""
        if not call.old_inputs and not call.olds:
            return self.imported(outputs)
        inputs = {}
        for name, old in bare(call.old_inputs).items():
            value = outputs.get(name)
            if self._differs(name, value, old, given=True):
                inputs[name] = value
            else:
                inputs[name] = old
        return inputs

    def imported(self, outputs: Values) -> Values:
        """The inputs for an object that the program did not make: every one that is not empty."""
        names = resource(self.kind)["inputProperties"]
        return {k: v for k, v in outputs.items() if k in names and not empty(v)}

    def found(self, call: Call, id: str, outputs: Values) -> Found:
        """A reply to Read."""
        return Found(id, outputs, self.refreshed(call, outputs))


class Framework(Bridged):
    """The newer make."""

    unset: ClassVar[Values] = {}  # what an input is that the program leaves out

    def check(self, call: Call) -> Values:
        inputs = {k: v for k, v in call.news.items() if v is not None}
        failures = self._wrong_labels(call, inputs) + self.wrong(call, inputs)
        self._named(call, inputs)
        failures = [
            ("", f"Missing required property '{name}'. Examine values at '{call.name}.{name}'.")
            for name in resource(self.kind).get("requiredInputs", [])
            if name not in inputs
        ] + failures
        if failures:
            raise CheckFailed(*failures, inputs=inputs)
        return inputs

    def wrong(self, call: Call, inputs: Values) -> list[tuple[str, str]]:
        """What else is wrong with the inputs."""
        del call, inputs
        return []

    def diff(self, call: Call) -> Diff:
        changed = self.changed(call, {**self.unset, **call.news})
        replaces = [k for k in changed if k in self.replacing]
        if changed and not replaces:
            changed += [k for k in self.unknown_on_update() if k not in call.news and k not in changed]
        return Diff(diffs=sorted(changed), replaces=sorted(replaces))

    def unknown_on_update(self) -> tuple[str, ...]:
        """What this make takes for unknown as soon as anything else changes."""
        return ()


class Sdk(Bridged):
    """The older make."""

    sets: ClassVar[tuple[str, ...]] = ()  # of `unordered`: those whose difference is shown as a whole

    def check(self, call: Call) -> Values:
        known = resource(self.kind)["inputProperties"]
        inputs = {k: v for k, v in call.news.items() if v is not None}
        defaults = self._named(call, inputs)
        failures = [
            ("", f"Invalid or unknown key. Examine values at '{call.name}.{k}'.")
            for k in inputs
            if k not in known and k != DEFAULTS
        ]
        for name in resource(self.kind).get("requiredInputs", []):
            if name not in inputs:
                reason = f'The argument "{name}" is required, but no definition was found.'
                where = f"Examine values at '{call.name}.{name}'."
                failures.append(("", f"Missing required argument. {reason}. {where}"))
        failures += self._wrong_labels(call, inputs)
        noted = {k: self._noted(known.get(k, {}), v) for k, v in inputs.items()} | {DEFAULTS: defaults}
        if failures:
            raise CheckFailed(*failures, inputs=noted)
        return noted

    def _noted(self, spec: Values, value: Any) -> Any:
        """Nested objects say for themselves that no default was filled in."""
        if isinstance(value, list):
            return [self._noted(spec, inner) for inner in value]
        if isinstance(value, dict) and nested("hcloud", spec):
            return {**value, DEFAULTS: []}
        return value

    def refreshed(self, call: Call, outputs: Values) -> Values:
        known = resource(self.kind)["inputProperties"]
        inputs = super().refreshed(call, outputs)
        return {k: self._noted(known.get(k, {}), v) for k, v in inputs.items()} | {DEFAULTS: []}

    def imported(self, outputs: Values) -> Values:
        return {k: self._imported(v) for k, v in super().imported(outputs).items()} | {DEFAULTS: []}

    def _imported(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._imported(inner) for inner in value]
        if isinstance(value, dict):
            return {k: v for k, v in value.items() if not empty(v)} | {DEFAULTS: []}
        return value

    def diff(self, call: Call) -> Diff:
        new = self.as_state(call.olds, bare(call.news))
        changed = self.changed(call, new)
        detailed: dict[str, str] = {}
        for name in changed:
            suffix = "_REPLACE" if name in self.replacing else ""
            paths = self._paths(name, call.olds.get(name), new.get(name))
            detailed |= {path: kind + suffix for path, kind in paths.items()}
        replaces = [k for k in changed if k in self.replacing]
        # A name that the bridge made up can be had twice; one that the program gave cannot.
        given = "name" in call.news and "name" not in call.news.get(DEFAULTS, ["name"])
        return Diff(
            diffs=sorted(changed),
            replaces=sorted(replaces),
            stables=[k for k in self.replacing if k not in changed],
            detailed=detailed,
            delete_before_replace=bool(replaces) and given,
        )

    def as_state(self, old: Values, new: Values) -> Values:
        """The inputs in the form in which the state keeps them."""
        del old
        return new

    def _paths(self, name: str, old: Any, new: Any) -> dict[str, str]:
        if name in self.sets or UNKNOWN in (new if isinstance(new, list) else (new,)):
            return {name: "UPDATE"}
        if isinstance(old, dict) or isinstance(new, dict):
            olds, news = old or {}, new or {}
            return {
                f"{name}.{k}": "ADD" if k not in olds else "DELETE" if k not in news else "UPDATE"
                for k in {**olds, **news}
                if olds.get(k) != news.get(k)
            }
        if isinstance(old, list) and isinstance(new, list):
            paths = {}
            for index in range(max(len(old), len(new))):
                path = f"{name}[{index}]"
                if index >= len(old):
                    paths[path] = "ADD"
                elif index >= len(new):
                    paths[path] = "DELETE"
                elif isinstance(old[index], dict) and isinstance(new[index], dict):
                    paths |= self._paths(path, old[index], new[index])
                elif old[index] != new[index]:
                    paths[path] = "UPDATE"
            return paths
        return {name: "ADD" if old is None else "DELETE" if new is None else "UPDATE"}
