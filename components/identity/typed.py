"""What the generated classes have in common: typed fields, and other objects as references."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import pulumi
from pulumi.runtime.settings import get_monitor

from components.identity import catalog
from components.identity.kind_exceptions import EXCLUSIVE
from components.identity.kinds import ReleaseLine
from components.identity.provider import AuthentikProvider
from components.objects.dialect import Kind
from components.objects.resource import ObjectResource, type_token
from components.problems import Problem, Problems

_PROVIDER = AuthentikProvider()
_TAKEN: WeakKeyDictionary[Any, dict[Hashable, str]] = WeakKeyDictionary()
"""Explicit provider, or the run of a program without one -> what may be there once only -> the object that has it."""


class TypedObject(ObjectResource):
    """One object of authentik's, declared by itself. `opts.provider` is the explicit provider resource.

    The provider checks fields and values against the client's line at preview; a name that another typed object of the
    same provider has is refused here. To have all problems together, and objects referred to in any order, use
    `components.identity.plan.Plan`.
    """

    kind: ClassVar[str]

    def __init__(
        self, logical: str, *, adopt: bool = False, opts: pulumi.ResourceOptions | None = None, **fields: Any
    ) -> None:
        """`logical`: the resource's name in state. `adopt`: take over an object that exists.

        Raises Problems for a name that is taken.
        """
        kind = _kind(self.kind)
        given = {name: value for name, value in fields.items() if value is not None}
        self.called = _display_name(kind, given, logical)
        """The natural key, by which other objects refer to this one."""
        self.known = None not in _names(kind, given)
        """Whether it is, and the logical name stands for no part of it."""
        _claim(self, f"{self.kind} {logical!r}", given, opts or pulumi.ResourceOptions())
        linked = {name: _with_links(kind, name, value) for name, value in given.items()}
        super().__init__(
            _PROVIDER, logical, self.kind, linked, adopt=adopt, secret=_secrets(self.kind), opts=opts
        )


Reference = pulumi.Input[str] | TypedObject
"""Another object, or its name (a slug, a name) if it is declared elsewhere or a default object."""
References = Sequence[Reference]


@cache
def _newest(label: str) -> ReleaseLine:
    """The newest line that has the kind."""
    return [line for line in map(ReleaseLine, catalog.lines()) if label in line.labels()][-1]


def _kind(label: str) -> Kind:
    return _newest(label).kind(label)


@cache
def _secrets(label: str) -> tuple[str, ...]:
    """Fields that are secret in any line."""
    having = [line for line in map(ReleaseLine, catalog.lines()) if label in line.labels()]
    return tuple(sorted({name for line in having for name in line.kind(label).secret}))


def _key(kind: Kind, fields: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The fields that identify an object, with their values; None for what is missing."""
    return [(field, fields.get(field)) for _, field in kind.key.chosen_fields(fields)]


def _display_name(kind: Kind, fields: Mapping[str, Any], logical: str) -> str:
    """The natural key in words; the logical name stands for a part that is not known before the run."""
    parts = (value.called if isinstance(value, TypedObject) else value for _, value in _key(kind, fields))
    return "/".join(
        logical if part is None or isinstance(part, pulumi.Output) else str(part) for part in parts
    )


def _with_links(kind: Kind, name: str, value: Any) -> Any:
    """The value with objects as outputs of their names, so that the engine knows the order."""
    if isinstance(value, (list, tuple)):
        return [_with_links(kind, name, each) for each in value]
    if not isinstance(value, TypedObject):
        return value
    called = _reference_text(kind, name, value)
    return value.urn.apply(lambda _: called)


def _reference_text(kind: Kind, name: str, value: TypedObject) -> str:
    """How a field names an object: with its kind, where several may be meant."""
    return f"{value.kind}:{value.called}" if len(kind.references[name].to) > 1 else value.called


def _name(kind: Kind, field: str, value: Any) -> str | None:
    """A name as text; None if it is known later."""
    if isinstance(value, TypedObject):
        return _reference_text(kind, field, value) if value.known else None
    return str(value).strip() if isinstance(value, (str, int, float)) and value != "" else None


def _names(kind: Kind, fields: Mapping[str, Any]) -> list[str | None]:
    return [_name(kind, field, value) for field, value in _key(kind, fields)]


# What may be there once only ---------------------------------------------------------------------------------------


def _claim(made: TypedObject, where: str, fields: Mapping[str, Any], opts: pulumi.ResourceOptions) -> None:
    inherited = opts.parent.get_provider(type_token(made.kind)) if opts.parent else None
    taken = _TAKEN.setdefault(opts.provider or inherited or get_monitor(), {})
    for claim, what, remedy in _identifiers(made, fields):
        if claim in taken:
            raise Problems(
                [Problem(where, f"{what} {taken[claim]}", remedy)], "A problem with authentik's objects:"
            )
        taken[claim] = where


def _identifiers(made: TypedObject, fields: Mapping[str, Any]) -> Iterator[tuple[Hashable, str, str]]:
    """Its name, and what belongs to it alone; what is known later is left to authentik."""
    line = _newest(made.kind)
    kind = line.kind(made.kind)
    if made.known:
        chosen = tuple(field for field, _ in _key(kind, fields))
        claim = (line.name_space(made.kind), chosen, *_names(kind, fields))
        yield claim, f"{made.called!r} is declared twice in one name space; the other is", "Rename one"
    for field in EXCLUSIVE.get(made.kind, ()):
        given = fields.get(field)
        for each in given if isinstance(given, (list, tuple)) else [given]:
            if name := _name(kind, field, each):
                remedy = "It can belong to one only; leave it out of the other"
                yield (made.kind, "alone", name), f"{name!r} belongs already to", remedy
