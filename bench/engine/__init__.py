"""A Pulumi engine for the bench: the operator's own if there is one, else one built from its Go module.

engine = ensure()
subprocess.run(["pulumi", "preview"], env=engine.env(os.environ))
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.engine import build, launchers
from bench.engine.build import BuildError, Progress
from bench.paths import CACHE, ROOT, locked

__all__ = ["BuildError", "Engine", "ensure"]

OLDEST = (3, 259, 0)  # what the program and the bench were made against
SWITCHES = {
    "PULUMI_SKIP_UPDATE_CHECK": "true",
    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    "PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK": "true",
}


@dataclass(frozen=True)
class Engine:
    """An engine that is ready: its `pulumi` and where that comes from."""

    pulumi: Path
    version: str
    own: bool  # the operator's, found in PATH
    home: Path  # PULUMI_HOME: plugins, nothing of the operator's

    def env(self, base: Mapping[str, str], home: Path | None = None) -> dict[str, str]:
        """`base` with what makes `pulumi` run this engine offline, with stand-ins for plugins not installed.

        `home` is a PULUMI_HOME of the caller's own; by default one below the cache that all runs of this
        checkout share.
        """
        place = home or self.home
        with locked(f"plugins-{_checkout()}"):
            launchers.plugins(place, base)
        path = f"{self.pulumi.parent}{os.pathsep}{base.get('PATH', os.defpath)}"
        return {**base, **SWITCHES, "PATH": path, "PULUMI_HOME": str(place)}

    def plugins(self, base: Mapping[str, str]) -> dict[str, Path | None]:
        """For each plugin the official one, or None where `env` sets up a stand-in."""
        return launchers.plugins(self.home, base)

    def told(self, base: Mapping[str, str]) -> list[str]:
        """Whose CLI, language host and plugins run, a line each."""
        whose, host = (
            ("your own", "your own") if self.own else ("built from its Go module", "the bench's stand-in")
        )
        lines = [
            f"Pulumi's CLI: {whose}, {self.version} ({self.pulumi})",
            f"language host for Python: {host}",
        ]
        for name, official in self.plugins(base).items():
            lines.append(
                f"plugin {name}: {f'your own ({official})' if official else 'a stand-in of the bench'}"
            )
        return lines


def say(text: str) -> None:
    """The default progress: a line on stderr."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def ensure(progress: Progress = say) -> Engine:
    """An engine that is ready to run; builds it if need be (minutes, once). Raises BuildError."""
    place = CACHE / "engine" / "checkouts" / _checkout()
    own = _own()
    if own is not None:
        return Engine(own[0], own[1], True, place / "home")
    binary = build.built(progress)
    here = place / build.version() / "pulumi"
    with locked("engine-checkouts"):
        here.parent.mkdir(parents=True, exist_ok=True)
        if not here.exists() or not here.samefile(binary):
            # A hard link, so that the engine finds this checkout's hosts beside it, as in an installation.
            here.unlink(missing_ok=True)
            here.hardlink_to(binary)
        launchers.hosts(here.parent)
    return Engine(here, build.version(), False, place / "home")


def _own() -> tuple[Path, str] | None:
    """The operator's `pulumi` and its version: in PATH or their Pulumi home, with its Python host, and not too old."""
    places = os.pathsep.join(
        (os.environ.get("PATH", os.defpath), str(launchers.pulumi_home(os.environ) / "bin"))
    )
    found, host = shutil.which("pulumi", path=places), shutil.which("pulumi-language-python", path=places)
    if found is None or (CACHE / "engine").resolve() in Path(found).resolve().parents:
        return None
    if host is None and not Path(found).resolve().with_name("pulumi-language-python").exists():
        return None
    version = build.version_of(Path(found))
    numbers = tuple(int(part) for part in (version or "").split("-")[0].split(".") if part.isdigit())
    return (Path(found), version) if version and numbers >= OLDEST else None


def _checkout() -> str:
    return hashlib.sha256(f"{ROOT}\n{launchers.python()}".encode()).hexdigest()[:12]
