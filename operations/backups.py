"""A client's backups, as an operator asks for them: now, which there are, and back again.

The box backs itself up (`components/backup`), so all of it is a script there that is started and listened to.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from components.problems import Problem, hint, warning
from components.settings import Elsewhere, Settings
from components.ssh import AccessError
from operations.box import Box, Say
from operations.errors import OperatorError, UsageError
from operations.finding import Finding, Right
from operations.output import Output
from operations.stack import Stack

SCRIPTS = "/usr/local/lib/gatehouse"
LATE = timedelta(hours=27)
"""Since the last good backup: one a day, and some hours for one that begins late."""
_RESOURCE = "command:local:Command"


@dataclass(frozen=True, order=True)
class Snapshot:
    """One backup in the repository."""

    time: datetime
    id: str

    @property
    def age(self) -> str:
        """How long ago it was made, as people say it."""
        return ago(self.time)


def ago(time: datetime) -> str:
    """How long ago something was, in the largest unit that says enough."""
    minutes = int((datetime.now(UTC) - time).total_seconds() // 60)
    for count, unit in ((minutes // 1440, "day"), (minutes // 60, "hour"), (minutes, "minute")):
        if count > 1 or (count == 1 and unit != "minute"):
            return f"{count} {unit}{'s' * (count > 1)}"
    return "a minute"


class Backups:
    """The backups of a client that is up and has `gatehouse:backup`."""

    def __init__(self, stack: Stack, say: Say) -> None:
        """Raises OperatorError where there are none."""
        self.name = stack.require().name
        self.box, self.stack, self.say = Box(stack, say), stack, say
        if isinstance(self.box.settings.box, Elsewhere):
            raise OperatorError(
                f"{self.name} has no box of gatehouse's: whoever runs its authentik backs it up.",
                "Ask them when it was last restored from a backup.",
            )
        if self.box.settings.backup is None:
            raise OperatorError(
                f"{self.name} is not backed up: its stack file has no gatehouse:backup.",
                f"Write one (docs/backups.md), then: ./gatehouse up {self.name}",
            )
        if not self.box.expected or not is_set_up(self.box.deployment.get("resources", [])):
            raise OperatorError(
                f"{self.name}'s box is not set up for its backups yet.",
                f"Bring it up first: ./gatehouse up {self.name}",
            )

    def now(self, *, new_repository: bool = False) -> None:
        """Back up now. Raises OperatorError where that did not end well."""
        if new_repository:
            self._run("backup", "prepare", "--new")
        self.deliver()
        self._run("backup", "now")

    def deliver(self) -> None:
        """Let the box have what is on this machine, so that it is in its backups. Raises OperatorError."""
        self._run("backup", "papers", given=papers(self.stack))

    def snapshots(self) -> list[Snapshot]:
        """All that the repository has of this client, the newest last. Raises OperatorError."""
        lines: list[str] = []
        self._run("backup", "snapshots", heard=lines.append)
        found = json.loads("".join(line for line in lines if line.startswith(("[", "{"))) or "[]") or []
        return sorted(Snapshot(_time(each["time"]), str(each["short_id"])) for each in found)

    def one(self, wanted: str | None) -> Snapshot:
        """The snapshot whose id begins so, else the newest. Raises OperatorError where there is none."""
        there = self.snapshots()
        if not there:
            raise OperatorError(
                f"The repository has no backup of {self.name} yet.",
                f"Make one: ./gatehouse backup {self.name}",
            )
        found = [each for each in there if wanted is None or each.id.startswith(wanted[:8])]
        if not found:
            raise UsageError(
                f"There is no snapshot {wanted} of {self.name}.",
                f"Take one of: ./gatehouse snapshots {self.name}",
            )
        return found[-1]

    def restore(self, snapshot: Snapshot) -> None:
        """Put a snapshot in the place of what is on the box. Raises OperatorError where that did not end well."""
        self._run("restore", "start", snapshot.id)

    def undo(self) -> None:
        """Put back what was there before a restore that was cut off. Raises OperatorError."""
        self._run("restore", "undo")

    def bring_up_copy(self, snapshot: Snapshot) -> str:
        """Restore a snapshot beside what is on the box; the address of the copy, on the box. Raises OperatorError."""
        self._run("rehearse", "start", snapshot.id)
        said: list[str] = []
        self._run("rehearse", "where", heard=said.append)
        return said[-1].strip()

    def remove_copy(self) -> None:
        """Take the copy away. Raises OperatorError."""
        self._run("rehearse", "clean")

    def _run(self, script: str, *arguments: str, heard: Say | None = None, given: bytes = b"") -> None:
        told = heard or self.say
        # The newest line: where this fails, it is what ends the command, and is said once.
        held: list[str] = []

        def listen(line: str) -> None:
            if held != [line]:
                while held:
                    told(held.pop())
                held.append(line)

        try:
            code, last = self.box.follow(
                "sudo", "-n", f"{SCRIPTS}/{script}", *arguments, heard=listen, given=given
            )
        except AccessError as error:
            raise OperatorError(
                str(error),
                "What was begun on the box goes on there; run the same command again to see how it ended.",
            ) from None
        if code:
            raise OperatorError(f"{self.name}: {last or f'{script} failed on the box'}", "")
        for line in held:
            told(line)


def deliver(stack: Stack, out: Output) -> None:
    """The same after a run, which has ended well whatever becomes of this."""
    try:
        Backups(stack, lambda _: None).deliver()
    except OperatorError as error:
        out.warn(f"The box did not get the new state for its backups: {error.what}")


def is_set_up(resources: list[dict[str, Any]]) -> bool:
    """Whether the state says that the box backs itself up."""
    return any(each["type"] == _RESOURCE and str(each["urn"]).endswith("::backups") for each in resources)


def papers(stack: Stack) -> bytes:
    """What is only on an operator's machine and is needed to go on without it, as a tar file.

    The stack file goes without its secrets: whoever got at a backup could try passphrases on them. The state goes as it
    lies, with its secrets encrypted; the root secret is not in it.
    """
    text = stack.file.read_text(encoding="utf-8")
    text = re.sub(r"(?m)^encryptionsalt:.*\n", "", text)
    text = re.sub(r"(secure:\s*)[^\s,}]+", r"\1not-in-backups", text)
    state = stack.pulumi("stack", "export").stdout
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in ((stack.file.name, text), ("state.json", state)):
            entry = tarfile.TarInfo(name)
            data = content.encode()
            entry.size, entry.mode = len(data), 0o600
            archive.addfile(entry, io.BytesIO(data))
    return made.getvalue()


def findings(stack: Stack, settings: Settings, resources: list[dict[str, Any]]) -> Iterator[Finding]:
    """What doctor says of a client's backups; `resources`: what the state has."""
    if isinstance(settings.box, Elsewhere):
        return
    where = "gatehouse:backup"
    if settings.backup is None:
        yield hint(
            where,
            "nothing is backed up: what is in authentik's database goes with the volume",
            "Write it, such as {repository: b2:acme-sso, keyId: …, key: …} (docs/backups.md), and bring it up",
        )
        return
    if not is_set_up(resources):
        yield Right(where, f"the box is set up for it by the next `up`: {settings.backup.repository}")
        return
    try:
        told = Box(stack, lambda _: None).run("sudo", "-n", f"{SCRIPTS}/backup", "status").stdout
    except AccessError as error:
        yield warning(
            where,
            f"the box cannot be asked when it was last backed up: {error}",
            "Run doctor again once it can be reached",
        )
        return
    yield from judged(stack.name, dict(line.split(" ", 1) for line in told.splitlines() if " " in line))


def judged(name: str, status: dict[str, str]) -> Iterator[Problem | Right]:
    """What there is to say of what a box knows of its backups."""
    where = "gatehouse:backup"
    _, _, failed = status.get("failed", "").partition(" ")
    why = f"; the last one failed: {failed}" if failed else ""
    if "restoring" in status:
        yield warning(
            where,
            "a restore was cut off, and nothing is backed up until it has come to its end",
            f"Run it again: ./gatehouse restore {name}. To have back what was there before it, add --undo",
        )
    good = status.get("good", "").split(" ")
    if not good[0]:
        yield warning(where, f"there is no good backup yet{why}", f"Make one: ./gatehouse backup {name}")
        return
    time = _time(good[0])
    if datetime.now(UTC) - time > LATE or failed:
        yield warning(
            where,
            f"the last good backup is {ago(time)} old{why}",
            f"Once it is put right: ./gatehouse backup {name}",
        )
    else:
        yield Right(where, f"the last good backup is {ago(time)} old")


def _time(text: str) -> datetime:
    """A time as restic and the scripts write it: RFC 3339, to the second."""
    found = re.match(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)", text)
    assert found, text
    return datetime.fromisoformat(found[1] + found[2].replace("Z", "+00:00")).astimezone(UTC)
