"""Servers as real Debian systems on this machine, and what a machine needs for that."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import sources
from bench.clouds import machines as protocol
from bench.machine.machines import Machines
from bench.paths import CACHE

__all__ = ["Machines", "missing"]

_PROTOCOL: type[protocol.Machines] = Machines  # so that mypy holds the one to the other
_TOOLS = {
    "mmdebstrap": "mmdebstrap", "systemd-nspawn": "systemd-container", "nft": "nftables", "ip": "iproute2",
    "nsenter": "util-linux", "unshare": "util-linux", "ssh": "openssh-client",
}  # fmt: skip


def missing() -> list[str]:
    """Why no box can be booted here, in words that say what to do; empty if one can."""
    if sys.platform != "linux":
        return [f"a box needs Linux, this is {sys.platform}"]
    if os.geteuid() != 0:
        return ["a box needs root: run this as root, or use a stack with `box: none`"]
    reasons = []
    lacking = sorted({package for tool, package in _TOOLS.items() if not shutil.which(tool)})
    if lacking:
        reasons.append(f"not installed: {', '.join(lacking)} (bench/setup.sh system installs them on Debian)")
    if not sources.debian_sources():
        reasons.append("this machine's apt has no source for Debian 12 main, which boxes are made from")
    if "overlay" not in Path("/proc/filesystems").read_text() and not _works(["modprobe", "overlay"]):
        reasons.append("the kernel has no overlay file system")
    if not reasons and not _works(
        ["unshare", "--net", "--mount", "nft", "add", "table", "inet", "gatehouse"]
    ):
        reasons.append("namespaces or nftables are not allowed here: a container needs --privileged for this")
    if not reasons and not _cgroups_writable():
        reasons.append(
            "control groups are read-only here: a container needs --privileged --cgroupns=host for this"
        )
    return reasons


def _works(argv: list[str]) -> bool:
    return (
        bool(shutil.which(argv[0])) and subprocess.run(argv, check=False, capture_output=True).returncode == 0
    )


def _overlays() -> bool:
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as place:
        for name in ("lower", "upper", "work", "root"):
            Path(place, name).mkdir()
        layers = f"lowerdir={place}/lower,upperdir={place}/upper,workdir={place}/work"
        return _works(
            ["unshare", "--mount", "mount", "-t", "overlay", "overlay", "-o", layers, f"{place}/root"]
        )


def _cgroups_writable() -> bool:
    root = Path("/sys/fs/cgroup")
    places = (
        [root]
        if (root / "cgroup.procs").exists()
        else [p for p in root.iterdir() if (p / "cgroup.procs").exists()]
    )
    return bool(places) and all(not os.statvfs(p).f_flag & os.ST_RDONLY for p in places)
