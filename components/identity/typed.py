"""What the generated classes have in common: typed fields, and other objects as references."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

import pulumi

from components.identity import catalog
from components.identity.kinds import Line
from components.identity.provider import AuthentikProvider
from components.objects.dialect import Kind
from components.objects.resource import Object
from components.objects.values import is_empty

_PROVIDER = AuthentikProvider()


class TypedObject(Object):
    """One object of authentik's, declared by itself. `opts.provider` is the explicit provider resource.

    The provider checks fields and values against the client's line at preview. To have many objects checked together,
    and referred to in any order, use `components.identity.plan.Plan`.
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
        linked = {name: _linked(kind, name, value) for name, value in given.items()}
        super().__init__(
            _PROVIDER, logical, self.kind, linked, adopt=adopt, secret=_secrets(self.kind), opts=opts
        )


Reference = pulumi.Input[str] | TypedObject
"""Another object, or its name (a slug, a name) if it is declared elsewhere or a default object."""
References = Sequence[Reference]


@cache
def _kind(label: str) -> Kind:
    having = [line for line in map(Line, catalog.lines()) if label in line.labels()]
    return having[-1].kind(label)


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
