"""One client's stack as the operator's commands handle it: a file, a state, and Pulumi's engine over both."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from pulumi import automation as auto

from components.objects.journal import STACK
from components.settings import Settings, parse_decrypted
from operations.errors import OperatorError, UsageError

ROOT = Path(__file__).resolve().parent.parent
STACKS = ROOT / "stacks"
PROJECT = "gatehouse"

# What the engine says, and what the operator can do about it. The engine's own words are always printed too.
REMEDIES = (
    (
        r"incorrect passphrase",
        (
            "PULUMI_CONFIG_PASSPHRASE (or the file PULUMI_CONFIG_PASSPHRASE_FILE names) is not the one that "
            "this stack file was made with; set the right one and run the command again."
        ),
    ),
    (
        r"passphrase must be set|get stack secrets manager|constructing secrets manager",
        "Set PULUMI_CONFIG_PASSPHRASE, or PULUMI_CONFIG_PASSPHRASE_FILE to a file that only you can read.",
    ),
    (
        r"failed to load checkpoint",
        (
            "A run was cut off while it wrote the state. `./gatehouse up` makes it readable again, or puts the newest "
            "copy that is whole in its place."
        ),
    ),
    (
        r"the stack is currently locked",
        (
            "Another run is under way; wait for it. If it was killed on another machine, "
            "`pulumi cancel` there frees the stack."
        ),
    ),
)


class Stack:
    """A client's stack, by the client's name."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.file = STACKS / f"Pulumi.{name}.yaml"

    def require(self) -> Stack:
        """This stack, if its file exists and the engine is there.

        Raises:
            OperatorError: there is no such stack file, or no `pulumi` on PATH.
        """
        if not self.file.exists():
            raise UsageError(
                f"There is no stack file stacks/{self.file.name} (clients: {', '.join(clients()) or 'none'}).",
                f"Make one with: ./gatehouse new {self.name}",
            )
        require_engine()
        return self

    @property
    def backend(self) -> str:
        """The URL of the state's backend: PULUMI_BACKEND_URL, else what Pulumi.yaml says."""
        project = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())
        return os.environ.get("PULUMI_BACKEND_URL") or str(project["backend"]["url"])

    @property
    def state_directory(self) -> Path | None:
        """Where the state lies, if its backend is a folder."""
        if not self.backend.startswith("file://"):
            return None
        return ROOT / self.backend.removeprefix("file://").replace("~", str(Path.home()), 1)

    @cached_property
    def automation(self) -> auto.Stack:
        """The stack in Pulumi's Automation API, made in the backend if it is not there yet."""
        if directory := self.state_directory:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        with translate_errors(heard=False):
            whose = auto.LocalWorkspaceOptions(env_vars={STACK: self.name})
            return auto.create_or_select_stack(stack_name=self.name, work_dir=str(ROOT), opts=whose)

    def config(self) -> dict[str, Any]:
        """What the stack file says, decrypted: keys without `gatehouse:`, of its own namespace only.

        Raises:
            OperatorError: the passphrase is wrong or missing.
        """
        raw = json.loads(self.pulumi("config", "--show-secrets", "--json").stdout)
        own: dict[str, Any] = {}
        for key, entry in raw.items():
            namespace, _, name = key.partition(":")
            if namespace == PROJECT:
                own[name] = entry.get("objectValue", entry.get("value"))
        return own

    def deployment(self) -> dict[str, Any]:
        """The state: resources and pending operations, secrets encrypted."""
        exported: dict[str, Any] = json.loads(self.pulumi("stack", "export").stdout)
        return exported["deployment"] or {}

    def put(self, deployment: dict[str, Any]) -> None:
        """Replace the state by an edited one that `deployment` gave."""
        with translate_errors(heard=False):
            self.automation.import_stack(auto.Deployment(version=3, deployment=deployment))

    def settings(self) -> Settings:
        """The stack's settings, checked.

        Raises:
            components.problems.Problems: every mistake in the stack file, with its path.
        """
        return parse_decrypted(self.config(), self.file)

    def pulumi(
        self, *args: str, env: Mapping[str, str] | None = None, on_output: Callable[[str], Any] | None = None
    ) -> auto.CommandResult:
        """Run one command of the CLI on this stack, without a terminal.

        Raises:
            OperatorError: it failed in a way that has a known remedy, or its words went nowhere.
            pulumi.automation.CommandError: it failed in another, and `on_output` got its words.
        """
        workspace = self.automation.workspace
        with translate_errors(heard=on_output is not None):
            return workspace.pulumi_command.run(
                [*args, "--stack", self.name],
                str(ROOT),
                {**workspace.env_vars, **(env or {})},
                on_output,
                on_output,
            )


def clients() -> list[str]:
    """The names of all clients that have a stack file."""
    return sorted(path.name[7:-5] for path in STACKS.glob("Pulumi.*.yaml"))


def without(resource: Mapping[str, Any], gone: Container[str]) -> dict[str, Any]:
    """A resource of the state that no longer hangs on what is taken out of it, by URN."""
    named = (resource.get("propertyDependencies") or {}).items()
    kept = {name: [urn for urn in urns or () if urn not in gone] for name, urns in named}
    needed = [urn for urn in resource.get("dependencies") or () if urn not in gone]
    left = {**resource, "dependencies": needed, "propertyDependencies": kept}
    if left.get("deletedWith") in gone:
        del left["deletedWith"]
    return left


def known_error(error: auto.CommandError) -> OperatorError | None:
    """What an error of the engine means that has a known remedy."""
    said = str(error)
    for pattern, remedy in REMEDIES:
        if match := re.search(pattern, said):
            line = next(line for line in said.splitlines() if match.group(0) in line)
            return OperatorError(f"Pulumi says: {line.strip()}", remedy)
    return None


@contextmanager
def translate_errors(*, heard: bool = True) -> Iterator[None]:
    """Turn an error of the engine that has a known remedy into an OperatorError; any, if nobody `heard` it."""
    try:
        yield
    except auto.CommandError as error:
        if known := known_error(error):
            raise known from None
        if heard:
            raise
        # Only what went to stderr: a command that failed may have begun to print secrets to the other.
        words = str(error).partition("\n stderr: ")[2].strip()
        raise OperatorError(
            f"Pulumi says: {words}", "Put right what it names, then run the same command again."
        ) from None


def require_engine() -> None:
    """Check that there is a `pulumi` to run.

    Raises:
        OperatorError: there is none on PATH.
    """
    if not shutil.which("pulumi"):
        raise OperatorError(
            "There is no `pulumi` on PATH.",
            "Install Pulumi's CLI (3.259 or newer), or try gatehouse on the bench first: make demo",
        )
