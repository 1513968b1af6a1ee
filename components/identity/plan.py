"""Collect what the program wants of authentik, check it as a whole, and register it in an order that works.

Objects refer to each other by name. Names are plain strings, which Pulumi knows no dependencies of; so the plan finds
the declared object that a name means, and passes the name on as an output of that object: then the engine creates,
replaces and deletes in the right order, and the value is still known at preview.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

import pulumi

from components.identity import catalog, check
from components.identity.kinds import EXCLUSIVE, UNIQUE, Line
from components.identity.lifetimes import too_long
from components.identity.naming import Naming
from components.identity.provider import AuthentikProvider
from components.identity.specs import Spec
from components.identity.split import Edges, Split, split
from components.objects.dialect import Reference
from components.objects.resource import Object, resource_class, type_token
from components.problems import Problem, Problems

_PROVIDER = AuthentikProvider()


class Plan:
    """The objects of one authentik. Add everything, then register once."""

    def __init__(self, line: str) -> None:
        """Raises Problems for a line that this gatehouse does not know."""
        try:
            self._line = Line(line)
        except KeyError:
            known = ", ".join(catalog.lines())
            raise Problems(
                [
                    Problem(
                        f"authentik {line}",
                        f"this gatehouse knows {known}, and so nothing newer than {catalog.newest()}",
                        "Update gatehouse, or extract that line's catalog with `gatehouse catalog`",
                    )
                ]
            ) from None
        self._specs: list[Spec] = []

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
        defaulted: Iterable[str] = (),
        owner: str = "",
        keep: Mapping[str, str] | None = None,
        foreign: str = "keep",
    ) -> None:
        """Declare one object.

        `kind`: authentik's model label ("authentik_core.group"). `name`: its natural key; for kinds whose key is
        composed (bindings, entitlements) only a name for people. `fields`: by their API names; references by the
        other object's name. `logical_name`: a name for state that survives renaming (default: `name`). `sealed`:
        fields with a secret in them, to be kept out of sight although their kind is not secret. `origin`: where the
        operator wrote it, for problems. `formerly`: other kinds that the object may be of in the state; then it is
        replaced, the old one first. `defaulted`: fields that the operator did not write, which an object that is taken
        over does not get. `owner`: the object that has this one, by which one that is taken over is found. `keep`:
        fields that taking over never changes, each with the command that declares what is there. `foreign`: what
        happens to an application's bindings that nobody declares (keep or remove). Nothing is checked here; `register`
        reports everything together.
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
                frozenset(defaulted) & whole.keys(),
                owner,
                keep or {},
                foreign,
            )
        )

    @property
    def specs(self) -> Sequence[Spec]:
        """Everything that was added."""
        return self._specs

    def problems(self) -> list[Problem]:
        """Everything that is not right, in the order in which it was added."""
        return self._examined()[0]

    def register(
        self, provider: pulumi.ProviderResource, opts: pulumi.ResourceOptions | None = None
    ) -> dict[tuple[str, str], Object]:
        """Register everything; returns the resources by (kind, name as added). Raises Problems."""
        problems, order, whole = self._examined()
        if refused := [each for each in problems if each.refuses]:
            raise Problems(refused)
        for problem in problems:
            pulumi.log.warn(str(problem))
        made: dict[int, Object] = {}
        names: dict[tuple[int, str], pulumi.Output[str]] = {}
        for index in order:
            spec = whole.specs[index]
            kind = self._line.kind(spec.kind)
            fields = {
                field: self._linked(
                    kind.references.get(field), value, whole.edges.get((index, field), {}), made, names
                )
                for field, value in spec.fields.items()
            }
            aliases = [pulumi.Alias(type_=type_token(former)) for former in spec.formerly]
            after = [made[other] for other in sorted(whole.waits.get(index, ()))]
            own = pulumi.ResourceOptions(
                provider=provider, parent=spec.parent, aliases=aliases, depends_on=after
            )
            made[index] = resource_class(spec.kind)(
                _PROVIDER,
                spec.logical,
                spec.kind,
                fields,
                adopt=spec.adopt,
                secret=sorted(kind.secret),
                sealed=sorted(spec.sealed - kind.secret),
                defaulted=spec.defaulted,
                owner=spec.owner,
                keep=spec.keep,
                elsewhere=spec.elsewhere,
                opts=pulumi.ResourceOptions.merge(opts, own),
            )
        return {(whole.specs[index].kind, whole.specs[index].name): item for index, item in made.items()}

    # Checking ------------------------------------------------------------------------------------------------------

    def _examined(self) -> tuple[list[Problem], list[int], Split]:
        """Problems, an order in which everything comes after what it refers to, and everything as it is registered."""
        problems: list[Problem] = []
        sound: dict[int, Spec] = {}
        for index, spec in enumerate(self._specs):
            wrong = list(check.kind_problems(self._line, spec))
            if not wrong:
                sound[index] = spec
                wrong = list(check.field_problems(self._line, spec))
            problems += wrong
        naming = Naming(self._line)
        for spec in sound.values():
            naming.add(spec)
        problems += self._duplicates(sound, naming)
        problems += self._taken_twice(sound, naming)
        position = {id(spec): index for index, spec in sound.items()}
        edges: Edges = {}
        for index, spec in sound.items():
            problems += check.doubts(self._line, spec)
            problems += too_long(self._line, naming, spec)
            for field, reference, written in naming.written(spec):
                objections = list(naming.objections(spec, field, reference, written))
                problems += objections
                target, name = naming.meant(reference, written)
                if target is not None:
                    edges.setdefault((index, field), {})[written] = (name, position[id(target)])
                elif not objections and not naming.is_default(reference, written):
                    problems.append(naming.dangling(spec, field, reference, written))
        whole = split(sound, edges)
        try:
            order = list(TopologicalSorter(whole.graph()).static_order())
        except CycleError as error:
            circle = " -> ".join(whole.specs[index].where for index in error.args[1])
            problems.append(
                Problem(
                    circle, "these objects refer to each other in a circle", "Leave out one of the references"
                )
            )
            order = []
        return problems, order, whole

    def _duplicates(self, sound: Mapping[int, Spec], naming: Naming) -> Iterator[Problem]:
        spaces: dict[tuple[str, str], Spec] = {}
        logicals: dict[tuple[str, str], Spec] = {}
        for spec in sound.values():
            called = naming.called(spec, resolved=True)
            first = spaces.setdefault((self._line.space(spec.kind), called), spec)
            if first is not spec:
                what = f"{called!r} is declared twice (the other: {first.where}) in one name space"
                yield Problem(
                    spec.where, what, "Put both into one; or, if two objects are meant, give one another name"
                )
            elif logicals.setdefault((spec.kind, spec.logical), spec) is not spec:
                yield Problem(
                    spec.where, f"the logical name {spec.logical!r} is used twice", "Give one another"
                )

    def _taken_twice(self, sound: Mapping[int, Spec], naming: Naming) -> Iterator[Problem]:
        """What one object at most may have: authentik refuses a second, or takes it from the first without a word."""
        owners: dict[tuple[str, str], Spec] = {}
        for spec in sound.values():
            mine = [
                (spec.kind, naming.meant(reference, name)[1])
                for field, reference, name in naming.written(spec)
                if field in EXCLUSIVE.get(spec.kind, ())
            ]
            for field in UNIQUE.get(spec.kind, ()):
                value = spec.fields.get(field)
                mine += [(field, value)] if isinstance(value, str) and value else []
            for each in mine:
                first = owners.setdefault(each, spec)
                if first is not spec or mine.count(each) > 1:
                    what = f"{each[1]!r} belongs to {first.where} already"
                    yield Problem(spec.where, what, "It can belong to one only; leave it out of the other")

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
