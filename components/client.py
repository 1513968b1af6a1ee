"""One client, whole: everything that the stack declares, in the order in which it comes up."""

from __future__ import annotations

from typing import Any

import pulumi
from pydantic import SecretStr

from components import apps, login, memory
from components.identity.plan import Plan
from components.identity.registration import register
from components.problems import refuse
from components.settings import Settings


class Client(pulumi.ComponentResource):
    """A client's box, containers, identities and proxy. `outputs` are the stack's outputs by name.

    Raises:
        components.problems.Problems: what is wanted cannot be declared, or must not be done; nothing was.
    """

    def __init__(self, settings: Settings) -> None:
        secrets = settings.derived()
        plan = Plan(settings.authentik.line)
        apps.declare(plan, settings, secrets)
        remembered = memory.recall()  # before anything is declared, written or contacted
        confirmed = memory.is_confirmed(settings)
        refuse(remembered.objections(settings, secrets, confirmed=confirmed), "Nothing was touched:")
        examined = plan.examine()
        refuse(examined.problems)
        super().__init__(memory.CLIENT, settings.client)
        for warning in (*settings.warnings, *remembered.doubts(settings), *examined.problems):
            pulumi.log.warn(str(warning))
        inside = pulumi.ResourceOptions(parent=self)
        self.outputs: dict[str, Any] = {
            "adminUrl": f"{settings.issuer_base}/if/admin/",
            **{name: _closed(value) for name, value in apps.outputs(settings, secrets).items()},
        }
        objects = pulumi.ResourceOptions(parent=self)
        values: dict[str, pulumi.Input[str]] = {"line": settings.authentik.line}
        identity: str | None = None
        if settings.box.kind == "none":
            assert settings.authentik.url is not None
            assert settings.authentik.token is not None
            values["address"] = settings.authentik.url
            values["token"] = pulumi.Output.secret(settings.authentik.token.get_secret_value())
        else:
            # The SDKs of Hetzner and Docker take 0.1 s to import, which a client without a box need not wait for.
            from components import access  # noqa: PLC0415
            from components.containers import releases  # noqa: PLC0415
            from components.containers.containers import Containers  # noqa: PLC0415
            from components.containers.spec import folders  # noqa: PLC0415
            from components.containers.specs import admin_identity, all_specs  # noqa: PLC0415
            from components.host.host import Host  # noqa: PLC0415
            from components.proxy.proxy import Proxy  # noqa: PLC0415

            releases.release(settings.authentik.line)  # before anything is declared: it may not be known
            access.write_files(settings.client, secrets)
            identity = remembered.identity or admin_identity(settings)
            specs = all_specs(settings, secrets, identity)
            host = Host(settings, secrets, folders(specs), inside)
            containers = Containers(settings, specs, host, inside)
            Proxy(settings, secrets, host, containers, objects, identity=identity)
            self.outputs["address"] = host.address
            values["address"] = host.admin(9000)
            values["token"] = secrets.output("authentik/service-token")
            values["bootstrap"] = secrets.output("authentik/bootstrap-token")
            objects.depends_on = containers.ready
            objects.deleted_with = host.volume
        provider = pulumi.ProviderResource(
            "pulumi-python",
            "authentik",
            {f"{pulumi.get_project()}:{name}": value for name, value in values.items()},
            pulumi.ResourceOptions(parent=self),
        )
        made = register(examined, provider, objects)
        if invitations := login.links(settings, made):
            self.outputs["invitations"] = invitations
        self.register_outputs({memory.OUTPUT: remembered.after(settings, secrets, identity)})


def _closed(value: Any) -> Any:
    """An output with its secrets as secret outputs."""
    if isinstance(value, SecretStr):
        return pulumi.Output.secret(value.get_secret_value())
    return {key: _closed(each) for key, each in value.items()} if isinstance(value, dict) else value
