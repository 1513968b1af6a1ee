"""Container images made without Docker: layers, configurations and manifests in a content-addressed store.

A layer is the tar of a directory that `bench.rootfs` made; the bench's code is a thin last one, so that a change of it
makes an image anew within a second. The same contents always give the same digests.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import stat
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, cast

from bench.paths import CACHE, locked
from bench.sources import architecture

STORE = CACHE / "images"
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_EPOCH = 1_700_000_000  # all files and images are dated so: a date would make each build another image
# A container has no reader for these, and unpacking their thousands of files takes most of a pull's time.
_LEFT_OUT = frozenset(f"usr/share/{name}" for name in ("doc", "man", "locale", "info", "i18n", "lintian"))
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Blob:
    """A compressed layer: its digest and size, and the digest of the tar in it."""

    digest: str
    size: int
    diff: str


def blob_path(digest: str) -> Path | None:
    """The file of this digest, if the store has it."""
    path = STORE / "blobs" / digest.removeprefix("sha256:")
    return path if _DIGEST.fullmatch(digest) and path.exists() else None


def add(data: bytes) -> str:
    """Keep these bytes; their digest."""
    name = hashlib.sha256(data).hexdigest()
    path = STORE / "blobs" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(data)
        Path(file.name).replace(path)
    return f"sha256:{name}"


def layer(key: str, write: Callable[[tarfile.TarFile], None]) -> Blob:
    """The layer called `key`, which `write` fills if it is not there yet."""
    record = STORE / "layers" / f"{key}.json"
    with locked("image-layers"):
        if record.exists():
            known = Blob(**json.loads(record.read_text()))
            if blob_path(known.digest):
                return known
        record.parent.mkdir(parents=True, exist_ok=True)
        (STORE / "blobs").mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=STORE / "blobs", delete=False) as file:
            outer = _Hashing(cast(IO[bytes], file))
            with gzip.GzipFile("", "wb", compresslevel=1, fileobj=cast(IO[bytes], outer), mtime=0) as packed:
                inner = _Hashing(cast(IO[bytes], packed))
                with tarfile.open(
                    fileobj=cast(IO[bytes], inner), mode="w|", format=tarfile.PAX_FORMAT
                ) as archive:
                    write(archive)
        blob = Blob(
            f"sha256:{outer.hash.hexdigest()}",
            Path(file.name).stat().st_size,
            f"sha256:{inner.hash.hexdigest()}",
        )
        Path(file.name).replace(STORE / "blobs" / blob.digest.removeprefix("sha256:"))
        record.write_text(json.dumps(asdict(blob)))
        return blob


def add_tree(archive: tarfile.TarFile, root: Path) -> None:
    """Put all below `root`, the upper directory of an overlay, into the archive; its whiteouts become an image's."""
    links: dict[int, str] = {}
    for place, directories, files in os.walk(root):
        here = Path(place)
        directories[:] = sorted(d for d in directories if str((here / d).relative_to(root)) not in _LEFT_OUT)
        if here != root:
            _member(archive, root, here, links)
            with suppress(OSError):
                if os.getxattr(here, "trusted.overlay.opaque", follow_symlinks=False) == b"y":
                    add_file(archive, f"{here.relative_to(root)}/.wh..wh..opq", b"", 0o644)
        for name in sorted([*files, *(d for d in directories if (here / d).is_symlink())]):
            _member(archive, root, here / name, links)


def add_file(archive: tarfile.TarFile, name: str, data: bytes, mode: int) -> None:
    """Put one file of root's into the archive."""
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(data), mode, _EPOCH
    archive.addfile(member, io.BytesIO(data))


def _member(archive: tarfile.TarFile, root: Path, path: Path, links: dict[int, str]) -> None:
    name, found = str(path.relative_to(root)), path.lstat()
    if stat.S_ISCHR(found.st_mode) and found.st_rdev == 0:
        add_file(archive, f"{path.parent.relative_to(root)}/.wh.{path.name}", b"", 0o644)
        return
    if stat.S_ISSOCK(found.st_mode):
        return
    member = tarfile.TarInfo(name)
    member.mode, member.uid, member.gid = stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid
    member.mtime = min(int(found.st_mtime), _EPOCH)
    if stat.S_ISLNK(found.st_mode):
        member.type, member.linkname = tarfile.SYMTYPE, str(path.readlink())
    elif stat.S_ISDIR(found.st_mode):
        member.type = tarfile.DIRTYPE
    elif stat.S_ISREG(found.st_mode):
        if found.st_nlink > 1 and (first := links.setdefault(found.st_ino, name)) != name:
            member.type, member.linkname = tarfile.LNKTYPE, first
        else:
            member.size = found.st_size
            with path.open("rb") as file:
                archive.addfile(member, file)
            return
    else:  # a device of a minimal Debian's /dev: Docker makes its own
        return
    archive.addfile(member)


def manifest(layers: list[Blob], config: dict[str, Any]) -> str:
    """Keep an image of these layers with this `config` (Docker's words for it); the digest of its manifest."""
    document = {
        "architecture": architecture(),
        "os": "linux",
        "created": "2023-11-14T22:13:20Z",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [x.diff for x in layers]},
        "history": [{"created": "2023-11-14T22:13:20Z", "created_by": "gatehouse bench"} for _ in layers],
    }
    data = json.dumps(document, sort_keys=True).encode()
    listed = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": _CONFIG, "size": len(data), "digest": add(data)},
        "layers": [{"mediaType": _LAYER, "size": x.size, "digest": x.digest} for x in layers],
    }
    return add(json.dumps(listed, sort_keys=True).encode())


class _Hashing:
    """A file that hashes what is written through it."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.hash = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.hash.update(data)
        return self.file.write(data)

    def flush(self) -> None:
        self.file.flush()
