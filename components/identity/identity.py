"""All that a client has in authentik, as one component."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pulumi

from components.identity.plan import Examined
from components.identity.registration import register
from components.logical import logical


@dataclass(frozen=True, kw_only=True)
class IdentityArgs:
    """What is wanted of an authentik, and how it is reached."""

    wanted: Examined
    address: pulumi.Input[str]
    """Its URL, or a way through ssh (see `components.access.tunnel`)."""
    token: pulumi.Input[str] = field(repr=False)
    bootstrap: pulumi.Input[str] | None = field(default=None, repr=False)
    """The token of its first start, which lets gatehouse in before its own is there."""
    after: Sequence[pulumi.Resource] = ()
    """What has to be there before it can be asked."""
    volume: pulumi.Resource | None = None
    """What has all that it knows, and takes it along."""


class Identity(pulumi.ComponentResource):
    """Groups, people, apps and all else in authentik. `objects` are the resources, by kind and name."""

    def __init__(self, name: str, args: IdentityArgs, opts: pulumi.ResourceOptions) -> None:
        """`opts.parent`: the client's component. Raises Problems for a plan that cannot be declared."""
        super().__init__("gatehouse:identity:Identity", name, None, opts)
        values = {
            "line": args.wanted.line.line,
            "address": args.address,
            "token": pulumi.Output.secret(args.token),
        }
        if args.bootstrap is not None:
            values["bootstrap"] = pulumi.Output.secret(args.bootstrap)
        # Before there was this component, its children were the client's own.
        provider = pulumi.ProviderResource(
            "pulumi-python",
            logical(name, "authentik"),
            {f"{pulumi.get_project()}:{key}": value for key, value in values.items()},
            pulumi.ResourceOptions(parent=self, aliases=[pulumi.Alias(parent=opts.parent)]),
        )
        self.objects = register(
            args.wanted,
            provider,
            pulumi.ResourceOptions(parent=self, depends_on=[*args.after], deleted_with=args.volume),
            called=lambda logical_name: logical(name, logical_name),
            formerly_below=opts.parent,
        )
        self.register_outputs({"address": args.address})
