"""Debian root file systems for boxes and container images, as stacked layers in the bench's cache.

The lowest layer is made by mmdebstrap; each further one is what an `apt-get install` and a script change on top of
those below it (the upper directory of an overlay). A layer is keyed by its recipe, so that a changed recipe makes a new
one and an unchanged one is never made twice.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.packages import serving
from bench.paths import CACHE, locked
from bench.sources import RELEASE, apt_options, architecture, debian_sources

LAYERS = CACHE / "layers"
_MINIMAL = (
    "--variant=minbase",
    '--aptopt=APT::Install-Recommends "false"',
    "--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr",  # else usrmerge brings the whole of Perl
    "--include=usr-is-merged,ca-certificates,python3-minimal,libpython3-stdlib,debian-archive-keyring",
)
# Documentation, caches and logs differ from build to build and are of no use in a layer.
_TIDY = r"""
apt-get clean
rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/debconf/*-old /var/lib/dpkg/*-old
rm -f /var/cache/ldconfig/aux-cache
rm -rf /var/log/apt /var/log/dpkg.log /var/log/alternatives.log /var/log/bootstrap.log /tmp/* /run/*
find /usr/lib/python3 /usr/share -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
"""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Layer:
    """What one layer adds: Debian packages, then a shell script, then files of ours (path, contents, mode)."""

    name: str
    packages: tuple[str, ...] = ()
    script: str = ""
    files: tuple[tuple[str, str, int], ...] = ()


class BuildError(Exception):
    """A layer could not be made; the message has the end of what the tools printed."""


def key(layers: Sequence[Layer]) -> str:
    """The hash of a stack's recipes, bottom to top, and of the archives it is made from."""
    recipe = {
        "release": RELEASE,
        "architecture": architecture(),
        "sources": [s.deb822() for s in debian_sources()],
        "minimal": _MINIMAL,
        "tidy": _TIDY,
        "layers": [[x.name, x.packages, x.script, x.files] for x in layers],
    }
    return hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()[:16]


def build(layers: Sequence[Layer], progress: Progress) -> list[Path]:
    """The directories of this stack, bottom first, made where they are missing. Needs root.

    Raises BuildError.
    """
    paths = [_ready(f"minimal-{key([])}", "a minimal Debian", progress, _bootstrap)]
    for depth, layer in enumerate(layers, start=1):
        below = list(paths)
        name = f"{layer.name}-{key(layers[:depth])}"

        def make(target: Path, layer: Layer = layer, below: list[Path] = below) -> None:
            _install(below, layer, target)

        paths.append(_ready(name, layer.name, progress, make))
    return paths


def _ready(name: str, title: str, progress: Progress, make: Callable[[Path], None]) -> Path:
    path = LAYERS / name
    if not path.exists():
        with locked(f"layer-{name}"):
            if not path.exists():
                progress(f"making {title} ({name})")
                LAYERS.mkdir(parents=True, exist_ok=True)
                for left in LAYERS.glob(f".new-{name}-*"):  # by a killed run: the lock is ours now
                    shutil.rmtree(left, ignore_errors=True)
                with tempfile.TemporaryDirectory(dir=LAYERS, prefix=f".new-{name}-") as temporary:
                    target = Path(temporary) / "layer"
                    make(target)
                    target.rename(path)
    return path


def _bootstrap(target: Path) -> None:
    with tempfile.TemporaryDirectory() as temporary, serving() as proxy:
        sources = Path(temporary) / "debian.sources"
        sources.write_text("\n".join(s.deb822() for s in debian_sources()))
        options = [f"--aptopt={o}" for o in apt_options()]
        _run(
            # In a mount namespace of its own: what it mounts is gone even if it is killed.
            ["unshare", "--mount", "mmdebstrap", "--mode=root", "--format=directory", *_MINIMAL,
             f'--aptopt=Acquire::http::Proxy "{proxy}"', *options, RELEASE, str(target), str(sources)]
        )  # fmt: skip
        # mmdebstrap keeps its options in the image: the proxy is gone when this block ends.
        (target / "etc/apt/apt.conf.d/99mmdebstrap").write_text("\n".join(apt_options()) + "\n")
        policy = target / "usr/sbin/policy-rc.d"
        policy.write_text("#!/bin/sh\nexit 101\n")
        policy.chmod(0o755)
        _run(["chroot", str(target), "sh", "-ec", _TIDY])
        policy.unlink()


def _install(below: Sequence[Path], layer: Layer, target: Path) -> None:
    place = target.parent
    for name in ("upper", "work", "root"):
        (place / name).mkdir()
    lower = ":".join(str(p) for p in reversed(below))
    with serving() as proxy:
        apt = f'apt-get -o Acquire::http::Proxy="{proxy}" -o Dpkg::Options::=--force-unsafe-io -qq'
        inside = ["export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1"]
        if layer.packages:
            inside += [
                "printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d"
            ]
            inside += [
                f"{apt} update",
                f"{apt} install -y --no-install-recommends {' '.join(layer.packages)}",
            ]
            inside += ["rm -f /usr/sbin/policy-rc.d"]
        (place / "inside.sh").write_text("\n".join([*inside, layer.script, _TIDY]))
        outside = f"""
mount -t overlay overlay -o lowerdir={lower},upperdir={place}/upper,workdir={place}/work {place}/root
mount -t proc proc {place}/root/proc
mount --bind /dev {place}/root/dev
mount -t tmpfs tmpfs {place}/root/run
exec chroot {place}/root env -i PATH={_PATH} HOME=/root sh -ec "$(cat {place}/inside.sh)"
"""
        _run(["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", outside])
    for name, contents, mode in layer.files:
        file = place / "upper" / name.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(contents)
        file.chmod(mode)
    (place / "upper").rename(target)
    shutil.rmtree(place / "work")


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{argv[0]} failed ({done.returncode}):\n{(done.stdout + done.stderr)[-3000:]}")
