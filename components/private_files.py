"""Files that only their owner may read, seen by others whole or not at all."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path


def make_folder(path: Path) -> None:
    """A folder with mode 0700, whatever the umask; its parent must be there."""
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)


def write(path: Path, text: str) -> None:
    """Write a file with mode 0600, on the disk when this returns; nothing is done if it is there already, and so."""
    data = text.encode()
    if path.is_file() and path.read_bytes() == data and stat.S_IMODE(path.stat().st_mode) == 0o600:
        return
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # is 0600 from the start
    with os.fdopen(handle, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the name as well, should the power fail
    finally:
        os.close(folder)
