"""The small programs by which the engine finds language host, dynamic providers and stand-ins."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from bench.paths import ROOT

ENGINE = Path(__file__).parent
STAND_INS = ("hcloud", "cloudflare", "docker", "command")


def python() -> str:
    """The checkout's Python if it has one, else this one."""
    own = ROOT / ".venv" / "bin" / "python"
    return str(own) if own.exists() else sys.executable


def hosts(folder: Path) -> None:
    """Put the language host and the server of dynamic providers into `folder`, beside the engine."""
    write(folder / "pulumi-language-python", [python(), "-u", str(ENGINE / "language_host.py")])
    write(folder / "pulumi-resource-pulumi-python", [python(), "-u", str(ENGINE / "dynamic.py")])


def plugins(home: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Fill PULUMI_HOME at `home` with the plugins that the SDKs ask for; says for each whose it is.

    "official" where the user has that very version installed (in PATH or in the Pulumi home of
    `environment`), else "stand-in". In the plugin cache of a Pulumi home the engine takes them without a
    warning.
    """
    own = Path(environment.get("PULUMI_HOME") or Path.home() / ".pulumi") / "plugins"
    whose: dict[str, str] = {}
    for name in STAND_INS:
        file = f"pulumi-resource-{name}"
        folder = f"resource-{name}-v{_wanted(name)}"
        target = home / "plugins" / folder / file
        installed = own / folder / file
        if shutil.which(file, path=environment.get("PATH")):
            whose[name] = "official"  # the engine itself prefers what is in PATH
        elif _official(installed):
            whose[name] = "official"
            if installed != target:
                write(target, [str(installed)])
        else:
            whose[name] = "stand-in"
            write(target, [python(), "-u", "-m", "bench.plugins", name])
    return whose


def _official(installed: Path) -> bool:
    """Whether a plugin is installed at that place: not a launcher of a stand-in, from an earlier `env`."""
    if not installed.exists():
        return False
    with installed.open("rb") as file:
        return b"bench.plugins" not in file.read(1000)


def _wanted(name: str) -> str:
    """The plugin version that the installed SDK asks the engine for: its own."""
    return metadata.version(f"pulumi-{name}")


def write(path: Path, argv: list[str]) -> None:
    """Make `path` a program that becomes `argv` with its arguments appended; atomic, and only if it isn't."""
    module = f'PYTHONPATH={shlex.quote(str(ROOT))}"${{PYTHONPATH:+:$PYTHONPATH}}" ' if "-m" in argv else ""
    text = f'#!/bin/sh\n{module}exec {shlex.join(argv)} "$@"\n'
    if path.exists() and path.read_text() == text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.write_text(text)
    new.chmod(0o755)
    new.replace(path)
