"""One client, whole: everything that the stack declares, in the order in which it comes up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi
from pydantic import SecretStr

from components import apps, login, memory, positions
from components.identity.identity import Identity, IdentityArgs
from components.identity.plan import Plan
from components.problems import refuse
from components.settings import Settings

if TYPE_CHECKING:
    from components.containers.containers import Containers


class Client(pulumi.ComponentResource):
    """A client's box, containers, identities and proxy. `outputs` are the stack's outputs by name.

    Raises:
        components.problems.Problems: what is wanted cannot be declared, or must not be done; nothing was.
    """

    def __init__(self, settings: Settings, opts: pulumi.ResourceOptions | None = None) -> None:
        name, secrets = settings.client, settings.derived()
        plan = Plan(settings.authentik.line)
        apps.declare(plan, settings, secrets)
        remembered = memory.recall(name)  # before anything is declared, written or contacted
        confirmed = memory.is_confirmed(settings)
        refuse(remembered.objections(settings, secrets, confirmed=confirmed), "Nothing was touched:")
        wanted = plan.examine()
        refuse(wanted.problems)
        positions.leave_out()
        super().__init__(memory.CLIENT, name, None, opts)
        for warning in (*settings.warnings, *remembered.doubts(settings), *wanted.problems):
            pulumi.log.warn(str(warning))
        inside = pulumi.ResourceOptions(parent=self)
        self.outputs: dict[str, Any] = {
            "adminUrl": f"{settings.issuer_base}/if/admin/",
            **{name: _closed(value) for name, value in apps.outputs(settings, secrets).items()},
        }
        identity: str | None = None
        containers: Containers | None = None
        if settings.box.kind == "none":
            assert settings.authentik.url is not None
            assert settings.authentik.token is not None
            args = IdentityArgs(
                wanted=wanted,
                address=settings.authentik.url,
                token=settings.authentik.token.get_secret_value(),
            )
        else:
            from components import access, box  # noqa: PLC0415  (it takes time)
            from components.containers.specs import admin_identity  # noqa: PLC0415

            if not pulumi.runtime.is_dry_run():  # a preview leaves nothing behind
                access.write_files(name, secrets)
            identity = remembered.identity or admin_identity(settings)
            there = box.declare(settings, secrets, identity, inside)
            containers = there.containers
            self.outputs["address"] = there.host.address
            args = IdentityArgs(
                wanted=wanted,
                address=there.host.admin(9000),
                token=secrets.output("authentik/service-token"),
                bootstrap=secrets.output("authentik/bootstrap-token"),
                after=there.containers.ready,
                volume=there.host.volume,
            )
        made = Identity(name, args, inside).objects
        if containers is not None:
            containers.add_outposts(made)
        if invitations := login.links(settings, made):
            self.outputs["invitations"] = invitations
        self.register_outputs({memory.OUTPUT: remembered.after(settings, secrets, identity)})


def _closed(value: Any) -> Any:
    """An output with its secrets as secret outputs."""
    if isinstance(value, SecretStr):
        return pulumi.Output.secret(value.get_secret_value())
    return {key: _closed(each) for key, each in value.items()} if isinstance(value, dict) else value
