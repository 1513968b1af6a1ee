"""The emulators' memory: one JSON document that survives a restart."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

Record = dict[str, Any]


class Store:
    """The state of both clouds. Everything happens on one event loop, so there is no lock."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / "clouds.json"
        self.data: Record = json.loads(self.path.read_text()) if self.path.exists() else {}

    def save(self) -> None:
        """Write the state; a run that is killed meanwhile leaves the old file whole."""
        write_private(self.path, json.dumps(self.data, indent=1))


def write_private(path: Path, text: str) -> None:
    """Replace `path` atomically by a file that only its owner reads (user data and tokens are in these)."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w") as file:
        file.write(text)
    Path(name).replace(path)


@dataclass(frozen=True)
class Tokens:
    """The credentials of the two accounts. Hetzner's has 64 characters, Cloudflare's 40, as the real ones."""

    hetzner: str = field(default_factory=lambda: secrets.token_hex(32), repr=False)
    cloudflare: str = field(default_factory=lambda: secrets.token_hex(20), repr=False)


def tokens(directory: Path) -> Tokens:
    """The accounts' tokens of a bench directory, made at the first call (tokens.json, for its owner only)."""
    path = directory / "tokens.json"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        write_private(path, json.dumps(asdict(Tokens())))
    return Tokens(**json.loads(path.read_text()))
