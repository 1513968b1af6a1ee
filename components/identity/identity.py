"""All that a client has in authentik."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pulumi

from components.identity.plan import ResolvedPlan
from components.identity.registration import register
from components.logical_names import logical_name


@dataclass(frozen=True, kw_only=True)
class IdentityArgs:
    """What is wanted of an authentik, and how it is reached."""

    wanted: ResolvedPlan
    address: pulumi.Input[str]
    """Its URL, or a way through ssh (see `components.ssh.tunnel`)."""
    token: pulumi.Input[str] = field(repr=False)
    bootstrap: pulumi.Input[str] | None = field(default=None, repr=False)
    """The token of its first start, which lets gatehouse in before its own is there."""
    after: Sequence[pulumi.Resource] = ()
    """What has to be there before it can be asked."""
    volume: pulumi.Resource | None = None
    """What has all that it knows, and takes it along."""


class Identity:
    """Groups, people, apps and all else in authentik. `objects` are the resources, by kind and name.

    They lie in the state directly below `opts.parent`, as they always have (ADR 20).
    """

    def __init__(self, name: str, args: IdentityArgs, opts: pulumi.ResourceOptions) -> None:
        """Raises Problems for a plan that cannot be declared."""
        values = {
            "line": args.wanted.line.line,
            "address": args.address,
            "token": pulumi.Output.secret(args.token),
        }
        if args.bootstrap is not None:
            values["bootstrap"] = pulumi.Output.secret(args.bootstrap)
        provider = pulumi.ProviderResource(
            "pulumi-python",
            logical_name(name, "authentik"),
            {f"{pulumi.get_project()}:{key}": value for key, value in values.items()},
            opts,
        )
        waiting = pulumi.ResourceOptions(depends_on=[*args.after], deleted_with=args.volume)
        self.objects = register(
            args.wanted,
            provider,
            pulumi.ResourceOptions.merge(opts, waiting),
            called=lambda bare: logical_name(name, bare),
        )
