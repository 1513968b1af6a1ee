"""The box of a client: one that gatehouse makes, or one that is there already, ready for containers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import pulumi
import pulumi_command as command

from components import access
from components.containers.spec import Folder
from components.host import dns
from components.host.cloud import ANYWHERE, Cloud
from components.secrets import Secrets
from components.settings import Settings

# Relative, so that a state can be used from any checkout; Pulumi.yaml names the same environment.
_PROVISION = ".venv/bin/python -m components.host.provision"
_SCRIPTS = ("harden.sh", "layout.sh", "accounts.sh", "host_key.sh")


class Host(pulumi.ComponentResource):
    """A box that is up and hardened, with the client's names leading to it.

    `address` is how ssh and Docker reach it, `ready` what containers wait for, `records` the DNS records.
    `holder` takes all containers along when it goes, `volume` all data: both None for a box that was there.
    """

    def __init__(
        self,
        settings: Settings,
        secrets: Secrets,
        folders: Sequence[Folder],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`folders`: what is laid out on it for the containers."""
        super().__init__("gatehouse:host:Host", settings.client, None, opts)
        self._settings = settings
        inside = pulumi.ResourceOptions(parent=self)
        box = settings.box
        hosts = dns.served_hosts(settings)
        cloudflare = dns.provider(settings.cloudflare_token, inside)
        records = pulumi.ResourceOptions(parent=self, provider=cloudflare)
        zone = dns.zone_id(settings.domain, cloudflare)
        self.holder: pulumi.Resource | None = None
        self.volume: pulumi.Resource | None = None
        if settings.server is not None:
            cloud = Cloud(settings, secrets, settings.server, inside)
            self.address = cloud.address
            self.holder, self.volume = cloud.server, cloud.volume
            self.records = dns.declare(
                hosts, zone=zone, ipv4=cloud.address, ipv6=cloud.address6, opts=records
            )
            volume: pulumi.Output[str | None] = cloud.volume.id.apply(str)
            first = [cloud.attachment]
            generation: list[pulumi.Input[str]] = [cloud.server.id, str(settings.rebuild)]
        elif box.kind == "host" and box.host is not None:
            self.address = pulumi.Output.from_input(box.host)
            self.records = dns.declare_fixed(hosts, zone=zone, target=box.host, opts=records)
            volume = pulumi.Output.from_input(None)
            first = []
            generation = [box.host, str(settings.rebuild)]
        else:
            raise ValueError("a client without a box has no Host")

        order: pulumi.Output[str] = pulumi.Output.all(address=self.address, volume=volume).apply(
            lambda known: self._order(settings, secrets, folders, known["address"], known["volume"])
        )
        stdin: pulumi.Output[str] = pulumi.Output.secret(order)
        self.ready: pulumi.Resource = command.local.Command(
            "hardening",
            # Only a machine that was just made may still have the host key of its first boot.
            create=f"{_PROVISION} --first-contact",
            update=_PROVISION,
            stdin=stdin,
            triggers=generation,
            logging=command.local.Logging.NONE,
            add_previous_output_in_env=False,
            opts=pulumi.ResourceOptions(
                parent=self,
                provider=command.Provider("command", opts=inside),
                depends_on=first,
                deleted_with=self.holder,
            ),
        )
        self.register_outputs({"address": self.address})

    def admin(self, port: int) -> pulumi.Output[str]:
        """The address of what listens on a port of the box's loopback, for `components.access.tunnel`."""
        ssh = f":{self._settings.box.port}" if self._settings.box.kind == "host" else ""
        client = self._settings.client
        return self.address.apply(lambda address: f"ssh:{client}@{address}{ssh}/127.0.0.1:{port}")

    @staticmethod
    def _order(
        settings: Settings, secrets: Secrets, folders: Sequence[Folder], address: str, volume: str | None
    ) -> str:
        """The document for `components.host.provision`; only a change in it runs that program again."""
        deploy, host = secrets.ssh_key("ssh/deploy"), secrets.ssh_key("ssh/host")
        box = settings.box
        ours = box.kind == "server"
        accounts = [["deploy", deploy.public], *([op.name, op.ssh_key] for op in settings.operators)]
        order = {
            "client": settings.client,
            "address": address,
            "port": 22 if ours else box.port,
            "ssh": access.ssh_command(settings.client),
            "host_private": host.private,
            "host_public": host.public,
            "first_public": secrets.ssh_key("ssh/first-boot").public if ours else box.host_key,
            "first_user": "deploy" if ours else box.user,
            "accounts": accounts,
            "trusted": [] if set(settings.network.ssh_from) & set(ANYWHERE) else [*settings.network.ssh_from],
            "open": [*settings.network.open_ports],
            "volume": volume,
            "folders": folders,
            "scripts": scripts_hash(),
            **({} if ours or box.adopt else {"guarded": True}),
        }
        return json.dumps(order, sort_keys=True)


def scripts_hash() -> str:
    """A hash of everything that runs on the box, so that a change reaches the boxes that are there."""
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for name in _SCRIPTS:
        digest.update((here / name).read_bytes() + b"\0")
    return digest.hexdigest()
