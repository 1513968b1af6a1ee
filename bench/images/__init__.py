"""The bench's container images: built from Debian's packages and the bench's own code, found by their real names."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from bench import ca, rootfs
from bench.images import store
from bench.images.store import Blob
from bench.images.table import AUTHORITY, CODE, IMAGES, VERSION, WHEELS, Image
from bench.paths import CACHE, ROOT, locked
from bench.rootfs import BuildError

# What the code in the images imports; the versions are those of the requirements files.
_WHEELS = (
    "starlette", "uvicorn", "python-multipart", "psycopg[binary]", "jsonschema", "joserfc", "httpx", "cryptography",
    "pydantic", "pyyaml",
)  # fmt: skip
_VERSION = re.compile(r"\d+\.\d+\.\d+")


def ensure(progress: rootfs.Progress) -> None:
    """Make what the images consist of where it is missing, but for the bench's code, which is read at each pull.

    Raises BuildError.
    """
    for image in IMAGES:
        _layers(image, progress)


def find(name: str, tag: str, progress: rootfs.Progress = print) -> str | None:
    """The digest of the manifest of this image, as the bench's code is now; None if the bench has no such image.

    `name` with its registry: docker.io/library/postgres. Raises BuildError.
    """
    image = stand_in(name, tag)
    return store.manifest(_layers(image, progress), _config(image, tag)) if image else None


def stand_in(name: str, tag: str) -> Image | None:
    """The row of the table that stands in for an image; None if the bench has none."""
    for image in IMAGES:
        if image.name == name and (tag in image.tags if image.tags is not None else _VERSION.fullmatch(tag)):
            return image
    return None


def _layers(image: Image, progress: rootfs.Progress) -> list[Blob]:
    authority = ca.ensure()[0].read_text()
    place = "/usr/local/share/ca-certificates/gatehouse-bench.crt"
    trust = rootfs.Layer("trusting", script=f"cat >{place} <<'END'\n{authority}END\nupdate-ca-certificates\n")
    paths = rootfs.build([trust, *image.layers], progress)
    layers = [_packed(path, progress) for path in paths]
    if image.code:
        layers += [_wheels(progress), _code()]
    if image.authority:
        layers.append(_authority())
    return layers


def _config(image: Image, tag: str) -> dict[str, Any]:
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        **image.environment,
    }
    if image.tags is None:
        environment[VERSION] = tag
    config: dict[str, Any] = {
        "Env": [f"{key}={value}" for key, value in environment.items()],
        "Entrypoint": list(image.entrypoint),
        "Cmd": list(image.command),
        "WorkingDir": image.directory,
        "User": image.user,
        "ExposedPorts": {f"{port}/tcp": {} for port in image.ports},
        "Volumes": {volume: {} for volume in image.volumes},
        "Labels": {"org.opencontainers.image.title": f"the bench's stand-in for {image.name}"},
    }
    if image.stop_signal:
        config["StopSignal"] = image.stop_signal
    if image.health:
        # As upstream's image has it; times in nanoseconds.
        seconds = 1_000_000_000
        config["Healthcheck"] = {
            "Test": list(image.health), "Interval": 30 * seconds, "Timeout": 30 * seconds,
            "StartPeriod": 60 * seconds, "Retries": 3,
        }  # fmt: skip
    return config


def _packed(path: Path, progress: rootfs.Progress) -> Blob:
    def write(archive: tarfile.TarFile) -> None:
        progress(f"packing {path.name}")
        store.add_tree(archive, path)

    return store.layer(f"{path.name}-lean", write)


def _wheels(progress: rootfs.Progress) -> Blob:
    pins = _pins()
    key = hashlib.sha256("\n".join(pins).encode()).hexdigest()[:16]
    place = CACHE / "wheels" / key
    with locked("wheels"):
        if not place.exists():
            progress("fetching the images' Python packages")
            place.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=place.parent) as temporary:
                target = Path(temporary) / "wheels"
                done = subprocess.run(
                    [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--target", str(target),
                     "--python-version", "3.11", "--implementation", "cp", "--only-binary=:all:", *pins],
                    check=False, capture_output=True, text=True,
                )  # fmt: skip
                if done.returncode:
                    raise BuildError(f"pip can't install the images' packages:\n{done.stderr[-3000:]}")
                target.rename(place)

    def write(archive: tarfile.TarFile) -> None:
        for path in sorted(p for p in place.rglob("*") if p.is_file()):
            store.add_file(archive, f"{WHEELS[1:]}/{path.relative_to(place)}", path.read_bytes(), 0o755)

    return store.layer(f"wheels-{key}", write)


def _pins() -> list[str]:
    """Each package with its version, and what pins their own dependencies: all that this environment was made from."""
    lines = [
        line.strip()
        for name in ("requirements.txt", "requirements-bench.txt")
        for line in (ROOT / name).read_text().splitlines()
    ]
    pinned = {line.partition("==")[0]: line for line in lines if "==" in line}
    return [pinned[name] for name in _WHEELS]


def _code() -> Blob:
    files = [
        path for path in sorted((ROOT / "bench").rglob("*"))
        if path.is_file() and path.suffix != ".pyc" and path.relative_to(ROOT / "bench").parts[0] not in _NOT_INSIDE
    ]  # fmt: skip
    contents = [(f"{CODE[1:]}/{path.relative_to(ROOT)}", path.read_bytes()) for path in files]
    digest = hashlib.sha256()
    for name, data in contents:
        digest.update(f"{name} {len(data)}\n".encode())
        digest.update(data)

    def write(archive: tarfile.TarFile) -> None:
        for name, data in contents:
            store.add_file(archive, name, data, 0o644)

    return store.layer(f"code-{digest.hexdigest()[:16]}", write)


# What a container has no use for; a change of it then doesn't change the images.
_NOT_INSIDE = {
    "images",
    "machine",
    "engine",
    "plugins",
    "clouds",
    "demo",
    "world.py",
    "registry.py",
    "packages.py",
    "rootfs.py",
}


def _authority() -> Blob:
    files = ca.ensure()
    digest = hashlib.sha256(files[0].read_bytes()).hexdigest()[:16]

    def write(archive: tarfile.TarFile) -> None:
        for path in files:
            store.add_file(archive, f"{AUTHORITY[1:]}/{path.name}", path.read_bytes(), 0o600)

    return store.layer(f"authority-{digest}", write)
