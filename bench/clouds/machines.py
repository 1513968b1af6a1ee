"""What the Hetzner emulator asks of whoever boots its servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

MachineState = Literal["running", "off", "gone"]


class Machines(Protocol):
    """The hardware behind the API: one machine for a server, one disk for a volume.

    Calls block until the thing is done (a booting machine: until its first process runs) and may come from
    several threads, but only one at a time for a server. Each raises `MachineError` with a text that a person
    understands; it becomes the error of the API's action. Numbers are the API's ids, which are never used
    twice in one directory. After a restart of the emulator an interrupted call is made again, so each must
    also be right when it was half or wholly done before.
    """

    def create(
        self,
        server: int,
        name: str,
        user_data: str,
        ipv4: str | None,
        ipv6: str | None,
        memory_mb: int,
        image: str,
    ) -> None:
        """Make the machine's disk from `image` (debian-12) and hand it the user data; it stays off.

        `ipv6` is the machine's own address (…::1) of its /64.
        """

    def power_on(self, server: int) -> None:
        """Boot it; nothing happens when it runs."""

    def power_off(self, server: int) -> None:
        """Cut its power; nothing happens when it is off."""

    def shutdown(self, server: int) -> None:
        """Ask the system in it to stop, as the power button does, and cut the power if it does not."""

    def reboot(self, server: int) -> None:
        """Restart it, which a running system may notice as a clean reboot."""

    def destroy(self, server: int) -> None:
        """Remove the machine and its disk, not its volumes; fine when it never was."""

    def state(self, server: int) -> MachineState:
        """What it does now. Called for every GET of a server, so it has to be cheap."""

    def create_volume(self, volume: int, size_gb: int) -> None:
        """Make an empty volume with an ext4 file system."""

    def destroy_volume(self, volume: int) -> None:
        """Remove a volume and what is on it."""

    def attach_volume(self, server: int, volume: int) -> None:
        """Show it in the machine, mounted at /mnt/HC_Volume_<volume>, now and after each boot.

        Asked for only with automount; a volume attached without it stays invisible in the machine.
        """

    def detach_volume(self, server: int, volume: int) -> None:
        """Take it out of the machine; fine when it is not in it."""

    def set_firewall(self, server: int, rules: list[dict[str, Any]]) -> None:
        """Put all rules of the server's firewalls, in the API's form, in the place of those before.

        Inbound traffic that no `in` rule names is dropped; outbound is free unless an `out` rule exists. A
        server without any firewall gets rules that allow everything.
        """


@runtime_checkable
class Resizable(Protocol):
    """Machines whose size can change afterwards."""

    def set_memory(self, server: int, memory_mb: int) -> None:
        """Another size for a machine that is off."""


class MachineError(Exception):
    """A machine could not do what was asked; the text says which, why and what to do."""


class NullMachines:
    """Servers that are only entries: for tests and for a machine without root."""

    def __init__(self, directory: Path | None = None) -> None:
        del directory
        self.user_data: dict[int, str] = {}
        self.firewalls: dict[int, list[dict[str, Any]]] = {}
        self.attached: set[tuple[int, int]] = set()
        self.calls: list[tuple[str, int]] = []
        self._off: set[int] = set()

    def create(
        self,
        server: int,
        name: str,
        user_data: str,
        ipv4: str | None,
        ipv6: str | None,
        memory_mb: int,
        image: str,
    ) -> None:
        del name, ipv4, ipv6, memory_mb, image
        self.calls.append(("create", server))
        self.user_data[server] = user_data
        self._off.add(server)

    def power_on(self, server: int) -> None:
        self.calls.append(("power_on", server))
        self._off.discard(server)

    def power_off(self, server: int) -> None:
        self.calls.append(("power_off", server))
        self._off.add(server)

    def shutdown(self, server: int) -> None:
        self.calls.append(("shutdown", server))
        self._off.add(server)

    def reboot(self, server: int) -> None:
        self.calls.append(("reboot", server))
        self._off.discard(server)

    def set_memory(self, server: int, memory_mb: int) -> None:
        del memory_mb
        self.calls.append(("set_memory", server))

    def destroy(self, server: int) -> None:
        self.calls.append(("destroy", server))
        self.user_data.pop(server, None)
        self.firewalls.pop(server, None)

    def state(self, server: int) -> MachineState:
        """It is running, if it was never seen: the servers of a directory outlive this object."""
        return "off" if server in self._off else "running"

    def create_volume(self, volume: int, size_gb: int) -> None:
        del size_gb
        self.calls.append(("create_volume", volume))

    def destroy_volume(self, volume: int) -> None:
        self.calls.append(("destroy_volume", volume))

    def attach_volume(self, server: int, volume: int) -> None:
        self.calls.append(("attach_volume", volume))
        self.attached.add((server, volume))

    def detach_volume(self, server: int, volume: int) -> None:
        self.calls.append(("detach_volume", volume))
        self.attached.discard((server, volume))

    def set_firewall(self, server: int, rules: list[dict[str, Any]]) -> None:
        self.calls.append(("set_firewall", server))
        self.firewalls[server] = rules
