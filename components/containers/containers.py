"""The containers of a client as Pulumi resources, on the box's Docker through SSH."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker

from components.containers.networks import NETWORKS, Network
from components.containers.spec import DATA, ContainerSpec
from components.logical_names import logical_name


@dataclass(frozen=True, kw_only=True)
class ContainersArgs:
    """What runs on a box, and how its Docker is reached."""

    specs: Sequence[ContainerSpec]
    """All containers, each after what it needs."""
    docker: pulumi.Input[str]
    """Where Docker's provider finds the box."""
    ssh: Sequence[str]
    """Options of the ssh command that it goes there by."""
    ready: pulumi.Resource
    """What has made the box ready for containers."""
    holder: pulumi.Resource | None
    """What takes them along when it goes; only what is on the volume outlives it."""


class Containers(pulumi.ComponentResource):
    """Everything that runs on the box.

    `by_name` has the containers by their names without `gatehouse-`; `ready` is what objects in authentik and
    in NPM wait for: each container in it is healthy.
    """

    def __init__(self, name: str, args: ContainersArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gatehouse:containers:Containers", name, None, opts)
        self._client, self._args = name, args
        self._provider = docker.Provider(
            logical_name(name, "docker"),
            host=args.docker,
            ssh_opts=[*args.ssh],
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._networks = {net: self._network(net) for net in NETWORKS}
        self._images: dict[str, docker.RemoteImage] = {}
        self.by_name: dict[str, docker.Container] = {}
        for spec in args.specs:
            if spec.outpost:
                continue
            self.by_name[spec.name] = self._container(spec, [self.by_name[need] for need in spec.needs])
        self.ready: list[pulumi.Resource] = [*self.by_name.values()]
        self.register_outputs({"images": {spec.name: spec.image for spec in args.specs}})

    def add_outposts(self, declared: Mapping[tuple[str, str], pulumi.Resource]) -> None:
        """authentik's outposts. `declared`: what is declared in authentik, by kind and name."""
        for spec in self._args.specs:
            if spec.outpost:
                needs = [self.by_name[need] for need in spec.needs]
                outpost = declared["authentik_outposts.outpost", spec.outpost]
                self.by_name[spec.name] = self._container(spec, [*needs, outpost])

    def _options(self, depends_on: Sequence[pulumi.Resource]) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(
            parent=self,
            provider=self._provider,
            depends_on=depends_on,
            deleted_with=self._args.holder,
            # Names and ports are taken until the old one is gone.
            delete_before_replace=True,
        )

    def _network(self, net: Network) -> docker.Network:
        return docker.Network(
            logical_name(self._client, net.name),
            name=net.name,
            internal=net.internal or None,
            ipam_configs=[docker.NetworkIpamConfigArgs(subnet=net.subnet)],
            opts=self._options([self._args.ready]),
        )

    def _image(self, name: str) -> pulumi.Output[str]:
        if name not in self._images:
            short = name.split(":", maxsplit=1)[0].rsplit("/", maxsplit=1)[-1]
            self._images[name] = docker.RemoteImage(
                logical_name(self._client, short),
                name=name,
                keep_locally=True,  # so that going back to it needs no registry
                opts=pulumi.ResourceOptions.merge(
                    self._options([self._args.ready]), pulumi.ResourceOptions(delete_before_replace=False)
                ),
            )
        return pulumi.Output.from_input(self._images[name].image_id)

    def _container(self, spec: ContainerSpec, needs: Sequence[pulumi.Resource]) -> docker.Container:
        return docker.Container(
            logical_name(self._client, spec.name),
            name=spec.hostname,
            image=self._image(spec.image),
            command=[*spec.command] or None,
            envs=pulumi.Output.secret([f"{key}={value}" for key, value in spec.env.items()]),
            networks_advanced=[
                docker.ContainerNetworksAdvancedArgs(
                    name=self._networks[net].name,
                    ipv4_address=net.host(spec.place) if spec.place else None,
                )
                for net in spec.networks
            ],
            ports=[
                docker.ContainerPortArgs(
                    internal=port.inside, external=port.outside, ip=port.address, protocol=port.protocol
                )
                for port in sorted(spec.ports)  # as they are read back
            ],
            uploads=[docker.ContainerUploadArgs(file=path, content=text) for path, text in spec.files],
            volumes=[
                docker.ContainerVolumeArgs(
                    host_path=f"{DATA}/{folder.path}", container_path=inside, read_only=False
                )
                for folder, inside in spec.volumes
            ],
            healthcheck=docker.ContainerHealthcheckArgs(
                tests=[*spec.health],
                interval=f"{spec.health_seconds}s",
                timeout="30s",
                start_period=_duration(spec.start_seconds),
                retries=5,
            ),
            wait=True,
            wait_timeout=spec.wait_seconds,
            must_run=True,
            restart="unless-stopped",
            destroy_grace_seconds=spec.stop_seconds,
            memory=spec.memory_mb,
            # Without it the daemon sets it, and every preview shows a difference.
            memory_swap=2 * spec.memory_mb,
            shm_size=spec.shm_mb,
            read_only=bool(spec.tmpfs),
            tmpfs=dict.fromkeys(spec.tmpfs, "") or None,
            security_opts=["no-new-privileges:true"],
            capabilities=docker.ContainerCapabilitiesArgs(drops=[*spec.drops], adds=[*spec.keeps] or None),
            log_driver="json-file",
            log_opts={"max-file": "3", "max-size": "10m"},
            opts=self._options([self._args.ready, *needs]),
        )


def _duration(seconds: int) -> str:
    """As Docker writes it back: 1m30s, not 90s, or every refresh would show a difference."""
    minutes, rest = divmod(seconds, 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
