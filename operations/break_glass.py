"""`gatehouse break-glass`: lets an administrator in who lost their security key, once, for a while.

The way is authentik's own, and only the box's shell opens it: a link that logs one person in, past password and second
factor. It is noted three times: in the box's journal before it is made, in authentik's events when it is opened, and in
`.gatehouse/NAME/break-glass.json`, by which the next `up` ends what is left of it.
"""

from __future__ import annotations

import getpass
import json
import re
import shlex
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components import private_files
from components.identity.dialect import Authentik
from components.objects.http import RefusedError
from components.settings import Settings
from operations.asking import authentik_of
from operations.errors import OperatorError
from operations.stack import ROOT, Stack

CONTAINER = "authentik-server"
JOURNAL_TAG = "gatehouse-break-glass"
NOTES = "break-glass.json"
Run = Callable[..., subprocess.CompletedProcess[str]]
"""Runs a command on the box."""


def folder(client: str) -> Path:
    """Where the notes lie."""
    return ROOT / ".gatehouse" / client


def before_up(stack: Stack, settings: Settings) -> list[str]:
    """What the next `up` does about it; in words."""
    if not _noted(folder(stack.name)):
        return []
    server = authentik_of(settings, stack.deployment().get("resources", []))
    try:
        if server is not None and server.is_reachable():
            return end(server, folder(stack.name))
    except RefusedError as refused:
        return [f"What break-glass opened is not ended: {server.where if server else ''} says {refused}."]
    return ["What break-glass opened is not ended, since authentik does not answer: the next up tries again."]


def open_way(run: Run, base: str, folder: Path, person: str, minutes: int) -> str:
    """Make the link; what it is. Raises an OperatorError where the box does not do it."""
    word = f"{getpass.getuser()} makes a link that logs {person} in for {minutes} minutes"
    if run("logger", "-t", JOURNAL_TAG, "--", shlex.quote(word)).returncode:
        raise OperatorError(
            "The box does not note what is done, so that nothing was done.",
            "See on the box why `logger` fails (journalctl -xe), then run the same command again.",
        )
    _note(folder, [*_noted(folder), {"person": person, "at": datetime.now(UTC).isoformat()}])
    made = run("docker", "exec", CONTAINER, "ak", "create_recovery_key", str(minutes), shlex.quote(person))
    found = re.search(r"/recovery/use-token/[^\s/]+/", made.stdout)
    if found:
        return base + found[0]
    if "not found" in made.stderr:  # authentik's command ends well all the same
        raise OperatorError(
            f"authentik knows no {person!r}.", "Give the user name of an administrator (gatehouse:people)."
        )
    raise OperatorError(
        f"authentik makes no link: {(made.stderr or made.stdout).strip()[-300:] or 'it does not say why'}",
        "See whether its containers run (./gatehouse up starts them), then run the same command again.",
    )


def end(server: Authentik, folder: Path) -> list[str]:
    """End what is left of earlier links: unused ones, and the sessions of those whom they let in. What was done."""
    noted = _noted(folder)
    if not noted:
        return []
    people = sorted({str(each["person"]) for each in noted})
    said = []
    for person in people:
        links = list(server.rows("/core/tokens/", intent="recovery", user__username=person))
        for token in links:
            server.request("DELETE", f"/core/tokens/{token['identifier']}/")
        for user in list(server.rows("/core/users/", username=person)):
            server.request(
                "DELETE", "/core/authenticated_sessions/bulk_delete/", params={"user_pks": str(user["pk"])}
            )
        said.append(
            f"Ended what break-glass opened for {person}: {len(links)} unused links, and all sessions."
        )
    (folder / NOTES).unlink()
    return said


def _noted(folder: Path) -> list[dict[str, Any]]:
    path = folder / NOTES
    return list(json.loads(path.read_text())) if path.is_file() else []


def _note(folder: Path, noted: list[dict[str, Any]]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    private_files.make_folder(folder)
    private_files.write(folder / NOTES, json.dumps(noted, indent=1))
