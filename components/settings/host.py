"""The box: a server that gatehouse makes, one that exists, or none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, SecretStr, Tag

from components.problems import Problem, warning
from components.settings.base import Model, dotted, wrong
from components.settings.forms import AccountName, EmailAddress, Host, Network, OpenPort, TypeName, Username
from components.settings.secret_forms import SshPublicKey

# Memory in GB of Hetzner's shared and dedicated types, by name (hetzner.com/cloud; sizes of a type never change).
# A type that is not here passes; what it has is read from Hetzner's API before anything is made.
SERVER_TYPES: dict[str, float] = {
    "cx22": 4, "cx32": 8, "cx42": 16, "cx52": 32,
    "cx23": 4, "cx33": 8, "cx43": 16, "cx53": 32,
    "cpx11": 2, "cpx21": 4, "cpx31": 8, "cpx41": 16, "cpx51": 32,
    "cpx12": 2, "cpx22": 4, "cpx32": 8, "cpx42": 16, "cpx52": 24, "cpx62": 32,
    "cax11": 4, "cax21": 8, "cax31": 16, "cax41": 32,
    "ccx13": 8, "ccx23": 16, "ccx33": 32, "ccx43": 64, "ccx53": 128, "ccx63": 192,
}  # fmt: skip

MEMORY_MINIMUM_GB = 2  # authentik's own documentation: at least 2 CPU cores and 2 GB of RAM


def memory_problems(where: str, what: str, gigabytes: float, apps: int) -> Iterator[Problem]:
    """What speaks against `gigabytes` of memory with so many apps."""
    if gigabytes < MEMORY_MINIMUM_GB:
        yield Problem(
            where,
            f"{what} has {gigabytes:g} GB of memory, and authentik does not run in less than {MEMORY_MINIMUM_GB}",
            "Take a type with 4 GB, such as cx23",
        )
    elif gigabytes < 4 and apps > 6:
        yield warning(
            where,
            f"{what} has {gigabytes:g} GB of memory for {apps} apps",
            "Take a type with 4 GB or more, such as cx23, beyond six apps",
        )


class NewServer(Model):
    """A server at Hetzner."""

    type: TypeName
    """Hetzner's name of the type, such as cx23. 4 GB of memory is what authentik wants; below 2 GB is refused."""

    location: Literal["fsn1", "nbg1", "hel1", "ash", "hil", "sin"]
    """Where it stands: Falkenstein, Nuremberg, Helsinki, Ashburn, Hillsboro or Singapore."""

    image: Literal["debian-12"] = "debian-12"
    """The system it boots. A change reaches the server only when `rebuild` is counted up."""

    volume_size: Annotated[int, Field(ge=10, le=10240)] = 10
    """Size in GB of the volume that holds all data (Hetzner's least is 10). It can grow, never shrink."""

    backups: bool = False
    """Whether Hetzner keeps daily backups of the system disk (the volume is not in them)."""


def type_problems(server: NewServer, found: Mapping[str, Any], apps: int) -> Iterator[Problem]:
    """What speaks against a server of this type, given what Hetzner says of the type: `memory` and `locations`."""
    what, where = f"server type {server.type}", dotted("server", "location")
    yield from memory_problems(dotted("server", "type"), what, float(found["memory"]), apps)
    offers = {location["name"]: location for location in found.get("locations") or ()}
    offer = offers.get(server.location)
    others = (
        ", ".join(sorted(name for name, other in offers.items() if other.get("available", True))) or "none"
    )
    if offer is None:
        yield Problem(
            where,
            f"{what} is not available at {server.location}",
            f"Take one of its locations ({others}), or another type",
        )
    elif not offer.get("available", True):
        yield Problem(
            where,
            f"{what} is sold out at {server.location} at the moment",
            f"Take another of its locations ({others}), another type, or try again later",
        )


class ExistingBox(Model):
    """A Debian 12 box that is there already and that gatehouse may take over."""

    host: Host
    """Its address or name, as ssh reaches it."""

    host_key: SshPublicKey
    """Its SSH host key (`ssh-keyscan -t ed25519 HOST`, compared with what the box itself says)."""

    user: Username = "root"
    """Who may log in there with your own key at the first time; root, or someone with sudo without a password."""

    port: Annotated[int, Field(ge=1, le=65535)] = 22
    """The port of its SSH server."""

    adopt: bool = False
    """Whether it may be taken over although somebody else's containers, Docker settings or firewall rules are on it."""


def _box(value: Any) -> Any:
    if not isinstance(value, dict | ExistingBox) and value != "none":
        raise wrong(f"{value!r} is not a box", "Write none, or {host: …, hostKey: …} for a box that exists")
    return value


# Tagged, so that a mistake in a box is not also reported as a box that is not `none`.
BoxSetting = Annotated[
    Annotated[ExistingBox, Tag("[box]")] | Annotated[Literal["none"], Tag("[none]")],
    Discriminator(lambda value: "[none]" if isinstance(value, str) else "[box]"),
    BeforeValidator(_box),
]


@dataclass(frozen=True)
class Elsewhere:
    """No box of gatehouse's: authentik runs where somebody else sees to it, and is reached at a URL."""

    url: str
    token: SecretStr
    """Of an administrator there; empty while the stack file's secrets are closed."""


Box = NewServer | ExistingBox | Elsewhere
"""Where authentik runs."""


class NetworkOptions(Model):
    """Who reaches the box, and how."""

    ssh_from: tuple[Network, ...] = ("0.0.0.0/0", "::/0")
    """Networks from which SSH is let through. The one that you run gatehouse from must be among them."""

    open_ports: tuple[OpenPort, ...] = ()
    """Ports, such as 8080/tcp, on which the world may reach what containers of your own publish. What is published on
    any other, but for 80 and 443, is dropped on the box."""

    ipv6: bool = True
    """Whether the server gets an IPv6 address and AAAA records."""


class DnsOptions(Model):
    """The client's zone."""

    adopt: bool = False
    """Whether records of the names that the box serves, which are in the zone already, may be taken over: from then on
    they lead to the box."""


class Operator(Model):
    """One of the agency's people who may log in to the box."""

    name: AccountName
    """Their account's name on the box: lower-case letters, digits, - and _."""

    email: EmailAddress
    """Where they are reached; the first operator's address goes to authentik's administrator, at its first start."""

    ssh_key: SshPublicKey = ""
    """The one line of their public key file; needed where there is a box."""
