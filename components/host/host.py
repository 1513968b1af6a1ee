"""The box of a client: one that gatehouse makes, or one that is there already, ready for containers."""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
import pulumi_command as command
from pydantic import SecretStr

from components import ssh
from components.containers.spec import Folder
from components.host import dns
from components.host.cloud import ANYWHERE, Cloud, CloudArgs
from components.logical_names import logical_name
from components.secrets import Secrets, SshKey
from components.settings import Settings
from components.settings.host import ExistingBox, NetworkOptions, NewServer
from components.settings.outposts import openings

# Relative, so that a state can be used from any checkout; Pulumi.yaml names the same environment.
_PROVISION = ".venv/bin/python -m components.host.provision"
_SCRIPTS = ("harden.sh", "layout.sh", "accounts.sh", "host_key.sh")


@dataclass(frozen=True, kw_only=True)
class HostArgs:
    """What a client's box is, and what leads to it."""

    box: CloudArgs | ExistingBox
    """The server that is made for it, or a box that was there before."""
    zone: str
    hosts: Sequence[str]
    """The names in the zone that lead to it."""
    network: NetworkOptions
    openings: Mapping[str, Sequence[str]]
    """Ports that some networks reach, besides those that `network` opens to the world."""
    accounts: Sequence[tuple[str, str]]
    """Names and public keys of those who may log in, deploy first."""
    host_key: SshKey
    folders: Sequence[Folder]
    """What is laid out on it for the containers."""
    rebuild: int
    cloudflare_token: SecretStr | None = None
    """Without one, the plugin takes CLOUDFLARE_API_TOKEN."""

    @classmethod
    def from_settings(
        cls, settings: Settings, secrets: Secrets, hosts: Sequence[str], folders: Sequence[Folder]
    ) -> HostArgs:
        """What a stack file says of them."""
        return cls(
            box=_box(settings, secrets),
            zone=settings.domain,
            hosts=hosts,
            network=settings.network,
            openings=openings(settings),
            accounts=[
                ("deploy", secrets.ssh_key("ssh/deploy").public),
                *((operator.name, operator.ssh_key) for operator in settings.operators),
            ],
            host_key=secrets.ssh_key("ssh/host"),
            folders=folders,
            rebuild=settings.rebuild,
            cloudflare_token=settings.cloudflare_token,
        )


