"""The nightly backups of a client's box, as the engine knows them: one command that sets the box up for them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_command as command

from components import ssh
from components.backup.files import File, files, scripts_hash
from components.host.host import Host
from components.logical_names import logical_name
from components.secrets import Secrets
from components.settings import Settings

_INSTALL = ".venv/bin/python -m components.backup.install"


@dataclass(frozen=True, kw_only=True)
class BackupsArgs:
    """What a box is told for its backups, and what they wait for."""

    host: Host
    host_public: str
    files: Sequence[File]
    shown: str
    """The repository, without what opens it."""
    after: Sequence[pulumi.Resource]
    """What has to run before there is anything to back up."""

    @classmethod
    def of(
        cls, settings: Settings, secrets: Secrets, host: Host, after: Sequence[pulumi.Resource]
    ) -> BackupsArgs | None:
        """What a stack file says of them; None where there are none."""
        if settings.backup is None:
            return None
        return cls(
            host=host,
            host_public=secrets.ssh_key("ssh/host").public,
            files=[*files(settings, settings.backup, secrets)],
            shown=settings.backup.repository,
            after=after,
        )


class Backups(pulumi.ComponentResource):
    """A box that backs itself up each night. The repository is made, or opened, before this is there."""

    def __init__(self, name: str, args: BackupsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """`name`: the client's."""
        super().__init__("gatehouse:backup:Backups", name, None, opts)
        host = args.host
        order: pulumi.Output[str] = host.address.apply(
            lambda address: json.dumps(
                {
                    "client": name,
                    "address": address,
                    "port": host.port,
                    "ssh": ssh.ssh_command(name),
                    "host_public": args.host_public,
                    "files": args.files,
                    "shown": args.shown,
                    "scripts": scripts_hash(),
                },
                sort_keys=True,
            )
        )
        secret: pulumi.Output[str] = pulumi.Output.secret(order)
        command.local.Command(
            logical_name(name, "backups"),
            create=_INSTALL,
            update=_INSTALL,
            delete=f"{_INSTALL} --remove",
            stdin=secret,
            triggers=host.generation,
            logging=command.local.Logging.NONE,
            add_previous_output_in_env=False,
            opts=pulumi.ResourceOptions(
                parent=self,
                provider=host.commands,
                depends_on=[host.ready, *args.after],
                deleted_with=host.holder,
                delete_before_replace=True,
            ),
        )
        self.register_outputs({})
