"""What the program wants of authentik, looked through as a whole: every problem, and an order that works.

Objects refer to each other by name. The plan finds the declared object that a name means, so that `registration` can
make a dependency of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import Any

from components.identity import catalog, check
from components.identity.kind_exceptions import EXCLUSIVE, UNIQUE
from components.identity.kinds import ReleaseLine
from components.identity.lifetimes import lifetime_problems
from components.identity.name_index import NameIndex
from components.identity.spec_graph import Edges, SpecGraph, build_graph
from components.identity.specs import ObjectSpec
from components.problems import Problem, Problems


@dataclass(frozen=True)
class ResolvedPlan:
    """The objects of one authentik after they were looked through."""

    line: ReleaseLine
    specs: tuple[ObjectSpec, ...]
    """The objects as they were added."""
    problems: tuple[Problem, ...]
    graph: SpecGraph
    """The objects as they are registered."""
    order: tuple[int, ...]
    """Their numbers, each after those that it refers to; empty where they refer to each other in a circle."""


class Plan:
    """The objects of one authentik. Add everything, then examine it."""

    def __init__(self, line: str) -> None:
        """Raises Problems for a line that this gatehouse does not know."""
        try:
            self._line = ReleaseLine(line)
        except KeyError:
            known = ", ".join(catalog.lines())
            raise Problems(
                [
                    Problem(
                        f"authentik {line}",
                        f"this gatehouse knows {known}, and so nothing newer than {catalog.newest_line()}",
                        "Update gatehouse, or extract that line's catalog with `gatehouse catalog`",
                    )
                ]
            ) from None
        self._specs: list[ObjectSpec] = []
        self._own: list[ObjectSpec] = []

    def add(
        self,
        kind: str,
        name: str,
        fields: Mapping[str, Any],
        *,
        adopt: bool = False,
        logical_name: str | None = None,
        sealed: Iterable[str] = (),
        origin: str = "",
        formerly: Iterable[str] = (),
        defaulted: Iterable[str] = (),
        owner: str = "",
        keep: Mapping[str, str] | None = None,
        foreign: str = "keep",
        searcher: str = "",
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
        happens to an application's bindings that nobody declares (keep or remove). `searcher`: the role that may read
        an LDAP provider's whole directory. Nothing is checked here; `resolve` reports everything together.
        """
        whole = {key: value for key, value in fields.items() if value is not None}
        if kind in self._line.labels():
            key = self._line.kind(kind).key
            if len(key.fields) == 1 and key.fields[0] not in self._line.kind(kind).references:
                whole.setdefault(key.fields[0], name)
        self._specs.append(
            ObjectSpec(
                kind,
                name,
                whole,
                adopt,
                logical_name or name,
                frozenset(sealed),
                origin,
                tuple(formerly),
                frozenset(defaulted) & whole.keys(),
                owner,
                keep or {},
                foreign,
                searcher=searcher,
            )
        )

    def add_own(self, kind: str, name: str, fields: Mapping[str, Any], *, origin: str) -> None:
        """Declare what is no object of authentik's (`gatehouse.…`). It comes after all else of the same origin."""
        self._own.append(ObjectSpec(kind, name, {"name": name, **fields}, logical=name, origin=origin))

    @property
    def specs(self) -> Sequence[ObjectSpec]:
        """Everything that was added."""
        return self._specs

    def problems(self) -> list[Problem]:
        """Everything that is not right, in the order in which it was added."""
        return [*self.resolve().problems]

    def resolve(self) -> ResolvedPlan:
        """Look through everything that was added, as a whole."""
        problems: list[Problem] = []
        sound: dict[int, ObjectSpec] = {}
        for index, spec in enumerate(self._specs):
            wrong = list(check.kind_problems(self._line, spec))
            if not wrong:
                sound[index] = spec
                wrong = list(check.field_problems(self._line, spec))
            problems += wrong
        names = NameIndex(self._line)
        for spec in sound.values():
            names.add(spec)
        problems += self._duplicates(sound, names)
        problems += self._exclusive_conflicts(sound, names)
        position = {id(spec): index for index, spec in sound.items()}
        edges: Edges = {}
        for index, spec in sound.items():
            problems += check.field_warnings(self._line, spec)
            problems += lifetime_problems(self._line, names, spec)
            for field, reference, written in names.references_in(spec):
                objections = list(names.name_problems(spec, field, reference, written))
                problems += objections
                target, name = names.find(reference, written)
                if target is not None:
                    edges.setdefault((index, field), {})[written] = (name, position[id(target)])
                elif not objections and not names.is_default(reference, written):
                    problems.append(names.dangling_warning(spec, field, reference, written))
        whole = build_graph(sound, edges)
        for spec in self._own:
            number = max(whole.specs, default=-1) + 1
            whole.specs[number] = spec
            whole.after[number] = {index for index, other in sound.items() if other.origin == spec.origin}
        try:
            order = list(TopologicalSorter(whole.predecessors()).static_order())
        except CycleError as error:
            circle = " -> ".join(whole.specs[index].where for index in error.args[1])
            problems.append(
                Problem(
                    circle, "these objects refer to each other in a circle", "Leave out one of the references"
                )
            )
            order = []
        return ResolvedPlan(self._line, tuple(self._specs), tuple(problems), whole, tuple(order))

    def _duplicates(self, sound: Mapping[int, ObjectSpec], names: NameIndex) -> Iterator[Problem]:
        spaces: dict[tuple[str, str], ObjectSpec] = {}
        logicals: dict[tuple[str, str], ObjectSpec] = {}
        for spec in sound.values():
            called = names.display_name(spec, resolved=True)
            first = spaces.setdefault((self._line.name_space(spec.kind), called), spec)
            if first is not spec:
                what = f"{called!r} is declared twice (the other: {first.where}) in one name space"
                yield Problem(
                    spec.where, what, "Put both into one; or, if two objects are meant, give one another name"
                )
            elif logicals.setdefault((spec.kind, spec.logical), spec) is not spec:
                yield Problem(
                    spec.where, f"the logical name {spec.logical!r} is used twice", "Give one another"
                )

    def _exclusive_conflicts(self, sound: Mapping[int, ObjectSpec], names: NameIndex) -> Iterator[Problem]:
        """What one object at most may have: authentik refuses a second, or takes it from the first without a word."""
        owners: dict[tuple[str, str], ObjectSpec] = {}
        for spec in sound.values():
            mine = [
                (spec.kind, names.find(reference, name)[1])
                for field, reference, name in names.references_in(spec)
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
