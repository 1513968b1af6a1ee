"""One client, whole: everything that the stack declares, in the order in which it comes up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pulumi
from pydantic import SecretStr

from components import login, memory, sdk
from components.identity.identity import Identity, IdentityArgs
from components.plan import ClientPlan, plan
from components.problems import Weight
from components.settings import Elsewhere, Settings

if TYPE_CHECKING:
    from components.containers.containers import Containers


class Client(pulumi.ComponentResource):
    """A client's box, containers, identities and proxy. `outputs` are the stack's outputs by name.

    Raises:
        components.problems.Problems: the plan has errors; nothing was declared.
    """

    @classmethod
    def from_settings(cls, settings: Settings, opts: pulumi.ResourceOptions | None = None) -> Client:
        """Declare the client of a stack file, by what its state remembers. Raises as the constructor does."""
        remembered = memory.recall(settings.client)
        confirmed = memory.is_confirmed(settings)
        return cls(plan(settings, settings.derived(), remembered, confirmed=confirmed), opts)

    def __init__(self, plan: ClientPlan, opts: pulumi.ResourceOptions | None = None) -> None:
        plan.check()  # before anything is declared, written or contacted
        settings, secrets, name = plan.settings, plan.secrets, plan.settings.client
        sdk.trim()
        super().__init__(memory.CLIENT, name, None, opts)
        for problem in plan.problems:
            if problem.weight is Weight.WARNING:
                pulumi.log.warn(str(problem))
        inside = pulumi.ResourceOptions(parent=self)
        self.outputs: dict[str, Any] = {key: _as_secret_output(value) for key, value in plan.outputs.items()}
        containers: Containers | None = None
        if isinstance(settings.box, Elsewhere):
            args = IdentityArgs(
                wanted=plan.objects,
                address=settings.box.url,
                token=settings.box.token.get_secret_value(),
            )
        else:
            from components import box, ssh  # noqa: PLC0415  (it takes time)

            if not pulumi.runtime.is_dry_run():  # a preview leaves nothing behind
                ssh.write_files(name, secrets)
            assert plan.box is not None
            there = box.declare(plan, plan.box, inside)
            containers = there.containers
            self.outputs["address"] = there.host.address
            args = IdentityArgs(
                wanted=plan.objects,
                address=there.host.admin(9000),
                token=secrets.value("authentik/service-token"),
                bootstrap=secrets.value("authentik/bootstrap-token"),
                after=there.containers.ready,
                volume=there.host.volume,
            )
        made = Identity(name, args, inside).objects
        if containers is not None:
            containers.add_outposts(made)
        if invitations := login.links(settings, made):
            self.outputs["invitations"] = invitations
        identity = plan.box.identity if plan.box else None
        self.register_outputs({memory.OUTPUT: plan.remembered.for_next_run(settings, secrets, identity)})


def _as_secret_output(value: Any) -> Any:
    """An output with its secrets as secret outputs."""
    if isinstance(value, SecretStr):
        return pulumi.Output.secret(value.get_secret_value())
    return {key: _as_secret_output(each) for key, each in value.items()} if isinstance(value, dict) else value
