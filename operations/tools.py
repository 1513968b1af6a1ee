"""Whose tools the engine runs here: its host for Python, and the plugins of Hetzner, Cloudflare and Docker."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from components.problems import Problem
from operations.finding import Finding, Right

HOST = "pulumi-language-python"
PLUGINS = ("hcloud", "cloudflare", "docker", "command")
_OURS = re.compile(rb"bench(\.|/)(plugins|engine)")
"""What the small scripts say by which the bench starts its stand-ins."""


def tools() -> Iterator[Finding]:
    """Each of them: where it is, and whether it is the official one."""
    engine = shutil.which("pulumi")
    if engine is None:
        return
    beside = Path(engine).resolve().with_name(HOST)
    host = shutil.which(HOST) or (str(beside) if beside.exists() else None)
    if host is None:
        remedy = f"Install Pulumi anew: its packages bring {HOST} beside `pulumi`."
        yield Problem("Pulumi's Python", f"there is no {HOST} beside {engine}", remedy)
    else:
        yield Right("Pulumi's Python", _owner(Path(host)))
    for name in PLUGINS:
        yield Right(f"plugin {name}", _plugin(name))


def _plugin(name: str) -> str:
    """The plugin that the engine takes: one in PATH, else the version that the SDK asks for."""
    wanted = metadata.version(f"pulumi-{name}")
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    file = f"pulumi-resource-{name}"
    in_path = shutil.which(file)
    path = Path(in_path) if in_path else home / "plugins" / f"resource-{name}-v{wanted}" / file
    return _owner(path) if path.exists() else f"Pulumi fetches {wanted} when it is first needed"


def _owner(path: Path) -> str:
    with path.open("rb") as file:
        ours = file.read(2) == b"#!" and _OURS.search(file.read(1000))
    return f"a stand-in of the bench ({path})" if ours else str(path)
