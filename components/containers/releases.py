"""What differs between authentik's release lines for whoever runs its containers: one row a line.

Sources: upstream's compose files and release notes of each line. A new line is a new row.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from components.containers.spec import Folder, Volume
from components.problems import Problem, Problems
from components.release_lines import uses_redis
from components.settings.base import dotted


def volume(path: str, inside: str) -> Volume:
    """A folder that server or worker see; the image runs as this user from the start, and gives nothing away."""
    return Volume(Folder(path, "0750", owner=1000), inside)


_DATA = volume("authentik/data", "/data")
# 2025.12 moved media to /data/media; older lines are given just that part, so that nothing moves on the disk.
_MEDIA = volume("authentik/data/media", "/media")


@dataclass(frozen=True, kw_only=True)
class Release:
    """How one line of authentik is run."""

    line: str
    data: Volume = _DATA
    """What people upload, and where server and worker see it."""
    shm_mb: int | None = None
    """Shared memory in MB, where upstream asks for more than Docker's 64."""
    base_url: bool = False
    """Whether it takes AUTHENTIK_WEB__BASE_URL (and will demand it)."""

    @property
    def redis(self) -> bool:
        """Whether it uses Redis at all."""
        return uses_redis(self.line)


RELEASES = {
    release.line: release
    for release in (
        Release(line="2025.8", data=_MEDIA),
        Release(line="2025.10", data=_MEDIA),
        Release(line="2025.12"),
        Release(line="2026.2", shm_mb=512),
        Release(line="2026.5", shm_mb=512),
        Release(line="2026.8", shm_mb=512, base_url=True),
    )
}


def release(line: str) -> Release:
    """The row of a line. Raises Problems for a line whose catalog was learnt, and that has no row yet."""
    if line not in RELEASES:
        problem = Problem(
            dotted("authentik", "version"),
            f"this gatehouse knows the objects of authentik {line}, and not how to run it on a box",
            f"Take a line of {', '.join(RELEASES)}, or add a row to {Path(__file__).name}",
        )
        raise Problems([problem])
    return RELEASES[line]
