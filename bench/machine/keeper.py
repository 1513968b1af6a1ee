"""Keeps one box running: `python -m bench.machine.keeper DIRECTORY` is the power supply of the box in that directory.

It lays the network anew at each boot, mounts the box's disk in a mount namespace of its own (so that nothing of it is
left on the machine, however this process ends), starts systemd-nspawn, and starts it again when the box reboots.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil

from bench import processes
from bench.machine import groups, network
from bench.machine.box import Box
from bench.processes import Recorded

REBOOT = 133  # what nspawn ends with when the system in it reboots
# Docker needs keyrings and bpf, which nspawn's own filter refuses.
_CALLS = "@keyring bpf"


def mounts(box: Box) -> str:
    """The script that shows the box's disk at box.root, its volumes below it; for a mount namespace of its own."""
    lower = ":".join(str(layer) for layer in reversed(box.layers))
    return f"""
mount --make-rslave /
mkdir -p /run/systemd/nspawn
mount -t tmpfs tmpfs /run/systemd/nspawn
mount -t overlay overlay -o lowerdir={lower},upperdir={box.upper},workdir={box.work} {box.root}
mount --bind {box.volumes} {box.volumes}
mount --make-shared {box.volumes}
{"".join(f"mount --bind {source} {place}{chr(10)}" for source, place in box.volume_mounts())}"""


def nspawn(box: Box) -> list[str]:
    """The command that boots what `mounts` shows."""
    # Docker's storage can't lie on an overlay itself.
    binds = [f"--bind={box.docker}:/var/lib/docker", f"--bind={box.containerd}:/var/lib/containerd"]
    return [
        "systemd-nspawn", f"--directory={box.root}", "--boot", "--quiet", "--register=no", "--keep-unit",
        f"--network-namespace-path={network.NAMED / box.namespace}", f"--machine={box.namespace}",
        f"--hostname={box.name}", "--capability=all", f"--system-call-filter={_CALLS}", "--console=pipe",
        "--resolv-conf=off", "--timezone=off", "--link-journal=no", *binds, f"--bind={box.volumes}:/mnt",
    ]  # fmt: skip


def leader(spawned: int) -> int | None:
    """The box's own first process, once nspawn (`spawned`) has made it."""
    with suppress(OSError, psutil.Error):
        for child in psutil.Process(spawned).children(recursive=True):
            status = Path(f"/proc/{child.pid}/status").read_text()
            numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
            if (
                len(numbers) > 1
                and numbers[-1] == "1"
                and Path(f"/proc/{child.pid}/comm").read_text() == "systemd\n"
            ):
                return child.pid
    return None


def boot(box: Box) -> int:
    """Boot once and wait for the end; what nspawn ended with."""
    network.join(box.client, box.namespace, box.server, box.ipv4, box.ipv6)
    script = f'{mounts(box)}\nexec "$@"'
    # nspawn decides by the kernel's command line whether v1 or v2 control groups are used; a writable /proc/sys is
    # what lets Docker and ufw set up their networks.
    environment = {"PATH": os.environ["PATH"], "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "yes", "LC_ALL": "C.UTF-8"}
    with box.console.open("ab") as console:
        spawned = subprocess.Popen(
            ["unshare", "--mount", "sh", "-ec", script, "boot", *nspawn(box)],
            env=environment, stdin=subprocess.DEVNULL, stdout=console, stderr=console,
        )  # fmt: skip
    known = {"keeper": Recorded.of(os.getpid()), "nspawn": Recorded.of(spawned.pid)}
    processes.write(box.processes, known)
    while spawned.poll() is None and "leader" not in known:
        if (first := leader(spawned.pid)) is not None:
            groups.open_controllers(first)
            processes.write(box.processes, known := known | {"leader": Recorded.of(first)})
        else:
            time.sleep(0.01)
    return spawned.wait()


def main() -> None:
    """Keep the box in the directory given on the command line until it is switched off."""
    box = Box.load(Path(sys.argv[1]))
    groups.enter(box.namespace, box.memory_mb)
    try:
        while boot(box) == REBOOT:
            box = Box.load(box.directory)
    except network.NetworkError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
