"""A copy of the program in a folder of its own, so that a run on the bench touches nobody's stack files or state."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from bench.engine import ensure
from bench.paths import ROOT

COPIED = ("components", "operations", "tools")
PYTHON = str(ROOT / ".venv" / "bin" / "python")


class Project:
    """The program, copied to `folder`, on the bench's engine. `through` is how a command is entered: a box's world
    runs it in its own network."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        through: Callable[[list[str]], list[str]] = list,
    ) -> None:
        self.folder = folder
        self.through = through
        folder.mkdir(parents=True, exist_ok=True)
        for name in COPIED:
            # With its bytecode, but for what is just being written.
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.pyc.*"))
        for name in ("__main__.py", "Pulumi.yaml", "pyproject.toml"):
            shutil.copy(ROOT / name, folder / name)
        (folder / ".venv").symlink_to(ROOT / ".venv")
        (folder / "stacks").mkdir()
        (folder / ".gatehouse" / "state").mkdir(parents=True)
        self.environment = {
            **ensure().env(os.environ),
            "PULUMI_CONFIG_PASSPHRASE": "only for tests",
            "PULUMI_BACKEND_URL": f"file://{folder}/.gatehouse/state",
            "PYTHONPATH": str(folder),
            "NO_COLOR": "1",
            "GATEHOUSE_PULUMI": "1",  # tests look for the engine's own words
            "COLUMNS": "160",
            **(environment or {}),
        }
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an operator's Python writes it, too

    def gatehouse(self, *args: str, check: bool = True, given: str | None = None, **environment: str) -> str:
        """Run one of the operator's commands; what it printed, both streams. `given`: what is typed meanwhile."""
        return self._run([PYTHON, "-m", "operations", *args], check=check, given=given, **environment)

    def ended(self, *args: str, **environment: str) -> tuple[int, str, str]:
        """Run one of the operator's commands; its exit code, and what it printed to either stream."""
        done = subprocess.run(
            self.through([PYTHON, "-m", "operations", *args]), cwd=self.folder,
            env={**self.environment, **environment}, text=True, stdin=subprocess.DEVNULL, capture_output=True,
            check=False,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    def pulumi(self, *args: str, check: bool = True, given: str | None = None, **environment: str) -> str:
        """Run the engine's own CLI."""
        return self._run(["pulumi", "--non-interactive", *args], check=check, given=given, **environment)

    def _run(self, argv: list[str], *, check: bool, given: str | None = None, **environment: str) -> str:
        done = subprocess.run(
            self.through(argv), cwd=self.folder, env={**self.environment, **environment}, text=True, input=given,
            stdin=None if given is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        assert not check or done.returncode == 0, (
            f"{' '.join(argv)} ended with {done.returncode}:\n{done.stdout}"
        )
        return done.stdout

    def start(self, *args: str, log: Path | None = None, **environment: str) -> subprocess.Popen[str]:
        """Start one of the operator's commands in a process group of its own, to be killed.

        What it says goes to `log`. Without one it has to be read, or the command stops when a pipe is full.
        """
        with contextlib.ExitStack() as stack:
            return subprocess.Popen(
                self.through([PYTHON, "-m", "operations", *args]), cwd=self.folder,
                env={**self.environment, **environment}, text=True, stdin=subprocess.DEVNULL,
                stdout=stack.enter_context(log.open("w")) if log else subprocess.PIPE,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip

    def stack(self, name: str, settings: Mapping[str, Any], secret: Mapping[str, str]) -> None:
        """Make a stack with these settings (without `gatehouse:`), and its secret settings by their path."""
        self.pulumi("stack", "init", name)
        self.edit(name, settings)
        each = [word for path, value in secret.items() for word in ("--secret", f"gatehouse:{path}={value}")]
        self.pulumi("config", "set-all", "--stack", name, "--path", *each)

    def edit(self, name: str, settings: Mapping[str, Any]) -> None:
        """Lay settings over the stack file."""
        path = self.folder / "stacks" / f"Pulumi.{name}.yaml"
        document = yaml.safe_load(path.read_text()) or {}
        config = document.setdefault("config", {})
        for key, value in settings.items():
            config[f"gatehouse:{key}"] = value
        path.write_text(yaml.safe_dump(document, sort_keys=False))

    def state(self, name: str) -> dict[str, Any]:
        """The stack's exported state, secrets encrypted."""
        exported: dict[str, Any] = json.loads(self.pulumi("stack", "export", "--stack", name))
        deployment: dict[str, Any] = exported["deployment"]
        return deployment
