"""The bench's hardware: servers as real Debian systems in systemd-nspawn, volumes that outlive them."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import processes
from bench.clouds.machines import MachineError, MachineState
from bench.machine import groups, image, network
from bench.machine.box import Box
from bench.paths import ROOT
from bench.rootfs import BuildError

_BOOT = 30.0  # seconds until a box's first process runs, at worst
_OFF = 90.0  # systemd's own limit for stopping a service


class Machines:
    """Boxes below `directory`, joined to the network namespace that `settle` named; implements bench.clouds' protocol.

    All that is known is on disk: another object for the same directory, in another process, goes on with it.
    """

    def __init__(self, directory: Path, progress: Callable[[str], None] = print) -> None:
        self.directory = directory.resolve()
        self.progress = progress
        settings = self.directory / "settings.json"
        if not settings.exists():
            raise MachineError(
                f"{settings} is missing: `python -m bench up` makes the world that boxes are in"
            )
        found = json.loads(settings.read_text())
        self.client: str = found["client"]
        self.kind: str = found["kind"]

    @staticmethod
    def settle(directory: Path, client: str, kind: str) -> None:
        """Say which network namespace the boxes of a directory are joined to, and which image they boot."""
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        (directory / "settings.json").write_text(json.dumps({"client": client, "kind": kind}))

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
        """Make a machine's disk with exactly this user data on it; it stays off."""
        if image != "debian-12":
            raise MachineError(f"server {name}: the bench boots debian-12 only, not {image}")
        place = self._place(server)
        self.destroy(server)
        with _told(f"server {name}"):
            layers = tuple(self._image())
            box = Box(
                place, server, name, self.client, f"{self.client}-{server}", ipv4, ipv6, memory_mb, layers
            )
            seed = box.upper / "var/lib/cloud/seed/nocloud"
            seed.mkdir(parents=True)
            for file, contents in {
                "user-data": user_data,
                "meta-data": f"instance-id: {server}\nlocal-hostname: {name}\n",
            }.items():
                with os.fdopen(os.open(seed / file, os.O_WRONLY | os.O_CREAT, 0o600), "w") as handle:
                    handle.write(contents)
            box.save()

    def power_on(self, server: int) -> None:
        """Boot it and return when its first process runs."""
        with self._alone(server):
            if self.state(server) != "running":
                self._boot(self._box(server))

    def _boot(self, box: Box) -> None:
        self._clear(box)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with box.console.open("ab") as console:
            keeper = subprocess.Popen(
                [sys.executable, "-m", "bench.machine.keeper", str(box.directory)],
                env=environment, stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + _BOOT
        while "leader" not in processes.read(box.processes):
            if keeper.poll() is not None or time.monotonic() > deadline:
                self._clear(box)
                end = box.console.read_text(errors="replace")[-600:]
                raise MachineError(f"server {box.name} does not boot; the end of {box.console}:\n{end}")
            time.sleep(0.02)

    def power_off(self, server: int) -> None:
        """Cut its power."""
        with self._alone(server):
            if self.state(server) != "gone":
                self._clear(self._box(server))

    def shutdown(self, server: int) -> None:
        """Ask it to stop, as a press of the power button does; cut its power if it doesn't."""
        if self.state(server) == "running" and self._signal(server, 4):
            deadline = time.monotonic() + _OFF
            while self.state(server) == "running" and time.monotonic() < deadline:
                time.sleep(0.05)
        self.power_off(server)

    def reboot(self, server: int) -> None:
        """Restart it: a running system stops its services first."""
        before = processes.read(self._box(server).processes).get("leader")
        if not self._signal(server, 5):
            self.power_on(server)
            return
        deadline = time.monotonic() + _OFF + _BOOT
        while time.monotonic() < deadline:
            now = processes.read(self._box(server).processes).get("leader")
            if now and now != before and now.find():
                return
            time.sleep(0.05)
        self.power_off(server)
        self.power_on(server)

    def destroy(self, server: int) -> None:
        """Remove the machine and its disk, not its volumes."""
        with self._alone(server):
            if self.state(server) != "gone":
                box = self._box(server)
                self._clear(box)
                if network.exists(self.client):
                    with _told(f"server {box.name}"):
                        network.filter_traffic(self.client, server, None)
            self._throw_away(self._place(server))

    def state(self, server: int) -> MachineState:
        """What it does now."""
        place = self._place(server)
        if not (place / "box.json").exists():
            return "gone"
        keeper = processes.read(place / "processes.json").get("keeper")
        return "running" if keeper and keeper.find() else "off"

    def create_volume(self, volume: int, size_gb: int) -> None:
        """Make an empty volume. Its size is not enforced: it is a directory of this machine's own file system."""
        del size_gb
        self._volume(volume).mkdir(parents=True, exist_ok=True)

    def destroy_volume(self, volume: int) -> None:
        """Remove a volume and what is on it."""
        self._throw_away(self._volume(volume))

    def attach_volume(self, server: int, volume: int) -> None:
        """Show it at /mnt/HC_Volume_<volume>, now and after each boot."""
        box = self._box(server)
        if not self._volume(volume).is_dir():
            raise MachineError(
                f"volume {volume} does not exist, so it can't be attached to server {box.name}"
            )
        box.shown(volume).mkdir(exist_ok=True)
        if volume not in box.attached:
            replace(box, attached=(*box.attached, volume)).save()
        self._mount(
            box, ["mount", "--bind", str(box.volume(volume)), str(box.shown(volume))], volume, mounted=False
        )

    def detach_volume(self, server: int, volume: int) -> None:
        """Take it out of the machine."""
        if self.state(server) == "gone":
            return
        box = self._box(server)
        self._mount(box, ["umount", "--lazy", str(box.shown(volume))], volume, mounted=True)
        replace(box, attached=tuple(v for v in box.attached if v != volume)).save()
        if box.shown(volume).exists():
            box.shown(volume).rmdir()

    def set_firewall(self, server: int, rules: list[dict[str, Any]]) -> None:
        """Let only what these rules name pass to and from the machine."""
        with _told(f"firewall of server {server}"):
            network.filter_traffic(self.client, server, rules)

    def set_memory(self, server: int, memory_mb: int) -> None:
        """Give it another size, from its next boot on."""
        replace(self._box(server), memory_mb=memory_mb).save()

    def servers(self) -> list[int]:
        """All servers that have a machine here."""
        return sorted(int(p.parent.name) for p in self.directory.glob("servers/*/box.json"))

    def _throw_away(self, place: Path) -> None:
        """Out of the way at once; a disk full of small files takes seconds to go (what is left, `clean` removes)."""
        trash = self.directory / "trash"
        trash.mkdir(exist_ok=True)
        doomed = Path(tempfile.mkdtemp(dir=trash)) / "gone"
        try:
            place.rename(doomed)
        except FileNotFoundError:
            return
        threading.Thread(
            target=shutil.rmtree, args=[doomed.parent], kwargs={"ignore_errors": True}, daemon=True
        ).start()

    @contextmanager
    def _alone(self, server: int) -> Iterator[None]:
        """Nobody else, in whatever process, switches this server on or off meanwhile."""
        locks = self.directory / "locks"
        locks.mkdir(exist_ok=True)
        with (locks / str(server)).open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _image(self) -> list[Path]:
        return image.ensure(self.kind, self.progress)

    def _place(self, server: int) -> Path:
        return self.directory / "servers" / str(server)

    def _volume(self, volume: int) -> Path:
        return self.directory / "volumes" / str(volume)

    def _box(self, server: int) -> Box:
        try:
            return Box.load(self._place(server))
        except FileNotFoundError:
            raise MachineError(f"server {server} has no machine in {self.directory}") from None

    def _clear(self, box: Box) -> None:
        """End all that belongs to a box, whatever is left of it."""
        with _told(f"server {box.name}"):
            if keeper := processes.read(box.processes).get("keeper"):
                keeper.end(patience=0)
            processes.end_group(groups.of(box.namespace))
            box.processes.unlink(missing_ok=True)
            network.remove(box.namespace)

    def _signal(self, server: int, number: int) -> bool:
        """Send systemd's real-time signal to the box's first process; False if it doesn't run."""
        first = processes.read(self._box(server).processes).get("leader")
        process = first.find() if first else None
        if process is None:
            return False
        process.send_signal(signal.SIGRTMIN + number)
        return True

    def _mount(self, box: Box, argv: list[str], volume: int, *, mounted: bool) -> None:
        """Run a mount command where the box's disk is mounted, if it is and the volume's state there is `mounted`."""
        outer = processes.read(box.processes).get("nspawn")
        if not outer or not outer.find():
            return
        enter = ["nsenter", "-t", str(outer.pid), "-m", "--"]
        there = (
            subprocess.run([*enter, "mountpoint", "-q", str(box.shown(volume))], check=False).returncode == 0
        )
        if there == mounted:
            done = subprocess.run([*enter, *argv], check=False, capture_output=True, text=True)
            if done.returncode:
                raise MachineError(f"volume {volume}, server {box.name}: {done.stderr.strip()}")


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Say which machine it was when a part of the bench fails."""
    try:
        yield
    except (network.NetworkError, BuildError, OSError) as error:
        raise MachineError(f"{what}: {error}") from error
