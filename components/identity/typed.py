"""What the generated classes have in common: typed fields, and other objects as references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import pulumi

from components.identity import catalog
from components.identity.kinds import Line
from components.identity.provider import AuthentikProvider
from components.identity.specs import Finding, PlanError
from components.objects.dialect import Kind
from components.objects.resource import Object
from components.objects.values import canonical, is_empty

_PROVIDER = AuthentikProvider()


class TypedObject(Object):
    """One object of authentik's, declared by itself. `opts.provider` is the explicit provider resource.

    The provider checks fields and values against the client's line at preview; two objects of one name are refused
    here. To have all findings together, and objects referred to in any order, use `components.identity.plan.Plan`.

    Raises:
        components.identity.specs.PlanError: another object of the same server has that name already.
    """

    kind: ClassVar[str]

    def __init__(
        self, logical: str, *, adopt: bool = False, opts: pulumi.ResourceOptions | None = None, **fields: Any
    ) -> None:
        """`logical`: the resource's name in state. `adopt`: take over an object that exists."""
        kind = _kind(self.kind)
        given = {name: value for name, value in fields.items() if value is not None}
        self.called = _called(kind, given, logical)
        """The natural key, by which other objects refer to this one."""
        if opts and opts.provider:
            self._claim(opts.provider, logical, kind, given)
        linked = {name: _linked(kind, name, value) for name, value in given.items()}
        super().__init__(
            _PROVIDER, logical, self.kind, linked, adopt=adopt, secret=_secrets(self.kind), opts=opts
        )

    def _claim(
        self, server: pulumi.ProviderResource, logical: str, kind: Kind, given: Mapping[str, Any]
    ) -> None:
        """Take the natural key, if it is known, in the name space of its kind."""
        parts = [name for part in kind.key for name in part.split("|")]
        if any(isinstance(given.get(name), pulumi.Output) for name in parts):
            return
        called = str(canonical(self.called))
        first = _claimed.setdefault(server, {}).setdefault((_space(self.kind), called), logical)
        if first != logical:
            what = f"{called!r} is declared twice (the other: {first!r}) in one name space"
            raise PlanError([Finding(f"{self.kind} {logical!r}", what, "Rename one")])


_claimed: WeakKeyDictionary[pulumi.ProviderResource, dict[tuple[str, str], str]] = WeakKeyDictionary()
"""Server -> (name space, natural key) -> the logical name that has it."""

Reference = pulumi.Input[str] | TypedObject
"""Another object, or its name (a slug, a name) if it is declared elsewhere or a default object."""
References = Sequence[Reference]


@cache
def _kind(label: str) -> Kind:
    having = [line for line in map(Line, catalog.lines()) if label in line.labels()]
    return having[-1].kind(label)


@cache
def _space(label: str) -> str:
    having = [line for line in map(Line, catalog.lines()) if label in line.labels()]
    return having[-1].space(label)


@cache
def _secrets(label: str) -> tuple[str, ...]:
    """Fields that are secret in any line."""
    having = [line for line in map(Line, catalog.lines()) if label in line.labels()]
    return tuple(sorted({name for line in having for name in line.kind(label).secret}))


def _called(kind: Kind, fields: Mapping[str, Any], logical: str) -> str:
    """The natural key in words; the logical name stands for a part that is not known before the run."""
    parts = []
    for part in kind.key:
        value = next((fields[name] for name in part.split("|") if not is_empty(fields.get(name))), logical)
        if isinstance(value, TypedObject):
            value = value.called
        parts.append(logical if isinstance(value, pulumi.Output) else str(value))
    return "/".join(parts)


def _linked(kind: Kind, name: str, value: Any) -> Any:
    """The value with objects as outputs of their names, so that the engine knows the order."""
    if isinstance(value, (list, tuple)):
        return [_linked(kind, name, each) for each in value]
    if not isinstance(value, TypedObject):
        return value
    several = len(kind.references[name].to) > 1
    called = f"{value.kind}:{value.called}" if several else value.called
    return value.urn.apply(lambda _: called)
