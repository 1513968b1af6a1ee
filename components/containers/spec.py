"""What there is to say of a container, as plain data: one row, from which all else that concerns it follows.

The container itself is made from it (`containers.py`), its folders on the box are laid out from it
(`components/host/layout.sh`), and a run that finds it stopped knows from it what does not answer (`operations/box.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import NamedTuple

from components.containers.networks import DATA_NET, LOOPBACK, Network
from components.containers.services import SERVICES

DATA = "/srv/gatehouse"
"""The folder of the box that holds all data."""


class Port(NamedTuple):
    """One port that a container publishes.

    No two of a container have the same `inside`: Docker's plugin reads a container's ports back sorted by it, and those
    that share one in whatever order this version of Docker has them. A list in another order than that replaces the
    container at every run.
    """

    inside: int
    outside: int
    address: str
    protocol: str | None = None
    """udp, or nothing for tcp."""


class Folder(NamedTuple):
    """A folder below DATA. Without an owner it is root's until the image's entry point gives it to its own user."""

    path: str
    mode: str = "0700"
    owner: int | None = None
    """Number of the user, and of the group."""


class Volume(NamedTuple):
    """A folder of the box, and where a container sees it."""

    folder: Folder
    inside: str


@dataclass(frozen=True, kw_only=True)
class ContainerSpec:
    """One container; `env` is secret as a whole."""

    name: str
    """Its name in SERVICES, which knows its image."""
    health: tuple[str, ...]
    memory_mb: int
    """Limit; as much again may be swapped. It is a ceiling against leaks, not a reservation."""
    version: str = ""
    """authentik's, for the images of it."""
    needs: tuple[str, ...] = ()
    """The containers without which it does not answer: they are started before it."""
    outpost: str = ""
    """For one of authentik's outposts, its name at authentik: what is declared of it there comes before it."""
    command: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict, repr=False)
    volumes: tuple[Volume, ...] = ()
    networks: tuple[Network, ...] = (DATA_NET,)
    place: int | None = None
    """Which address it has in each of them, if others know it by its address."""
    ports: tuple[Port, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    """Files that are put into it before it starts: their paths inside, and what is in them."""
    keeps: tuple[str, ...] = ()
    """Capabilities it keeps; all others are dropped, unless `drops` says which."""
    drops: tuple[str, ...] = ("ALL",)
    tmpfs: tuple[str, ...] = ()
    """With any, the rest of its file system is read-only."""
    shm_mb: int | None = None
    health_seconds: int = 5
    start_seconds: int = 30
    """For so long a failed health check does not count."""
    wait_seconds: int = 180
    """How long `up` waits for it to be healthy."""
    stop_seconds: int = 30

    @property
    def image(self) -> str:
        """The image as Docker pulls it."""
        return ":".join(filter(None, (SERVICES[self.name].image, self.version)))

    @property
    def hostname(self) -> str:
        """What Docker calls it, and the other containers of its networks."""
        return f"gatehouse-{self.name}"


def folders(specs: Iterable[ContainerSpec]) -> list[Folder]:
    """All folders that volumes of these containers need, outer ones first; an outer one is like what is in it."""
    found: dict[str, Folder] = {}
    for spec in specs:
        for folder, _ in spec.volumes:
            for outer in PurePosixPath(folder.path).parents[:-1]:
                found.setdefault(str(outer), folder._replace(path=str(outer)))
            found[folder.path] = folder
    return [found[path] for path in sorted(found)]


def loopback_ports(specs: Iterable[ContainerSpec]) -> Mapping[str, frozenset[int]]:
    """For each container, the ports of the box's loopback at which nothing answers without it."""
    by_name = {spec.name: spec for spec in specs}
    found: dict[str, frozenset[int]] = {}

    def add(spec: ContainerSpec, ports: frozenset[int]) -> None:
        found[spec.name] = found.get(spec.name, frozenset()) | ports
        for name in spec.needs:
            add(by_name[name], ports)

    for spec in by_name.values():
        add(spec, frozenset(port.outside for port in spec.ports if port.address == LOOPBACK))
    return found