class Host(pulumi.ComponentResource):
    """A box that is up and hardened, with the client's names leading to it.

    `address` is how ssh reaches it, `docker` how Docker does, `ready` what containers wait for. `holder` takes all
    containers along when it goes, `volume` all data: both None for a box that was there. `generation` is another one
    where the box was made anew.
    """

    def __init__(self, name: str, args: HostArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """`name`: the client's, which its ssh files bear too."""
        super().__init__("gatehouse:host:Host", name, None, opts)
        self._client, self._args = name, args
        inside = pulumi.ResourceOptions(parent=self)
        box = args.box
        cloudflare = dns.provider(name, args.cloudflare_token, inside)
        records = pulumi.ResourceOptions(parent=self, provider=cloudflare)
        zone = dns.zone_id(args.zone, cloudflare)
        self.holder: pulumi.Resource | None = None
        self.volume: pulumi.Resource | None = None
        if isinstance(box, CloudArgs):
            cloud = Cloud(name, box, inside)
            self.address = cloud.address
            self.holder, self.volume = cloud.server, cloud.volume
            dns.declare(name, args.hosts, zone=zone, ipv4=cloud.address, ipv6=cloud.address6, opts=records)
            volume: pulumi.Output[str | None] = cloud.volume.id.apply(str)
            first = [cloud.attachment]
            self.generation: list[pulumi.Input[str]] = [cloud.server.id, str(args.rebuild)]
        else:
            self.address = pulumi.Output.from_input(box.host)
            dns.declare_fixed(name, args.hosts, zone=zone, target=box.host, opts=records)
            volume = pulumi.Output.from_input(None)
            first = []
            self.generation = [box.host, str(args.rebuild)]

        self.commands = command.Provider(logical_name(name, "command"), opts=inside)
        order: pulumi.Output[str] = pulumi.Output.all(address=self.address, volume=volume).apply(
            lambda known: self._order(known["address"], known["volume"])
        )
        stdin: pulumi.Output[str] = pulumi.Output.secret(order)
        self.ready: pulumi.Resource = command.local.Command(
            logical_name(name, "hardening"),
            # Only a machine that was just made may still have the host key of its first boot.
            create=f"{_PROVISION} --first-contact",
            update=_PROVISION,
            stdin=stdin,
            triggers=self.generation,
            logging=command.local.Logging.NONE,
            add_previous_output_in_env=False,
            opts=pulumi.ResourceOptions(
                parent=self,
                provider=self.commands,
                depends_on=first,
                deleted_with=self.holder,
            ),
        )
        self.register_outputs({"address": self.address})

    @property
    def port(self) -> int:
        """Where its sshd listens."""
        return self._args.box.port if isinstance(self._args.box, ExistingBox) else 22

    @property
    def docker(self) -> pulumi.Output[str]:
        """Where Docker's provider finds it.

        From the primary IP, which is known before and after everything: an address that came out of a command would
        make every container uncertain whenever that command runs.
        """
        box = self._args.box
        port = f":{box.port}" if isinstance(box, ExistingBox) and box.port != 22 else ""
        return self.address.apply(lambda address: f"ssh://deploy@{_bracketed(address)}{port}")

    def admin(self, port: int) -> pulumi.Output[str]:
        """The address of what listens on a port of the box's loopback, for `components.ssh.tunnel`."""
        box = self._args.box
        ssh = f":{box.port}" if isinstance(box, ExistingBox) else ""
        return self.address.apply(lambda address: f"ssh:{self._client}@{address}{ssh}/127.0.0.1:{port}")

    def _order(self, address: str, volume: str | None) -> str:
        """The document for `components.host.provision`; only a change in it runs that program again."""
        args, box = self._args, self._args.box
        order: dict[str, Any] = {
            "client": self._client,
            "address": address,
            "ssh": ssh.ssh_command(self._client),
            "host_private": args.host_key.private,
            "host_public": args.host_key.public,
            "accounts": args.accounts,
            "hardening": self._hardening(),
            "volume": volume,
            "folders": args.folders,
            "scripts": scripts_hash(),
        }
        if isinstance(box, CloudArgs):
            order |= {"port": 22, "first_public": box.first_boot.public, "first_user": "deploy"}
        else:
            order |= {"port": box.port, "first_public": box.host_key, "first_user": box.user}
            order |= {} if box.adopt else {"guarded": True}
        return json.dumps(order, sort_keys=True)

    def _hardening(self) -> list[str]:
        """The arguments of harden.sh: what the stack file says of how the box is hardened."""
        network = self._args.network
        anybody = set(network.ssh_from) & set(ANYWHERE)
        narrow = (f"{port}={each}" for port, networks in self._args.openings.items() for each in networks)
        arguments = {
            "--ssh-port": [str(self.port)] if self.port != 22 else [],
            "--trusted": [] if anybody else network.ssh_from,
            "--open": [*network.open_ports, *narrow],
        }
        return [part for flag, values in arguments.items() for value in values for part in (flag, value)]


def _box(settings: Settings, secrets: Secrets) -> CloudArgs | ExistingBox:
    match settings.box:
        case NewServer():
            return CloudArgs.from_settings(settings, settings.box, secrets)
        case ExistingBox():
            return settings.box
        case _:
            raise ValueError("a client without a box has no Host")


def _bracketed(address: str) -> str:
    try:
        return f"[{address}]" if ipaddress.ip_address(address).version == 6 else address
    except ValueError:
        return address


def scripts_hash() -> str:
    """A hash of everything that runs on the box, so that a change reaches the boxes that are there."""
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for name in _SCRIPTS:
        digest.update((here / name).read_bytes() + b"\0")
    return digest.hexdigest()
