"""Objects as Pulumi resources: one generic class, with a type token of its own for each kind."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import pulumi
from pulumi.dynamic import Resource

from components.objects.provider import ObjectProvider
from components.objects.state import BEFORE, META


class ObjectResource(Resource):
    """Any object of any kind. Use `resource_class` for the class with the kind's own type token."""

    def __init__(
        self,
        provider: ObjectProvider,
        logical: str,
        kind: str,
        fields: Mapping[str, Any],
        *,
        adopt: bool = False,
        secret: Iterable[str] = (),
        sealed: Iterable[str] = (),
        defaulted: Iterable[str] = (),
        owner: str = "",
        keep: Mapping[str, str] | None = None,
        elsewhere: Iterable[str] = (),
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare one object.

        `secret`: names of fields that hold secrets by nature, in clear or not; `sealed`: other fields that have a
        secret in them. Both are marked here. `defaulted`: fields that nobody wrote, which an object that was there
        before does not get. `elsewhere`: fields that another resource of the stack manages. `owner`, `keep`: see
        `desired.DesiredObject`. `opts.provider` must be the explicit provider resource.
        """
        marked = {
            name: pulumi.Output.secret(fields[name])
            for name in (*secret, *sealed)
            if name in fields and fields[name] is not None
        }
        meta: dict[str, Any] = {"kind": kind, "logical": logical}
        if adopt:
            meta |= (
                {"adopt": True} | ({"owner": owner} if owner else {}) | ({"keep": dict(keep)} if keep else {})
            )
        if sealed:
            meta["sealed"] = sorted(sealed)
        if defaulted:
            meta["defaulted"] = " ".join(sorted(defaulted))
        if elsewhere:
            meta["elsewhere"] = sorted(elsewhere)
        extra = pulumi.ResourceOptions(
            delete_before_replace=True, additional_secret_outputs=[BEFORE, *marked]
        )
        super().__init__(
            provider, logical, {**fields, **marked, META: meta}, pulumi.ResourceOptions.merge(opts, extra)
        )


@cache
def resource_class(kind: str) -> type[ObjectResource]:
    """The class for a kind "<module>.<name>", with a type token of its own."""
    module, _, name = kind.partition(".")
    return types.new_class(name, (ObjectResource,), {"module": module, "name": name})


def type_token(kind: str) -> str:
    """The type token of a kind in states, for ever the same."""
    return f"pulumi-python:dynamic/{kind.replace('.', ':')}"
