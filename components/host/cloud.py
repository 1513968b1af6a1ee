"""The server at Hetzner and what belongs to it: addresses, volume, firewall.

No edit of a stack file destroys the server: what would make Hetzner's provider replace it is ignored, and a
new one is made only when `rebuild` is counted up. Addresses and volume outlive it.
"""

from __future__ import annotations

import pulumi
import pulumi_hcloud as hcloud

from components.host import server_type
from components.host.dns import first_address
from components.host.user_data import user_data
from components.secrets import Secrets
from components.settings import Settings
from components.settings.host import Server

ANYWHERE = ("0.0.0.0/0", "::/0")


class Cloud:
    """Hetzner's resources of one client. Outputs: `address`, `address6`, `server`, `volume`, `attachment`."""

    def __init__(
        self, settings: Settings, secrets: Secrets, server: Server, opts: pulumi.ResourceOptions
    ) -> None:
        self.settings = settings
        name = f"gatehouse-{settings.client}"
        token = settings.hetzner_token
        self.provider = hcloud.Provider(
            "hcloud", token=pulumi.Output.secret(token.get_secret_value()) if token else None, opts=opts
        )
        self.opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(provider=self.provider))
        labels = {"gatehouse": settings.client}

        deploy, first_boot = secrets.ssh_key("ssh/deploy"), secrets.ssh_key("ssh/first-boot")
        # Without a key, Hetzner would make a root password and mail it.
        key = hcloud.SshKey(
            "deploy",
            name=name,
            public_key=deploy.public,
            labels=labels,
            opts=self._with(delete_before_replace=True),
        )
        firewall = hcloud.Firewall("firewall", name=name, rules=self._rules(), labels=labels, opts=self.opts)
        self._ipv4 = self._primary_ip("ipv4", name, server.location, labels)
        self._ipv6 = (
            self._primary_ip("ipv6", name, server.location, labels) if settings.network.ipv6 else None
        )
        self.volume = hcloud.Volume(
            "data",
            name=name,
            size=server.volume_size,
            location=server.location,
            format="ext4",
            delete_protection=settings.protect,
            labels=labels,
            opts=self._kept("location", "format"),
        )
        type_, hook = server_type.check(server, len(settings.apps), self.provider)
        self.server = hcloud.Server(
            "server",
            name=name,
            server_type=type_,
            keep_disk=True,  # so that a smaller type can be taken again later
            image=server.image,
            location=server.location,
            user_data=pulumi.Output.secret(user_data(deploy_key=deploy.public, first_boot=first_boot)),
            ssh_keys=[key.id],
            firewall_ids=[firewall.id.apply(int)],
            public_nets=[self._public_net()],
            backups=server.backups,
            delete_protection=settings.protect,
            rebuild_protection=settings.protect,
            shutdown_before_deletion=True,
            labels=labels,
            opts=pulumi.ResourceOptions.merge(
                self._kept("userData", "image", "sshKeys", "location"),
                pulumi.ResourceOptions(
                    replacement_trigger=settings.rebuild,
                    # Addresses, volume and name can belong to one server only.
                    delete_before_replace=True,
                    hooks=hook,
                ),
            ),
        )
        self.attachment = hcloud.VolumeAttachment(
            "data", server_id=self.server.id.apply(int), volume_id=self.volume.id.apply(int), automount=True,
            opts=self._with(delete_before_replace=True, deleted_with=self.server),
        )  # fmt: skip
        hcloud.Rdns(
            "ipv4", primary_ip_id=self._ipv4.id.apply(int), ip_address=self._ipv4.ip_address,
            dns_ptr=settings.auth_host, opts=self._with(deleted_with=self._ipv4),
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
        return pulumi.ResourceOptions.merge(self.opts, more)

    def _kept(self, *ignored: str) -> pulumi.ResourceOptions:
        """For what holds data or is known to others.

        The engine refuses to destroy anything at all while one of these is protected; Hetzner's own
        protection alone would let the rest be destroyed first.
        """
        more = pulumi.ResourceOptions(protect=self.settings.protect, ignore_changes=[*ignored])
        return pulumi.ResourceOptions.merge(self.opts, more)

    def _rules(self) -> list[hcloud.FirewallRuleArgs]:
        def open_to(
            networks: tuple[str, ...], protocol: str, port: str | None = None
        ) -> hcloud.FirewallRuleArgs:
            return hcloud.FirewallRuleArgs(
                direction="in", protocol=protocol, port=port, source_ips=[*networks]
            )

        return [
            open_to(self.settings.network.ssh_from, "tcp", "22"),
            open_to(ANYWHERE, "tcp", "80"),
            open_to(ANYWHERE, "tcp", "443"),
            open_to(ANYWHERE, "icmp"),
            *(open_to(ANYWHERE, *reversed(port.split("/"))) for port in self.settings.network.open_ports),
        ]

    def _primary_ip(self, type_: str, name: str, location: str, labels: dict[str, str]) -> hcloud.PrimaryIp:
        return hcloud.PrimaryIp(
            type_,
            name=f"{name}-{type_}",
            type=type_,
            location=location,
            auto_delete=False,
            delete_protection=self.settings.protect,
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
