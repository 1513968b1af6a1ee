"""Collect what the program wants of authentik, check it as a whole, and register it in an order that works.

Objects refer to each other by name. Names are plain strings, which Pulumi knows no dependencies of; so the plan finds
the declared object that a name means, and passes the name on as an output of that object: then the engine creates,
replaces and deletes in the right order, and the value is still known at preview.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

import pulumi

from components.identity import catalog, check
from components.identity.kinds import EXCLUSIVE, Line, defaults
from components.identity.provider import AuthentikProvider
from components.identity.specs import Finding, Names, PlanError, Spec
from components.objects.dialect import Reference
from components.objects.resource import Object, resource_class, type_token
from components.objects.values import has_null, is_empty

_PROVIDER = AuthentikProvider()


class Plan:
    """The objects of one authentik. Add everything, then register once."""

    def __init__(self, line: str) -> None:
        """Raises PlanError for a line that this gatehouse does not know."""
        try:
            self._line = Line(line)
        except KeyError:
            known = ", ".join(catalog.lines())
            raise PlanError(
                [
                    Finding(
                        f"authentik {line}",
                        f"this gatehouse knows {known}, and so nothing newer than {catalog.newest()}",
                        "Update gatehouse, or extract that line's catalog with `gatehouse catalog`",
                    )
                ]
            ) from None
        self._specs: list[Spec] = []
        self.warnings: list[Finding] = []
        """Names that are neither declared nor default objects of the line: they must be on the server already."""

    def add(
        self,
        kind: str,
        name: str,
        fields: Mapping[str, Any],
        *,
        adopt: bool = False,
        parent: pulumi.Resource | None = None,
        logical_name: str | None = None,
        sealed: Iterable[str] = (),
        origin: str = "",
        formerly: Iterable[str] = (),
    ) -> None:
        """Declare one object.

        `kind`: authentik's model label ("authentik_core.group"). `name`: its natural key; for kinds whose key is
        composed (bindings, entitlements) only a name for people. `fields`: by their API names; references by the
        other object's name. `logical_name`: a name for state that survives renaming (default: `name`). `sealed`:
        fields with a secret in them, to be kept out of sight although their kind is not secret. `origin`: where the
        operator wrote it, for findings. `formerly`: other kinds that the object may be of in the state; then it is
        replaced, the old one first. Nothing is checked here; `register` reports everything together.
        """
        whole = {key: value for key, value in fields.items() if value is not None}
        if kind in self._line.labels():
            key = self._line.kind(kind).key
            if len(key) == 1 and not self._line.kind(kind).references.get(key[0]):
                whole.setdefault(key[0], name)
        self._specs.append(
            Spec(
                kind,
                name,
                whole,
                adopt,
                parent,
                logical_name or name,
                frozenset(sealed),
                origin,
                tuple(formerly),
            )
        )

    def findings(self) -> list[Finding]:
        """Everything that is wrong, in the order in which it was added. Also fills `warnings`."""
        return self._examined()[0]

    def register(
        self, provider: pulumi.ProviderResource, opts: pulumi.ResourceOptions | None = None
    ) -> dict[tuple[str, str], Object]:
        """Register everything; returns the resources by (kind, name as added). Raises PlanError."""
        findings, order, edges = self._examined()
        if findings:
            raise PlanError(findings)
        for warning in self.warnings:
            pulumi.log.warn(str(warning))
        made: dict[int, Object] = {}
        names: dict[tuple[int, str], pulumi.Output[str]] = {}
        for index in order:
            spec = self._specs[index]
            kind = self._line.kind(spec.kind)
            fields = {
                field: self._linked(
                    kind.references.get(field), value, edges.get((index, field), {}), made, names
                )
                for field, value in spec.fields.items()
            }
            aliases = [pulumi.Alias(type_=type_token(former)) for former in spec.formerly]
            own = pulumi.ResourceOptions(provider=provider, parent=spec.parent, aliases=aliases)
            made[index] = resource_class(spec.kind)(
                _PROVIDER,
                spec.logical,
                spec.kind,
                fields,
                adopt=spec.adopt,
                secret=sorted(kind.secret),
                sealed=sorted(spec.sealed - kind.secret),
                opts=pulumi.ResourceOptions.merge(opts, own),
            )
        return {(self._specs[index].kind, self._specs[index].name): item for index, item in made.items()}

    # Checking ------------------------------------------------------------------------------------------------------

    def _examined(self) -> tuple[list[Finding], list[int], dict[tuple[int, str], dict[str, tuple[str, int]]]]:
        """Findings, an order in which everything comes after what it refers to, and what each name means.

        The last is (spec, field) -> name as written -> (name as registered, the declared spec).
        """
        findings: list[Finding] = []
        self.warnings = []
        sound: dict[int, Spec] = {}
        for index, spec in enumerate(self._specs):
            wrong = list(check.kind_findings(self._line, spec))
            if not wrong:
                sound[index] = spec
                wrong = list(check.field_findings(self._line, spec))
            findings += wrong
        names = Names()
        findings += self._duplicates(sound, names)
        findings += self._taken_twice(sound)
        position = {id(spec): index for index, spec in sound.items()}
        edges: dict[tuple[int, str], dict[str, tuple[str, int]]] = {}
        graph: dict[int, set[int]] = {index: set() for index in sound}
        for index, spec in sound.items():
            if self._line.enterprise(spec.kind):
                what = "authentik takes objects of this kind with an enterprise licence only"
                self.warnings.append(Finding(spec.where, what, "Without one, leave it out"))
            for field in (field for field, value in spec.fields.items() if has_null(value)):
                what = "a null in it gets lost on its way through the engine"
                self.warnings.append(Finding(f"{spec.where}, {field}", what, "Leave that member out"))
            for field, reference, written in self._written(spec):
                target, name = self._meant(reference, written, names)
                if target is not None:
                    edges.setdefault((index, field), {})[written] = (name, position[id(target)])
                    graph[index].add(position[id(target)])
                elif not self._is_default(reference, written):
                    self.warnings.append(self._dangling(spec, field, reference, written, names))
        try:
            order = list(TopologicalSorter(graph).static_order())
        except CycleError as error:
            circle = " -> ".join(self._specs[index].where for index in error.args[1])
            findings.append(
                Finding(
                    circle, "these objects refer to each other in a circle", "Leave out one of the references"
                )
            )
            order = []
        return findings, order, edges

    def _duplicates(self, sound: Mapping[int, Spec], names: Names) -> Iterator[Finding]:
        spaces: dict[tuple[str, str], Spec] = {}
        logicals: dict[tuple[str, str], Spec] = {}
        for spec in sound.values():
            called = self._called(spec)
            names.add(spec.kind, called, spec)
            first = spaces.setdefault((self._line.space(spec.kind), called), spec)
            if first is not spec:
                what = f"{called!r} is declared twice (the other: {first.where}) in one name space"
                yield Finding(spec.where, what, "Rename one")
            elif logicals.setdefault((spec.kind, spec.logical), spec) is not spec:
                yield Finding(
                    spec.where, f"the logical name {spec.logical!r} is used twice", "Give one another"
                )

    def _taken_twice(self, sound: Mapping[int, Spec]) -> Iterator[Finding]:
        """Objects that belong to one other at most: authentik refuses a second one, or moves them without a word."""
        owners: dict[tuple[str, str], Spec] = {}
        for spec in sound.values():
            mine = [name for field, _, name in self._written(spec) if field in EXCLUSIVE.get(spec.kind, ())]
            for name in mine:
                first = owners.setdefault((spec.kind, name), spec)
                if first is not spec or mine.count(name) > 1:
                    what = f"{name!r} belongs to {first.where} already"
                    yield Finding(spec.where, what, "It can belong to one only; leave it out of the other")

    def _called(self, spec: Spec) -> str:
        """The natural key in words, as `objects.store.Store.name_of` says it of what is on the server."""
        kind = self._line.kind(spec.kind)
        parts = []
        for part in kind.key:
            options = part.split("|")
            field = next((name for name in options if not is_empty(spec.fields.get(name))), options[0])
            value = spec.fields.get(field, "")
            text = spec.name if isinstance(value, pulumi.Output) else str(value)
            parts.append(f"{field}:{text}" if len(options) > 1 else text)
        return "/".join(parts)

    def _written(self, spec: Spec) -> Iterator[tuple[str, Reference, str]]:
        for field, reference in self._line.kind(spec.kind).references.items():
            value = spec.fields.get(field)
            for each in value if isinstance(value, (list, tuple)) else [value]:
                if isinstance(each, str) and each:
                    yield field, reference, each

    def _meant(self, reference: Reference, written: str, names: Names) -> tuple[Spec | None, str]:
        """The declared object that a name means, and the name to register: with its kind where several may be meant."""
        for to in reference.to:
            for label in self._line.members(to):
                prefix = f"{to}:"
                spec = names.find(label, written.removeprefix(prefix) if len(reference.to) > 1 else written)
                if spec is not None:
                    called = self._called(spec)
                    return spec, f"{prefix}{called}" if len(reference.to) > 1 else called
        return None, written

    def _is_default(self, reference: Reference, written: str) -> bool:
        for to in reference.to:
            bare = written.removeprefix(f"{to}:")
            for label in self._line.members(to):
                known = defaults().get(label, {})
                if bare in known or bare in known.values():
                    return True
        return False

    def _dangling(self, spec: Spec, field: str, reference: Reference, written: str, names: Names) -> Finding:
        labels = [label for to in reference.to for label in self._line.members(to)]
        known = {
            name for label in labels for name in (*names.declared.get(label, {}), *defaults().get(label, {}))
        }
        return Finding(
            f"{spec.where}, {field}",
            f"{written!r} is neither declared here nor a default object of authentik {self._line.line}",
            f"It must be on the server already. {check.nearest(written, known)}".strip(),
        )

    @staticmethod
    def _linked(
        reference: Reference | None,
        value: Any,
        meant: Mapping[str, tuple[str, int]],
        made: Mapping[int, Object],
        names: dict[tuple[int, str], pulumi.Output[str]],
    ) -> Any:
        """The value with each name of a declared object as an output of that object."""

        def one(each: Any) -> Any:
            if not isinstance(each, str) or each not in meant:
                return each
            name, index = meant[each]
            if (index, name) not in names:
                names[index, name] = made[index].urn.apply(lambda _: name)
            return names[index, name]

        if reference is None:
            return value
        return [one(each) for each in value] if isinstance(value, (list, tuple)) else one(value)
