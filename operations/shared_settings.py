"""Clients that must not be mixed up: stack files that share a root secret or a domain, a client that was renamed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from components.problems import Problem, Problems
from components.settings import Elsewhere, Settings
from components.settings.base import dotted
from components.settings.loading import read
from operations.finding import Finding
from operations.stack import PROJECT, STACKS, Stack


def other_stacks(stack: Stack) -> Iterator[tuple[str, dict[str, Any]]]:
    """The other stack files that can be read, with their settings as they stand there."""
    for file in sorted(STACKS.glob("Pulumi.*.yaml")):
        if file.name != stack.file.name:
            try:
                yield file.name, read(file)
            except Problems:
                continue  # its own doctor says what is wrong with it


def shared_root_secret(stack: Stack) -> Iterator[Finding]:
    """A finding if another stack file has this root secret: it was copied, since encrypted anew it looks different."""
    own = read(stack.file).get("rootSecret")
    for name, settings in other_stacks(stack):
        if own and settings.get("rootSecret") == own:
            yield Problem(
                "root secret",
                f"stacks/{name} has the same: every password and key of the one client opens the other",
                "Which of the two is not up yet is the copy: throw that file away, and make one with ./gatehouse new.",
            )
            return


def shared_domain(stack: Stack, settings: Settings) -> Iterator[Finding]:
    """A finding if another client's box serves this domain's names already."""
    if isinstance(settings.box, Elsewhere):
        return
    for name, other in other_stacks(stack):
        if other.get("domain") == settings.domain and other.get("box") != "none":
            yield Problem(
                dotted("domain"),
                f"stacks/{name} has {settings.domain} too, and both would serve {settings.auth_host}",
                "Give each client a domain of its own; move a file that is not in use any more out of stacks/.",
            )
            return


def renamed_client(stack: Stack, settings: Settings) -> Iterator[Finding]:
    """A finding if a client of another name was brought up with this root secret, as far as the states lie here."""
    directory = stack.state_directory
    if directory is None:
        return
    mark = f'"{settings.derived().fingerprint}"'.encode()
    for file in sorted(Path(directory, ".pulumi", "stacks", PROJECT).glob("*.json")):
        if file.stem != stack.name and mark in file.read_bytes():
            yield Problem(
                dotted("client"),
                f"this root secret is that of client {file.stem}, which is up: {stack.name} would be a second client "
                f"with its passwords and keys",
                f"A client cannot be renamed: if this is {file.stem}, give the file its former name back, "
                f"stacks/Pulumi.{file.stem}.yaml, with client: {file.stem}. A new client: ./gatehouse new.",
            )
            return
