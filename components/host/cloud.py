"""The server at Hetzner and what belongs to it: addresses, volume, firewall.

No edit of a stack file destroys the server: what would make Hetzner's provider replace it is ignored, and a
new one is made only when `rebuild` is counted up. Addresses and volume outlive it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_hcloud as hcloud
from pydantic import SecretStr

from components.host import server_type
from components.host.dns import first_address
from components.host.user_data import user_data
from components.logical_names import logical_name
from components.secrets import Secrets, SshKey
from components.settings import Settings
from components.settings.host import NetworkOptions, NewServer
from components.settings.outposts import openings

ANYWHERE = ("0.0.0.0/0", "::/0")


@dataclass(frozen=True, kw_only=True)
class CloudArgs:
    """What a client has at Hetzner."""

    server: NewServer
    network: NetworkOptions
    openings: Mapping[str, Sequence[str]]
    """Further ports, such as 636/tcp, and the networks that may reach them."""
    reverse: str
    """The name that the addresses lead back to."""
    apps: int
    """How many apps there are, for which a server can be too small."""
    deploy_key: str
    first_boot: SshKey
    """The host key that the server has until its real one is put there."""
    protect: bool
    rebuild: int
    token: SecretStr | None = None
    """Without one, the plugin takes HCLOUD_TOKEN."""

    @classmethod
    def from_settings(cls, settings: Settings, server: NewServer, secrets: Secrets) -> CloudArgs:
        """What a stack file says of it."""
        return cls(
            server=server,
            network=settings.network,
            openings=openings(settings),
            reverse=settings.auth_host,
            apps=len(settings.apps),
            deploy_key=secrets.ssh_key("ssh/deploy").public,
            first_boot=secrets.ssh_key("ssh/first-boot"),
            protect=settings.protect,
            rebuild=settings.rebuild,
            token=settings.hetzner_token,
        )


class Cloud:
    """Hetzner's resources of one client: `address`, `address6`, `server`, `volume`, `attachment`.

    They lie in the state directly below `opts.parent`, as they always have (ADR 20).
    """

    def __init__(self, name: str, args: CloudArgs, opts: pulumi.ResourceOptions) -> None:
        """`name`: the client's, which the resources bear at Hetzner too."""
        self._client, self._args = name, args
        server, network = args.server, args.network
        self.provider = hcloud.Provider(
            logical_name(name, "hcloud"),
            token=pulumi.Output.secret(args.token.get_secret_value()) if args.token else None,
            opts=opts,
        )
        self._opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(provider=self.provider))
        called, labels = f"gatehouse-{name}", {"gatehouse": name}

        # Without a key, Hetzner would make a root password and mail it.
        key = hcloud.SshKey(
            logical_name(name, "deploy"),
            name=called,
            public_key=args.deploy_key,
            labels=labels,
            opts=self._with(delete_before_replace=True),
        )
        firewall = hcloud.Firewall(
            logical_name(name, "firewall"), name=called, rules=self._rules(), labels=labels, opts=self._opts
        )
        self._ipv4 = self._primary_ip("ipv4", labels)
        self._ipv6 = self._primary_ip("ipv6", labels) if network.ipv6 else None
        self.volume = hcloud.Volume(
            logical_name(name, "data"),
            name=called,
            size=server.volume_size,
            location=server.location,
            format="ext4",
            delete_protection=args.protect,
            labels=labels,
            opts=self._kept("location", "format"),
        )
        type_, hook = server_type.check(name, server, args.apps, self.provider)
        self.server = hcloud.Server(
            logical_name(name, "server"),
            name=called,
            server_type=type_,
            keep_disk=True,  # so that a smaller type can be taken again later
            image=server.image,
            location=server.location,
            user_data=pulumi.Output.secret(user_data(deploy_key=args.deploy_key, first_boot=args.first_boot)),
            ssh_keys=[key.id],
            firewall_ids=[firewall.id.apply(int)],
            public_nets=[self._public_net()],
            backups=server.backups,
            delete_protection=args.protect,
            rebuild_protection=args.protect,
            shutdown_before_deletion=True,
            labels=labels,
            opts=pulumi.ResourceOptions.merge(
                self._kept("userData", "image", "sshKeys", "location"),
                pulumi.ResourceOptions(
                    replacement_trigger=args.rebuild,
                    # Addresses, volume and name can belong to one server only.
                    delete_before_replace=True,
                    hooks=hook,
                ),
            ),
        )
        self.attachment = hcloud.VolumeAttachment(
            logical_name(name, "data"), server_id=self.server.id.apply(int), volume_id=self.volume.id.apply(int),
            automount=True, opts=self._with(delete_before_replace=True, deleted_with=self.server),
        )  # fmt: skip
        hcloud.Rdns(
            logical_name(name, "ipv4"), primary_ip_id=self._ipv4.id.apply(int), ip_address=self._ipv4.ip_address,
            dns_ptr=args.reverse, opts=self._with(deleted_with=self._ipv4),
        )  # fmt: skip

    @property
    def address(self) -> pulumi.Output[str]:
        """The IPv4 address, which stays when the server is made anew."""
        return pulumi.Output.from_input(self._ipv4.ip_address)

    @property
    def address6(self) -> pulumi.Output[str] | None:
        """The IPv6 address: Hetzner routes a /64, whose first address the server takes."""
        if self._ipv6 is None:
            return None
        return pulumi.Output.from_input(self._ipv6.ip_address).apply(first_address)

    def _with(
        self,
        *,
        delete_before_replace: bool | None = None,
        deleted_with: pulumi.Resource | None = None,
    ) -> pulumi.ResourceOptions:
        more = pulumi.ResourceOptions(delete_before_replace=delete_before_replace, deleted_with=deleted_with)
        return pulumi.ResourceOptions.merge(self._opts, more)

    def _kept(self, *ignored: str) -> pulumi.ResourceOptions:
        """For what holds data or is known to others.

        The engine refuses to destroy anything at all while one of these is protected; Hetzner's own
        protection alone would let the rest be destroyed first.
        """
        more = pulumi.ResourceOptions(protect=self._args.protect, ignore_changes=[*ignored])
        return pulumi.ResourceOptions.merge(self._opts, more)

    def _rules(self) -> list[hcloud.FirewallRuleArgs]:
        def open_to(
            networks: tuple[str, ...], protocol: str, port: str | None = None
        ) -> hcloud.FirewallRuleArgs:
            return hcloud.FirewallRuleArgs(
                direction="in", protocol=protocol, port=port, source_ips=[*networks]
            )

        return [
            open_to(self._args.network.ssh_from, "tcp", "22"),
            open_to(ANYWHERE, "tcp", "80"),
            open_to(ANYWHERE, "tcp", "443"),
            open_to(ANYWHERE, "icmp"),
            *(open_to(ANYWHERE, *reversed(port.split("/"))) for port in self._args.network.open_ports),
            *(
                open_to((*networks,), *reversed(port.split("/")))
                for port, networks in self._args.openings.items()
            ),
        ]

    def _primary_ip(self, type_: str, labels: dict[str, str]) -> hcloud.PrimaryIp:
        return hcloud.PrimaryIp(
            logical_name(self._client, type_),
            name=f"gatehouse-{self._client}-{type_}",
            type=type_,
            location=self._args.server.location,
            auto_delete=False,
            delete_protection=self._args.protect,
            labels=labels,
            opts=self._kept("location"),
        )

    def _public_net(self) -> hcloud.ServerPublicNetArgs:
        if self._ipv6 is None:
            return hcloud.ServerPublicNetArgs(
                ipv4_enabled=True, ipv4=self._ipv4.id.apply(int), ipv6_enabled=False
            )
        return hcloud.ServerPublicNetArgs(
            ipv4_enabled=True, ipv4=self._ipv4.id.apply(int), ipv6_enabled=True, ipv6=self._ipv6.id.apply(int)
        )
