"""A small Pulumi project for the tests of the engine."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.engine import Engine

PASSPHRASE = "only for tests"


@dataclass
class Project:
    """A project with a stack on a file backend, and the environment to run it in."""

    folder: Path
    env: dict[str, str]
    through: Callable[[list[str]], list[str]] = list  # makes a command run somewhere else

    @classmethod
    def make(cls, folder: Path, engine: Engine, files: dict[str, str], runtime: str = "python") -> Project:
        """Write `files`, a Pulumi.yaml and a stack called dev."""
        place = folder / "project"
        place.mkdir()
        (folder / "state").mkdir()
        for name, text in {"Pulumi.yaml": f"name: tiny\nruntime: {runtime}\n", **files}.items():
            (place / name).write_text(text)
        own = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        env = engine.env(own, home=folder / "home")
        env |= {"PULUMI_BACKEND_URL": f"file://{folder}/state", "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE}
        project = cls(place, env)
        project("stack", "init", "dev")
        return project

    def __call__(self, *arguments: str, ok: bool = True) -> str:
        """Run pulumi to its end; what it printed."""
        done = subprocess.run(
            self.through(["pulumi", "--non-interactive", "--color=never", *arguments]),
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert (done.returncode == 0) is ok, done.stdout
        return done.stdout

    def state(self) -> dict[str, Any]:
        """The stack's state, secrets encrypted."""
        found: dict[str, Any] = json.loads(self("stack", "export"))["deployment"]
        return found

    def resources(self) -> dict[str, dict[str, Any]]:
        """The state's resources by logical name."""
        return {each["urn"].rsplit("::", 1)[-1]: each for each in self.state().get("resources", [])}
