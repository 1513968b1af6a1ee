"""What is recorded about a box, and where its parts lie."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Box:
    """One server's machine: everything of it lies below `directory`, volumes beside it.

    `client` and `namespace` are names of network namespaces; `layers` the image, bottom first.
    """

    directory: Path
    server: int
    name: str
    client: str
    namespace: str
    ipv4: str | None
    ipv6: str | None
    memory_mb: int
    layers: tuple[Path, ...]
    attached: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        for place in (self.upper, self.work, self.docker, self.containerd, self.volumes):
            place.mkdir(exist_ok=True)

    @classmethod
    def load(cls, directory: Path) -> Box:
        """The box recorded in a directory. Raises FileNotFoundError."""
        found = json.loads((directory / "box.json").read_text())
        found["layers"] = tuple(Path(p) for p in found["layers"])
        found["attached"] = tuple(found["attached"])
        return cls(directory=directory, **found)

    def save(self) -> None:
        """Record it."""
        fields = asdict(self)
        fields["layers"] = [str(p) for p in self.layers]
        del fields["directory"]
        temporary = self.directory / "box.json.new"
        temporary.write_text(json.dumps(fields, indent=2))
        temporary.replace(self.directory / "box.json")

    @property
    def root(self) -> Path:
        """Where the whole disk shows, in the box's own mount namespace only."""
        return self.directory / "root"

    @property
    def upper(self) -> Path:
        """What differs from the image."""
        return self.directory / "upper"

    @property
    def work(self) -> Path:
        """The overlay's own place."""
        return self.directory / "work"

    @property
    def docker(self) -> Path:
        """The box's /var/lib/docker."""
        return self.directory / "docker"

    @property
    def containerd(self) -> Path:
        """The box's /var/lib/containerd."""
        return self.directory / "containerd"

    @property
    def volumes(self) -> Path:
        """The box's /mnt."""
        return self.directory / "mnt"

    @property
    def console(self) -> Path:
        """What the box printed on its console, all boots."""
        return self.directory / "console.log"

    @property
    def processes(self) -> Path:
        """The record of the processes outside that keep it running."""
        return self.directory / "processes.json"

    def volume(self, volume: int) -> Path:
        """Where a volume's contents lie, whichever box it is attached to."""
        return self.directory.parent.parent / "volumes" / str(volume)

    def shown(self, volume: int) -> Path:
        """Where a volume is mounted for the box to see it."""
        return self.volumes / f"HC_Volume_{volume}"

    def volume_mounts(self) -> list[tuple[Path, Path]]:
        """Source and place of each attached volume."""
        return [(self.volume(v), self.shown(v)) for v in self.attached]
