"""Registers what a plan wants of authentik as Pulumi resources, in the order that the plan found.

Objects refer to each other by name, and names are plain strings, which Pulumi knows no dependencies of. So a name is
passed on as an output of the object that it means: then the engine creates, replaces and deletes in the right order,
and the value is still known at preview.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pulumi
from pydantic import SecretStr

from components.identity.bindings import BINDING
from components.identity.plan import ResolvedPlan
from components.identity.provider import AuthentikProvider
from components.identity.spec_graph import STAGE_BINDING, SpecGraph
from components.objects.dialect import Reference
from components.objects.resource import ObjectResource, resource_class, type_token
from components.problems import refuse

_PROVIDER = AuthentikProvider()
_Names = dict[tuple[int, str], pulumi.Output[str]]


def register(
    resolved: ResolvedPlan,
    provider: pulumi.ProviderResource,
    opts: pulumi.ResourceOptions | None = None,
    *,
    called: Callable[[str], str] = str,
) -> dict[tuple[str, str], ObjectResource]:
    """Register everything; returns the resources by (kind, name as added).

    `called`: what a logical name is in the state.

    Raises Problems where the plan has errors; nothing was registered then.
    """
    refuse(resolved.problems)
    made: dict[int, ObjectResource] = {}
    names: _Names = {}
    whole = resolved.graph
    for index in resolved.order:
        spec = whole.specs[index]
        kind = resolved.line.kind(spec.kind)
        fields = {
            field: _with_links(
                kind.references.get(field), value, whole.edges.get((index, field), {}), made, names
            )
            for field, value in spec.fields.items()
        }
        aliases = [pulumi.Alias(type_=type_token(former)) for former in spec.formerly]
        after = [made[other] for other in sorted(whole.after.get(index, ()))]
        own = pulumi.ResourceOptions(
            provider=provider, aliases=aliases, depends_on=after, deleted_with=_stage(whole, index, made)
        )
        made[index] = resource_class(spec.kind)(
            _PROVIDER,
            called(spec.logical),
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


def _stage(whole: SpecGraph, index: int, made: Mapping[int, ObjectResource]) -> ObjectResource | None:
    """The stage's place in a flow of which an object is a condition, if this stack makes that.

    authentik deletes the conditions with it. Were they deleted before, the stage would be everybody's meanwhile: one
    that denies would keep all out, for good where the run ends in between.
    """
    if whole.specs[index].kind == BINDING:
        for _, target in whole.edges.get((index, "target"), {}).values():
            if whole.specs[target].kind == STAGE_BINDING and not whole.specs[target].adopt:
                return made[target]
    return None


def _with_links(
    reference: Reference | None,
    value: Any,
    meant: Mapping[str, tuple[str, int]],
    made: Mapping[int, ObjectResource],
    names: _Names,
) -> Any:
    """The value with each name of a declared object as an output of that object, and a secret as a secret output."""

    def one(each: Any) -> Any:
        if not isinstance(each, str) or each not in meant:
            return each
        name, index = meant[each]
        if (index, name) not in names:
            names[index, name] = made[index].urn.apply(lambda _: name)
        return names[index, name]

    if isinstance(value, SecretStr):
        return pulumi.Output.secret(value.get_secret_value())
    if reference is None:
        return value
    return [one(each) for each in value] if isinstance(value, (list, tuple)) else one(value)
