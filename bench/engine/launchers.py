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


def pulumi_home(environment: Mapping[str, str]) -> Path:
    """Where the operator's own Pulumi keeps its plugins."""
    return Path(environment.get("PULUMI_HOME") or Path.home() / ".pulumi")


def plugins(home: Path, environment: Mapping[str, str]) -> dict[str, Path | None]:
    """Fill PULUMI_HOME at `home` with the plugins that the SDKs ask for: the official ones, or None for a stand-in.

    Official ones are those that the user has, in PATH or in the Pulumi home of `environment`: the very version that
    the SDK asks for, else the newest that came after it. In the plugin cache of a Pulumi home the engine takes them
    without a warning.
    """
    found: dict[str, Path | None] = {}
    for name in STAND_INS:
        file = f"pulumi-resource-{name}"
        target = home / "plugins" / f"resource-{name}-v{wanted(name)}" / file
        if in_path := shutil.which(file, path=environment.get("PATH")):
            found[name] = Path(in_path)  # the engine itself prefers what is in PATH
            continue
        found[name] = installed = _installed(pulumi_home(environment) / "plugins", name)
        if installed is None:
            write(target, [python(), "-u", "-m", "bench.plugins", name])
        elif installed != target:
            write(target, [str(installed)])
    return found


def _installed(folder: Path, name: str) -> Path | None:
    """The official plugin to take from a plugin cache."""
    least = _numbers(wanted(name))
    there = {
        _numbers(path.parent.name.rpartition("-v")[2]): path
        for path in folder.glob(f"resource-{name}-v*/pulumi-resource-{name}")
        if _official(path)
    }
    newer = [version for version in there if version >= least and version[:1] == least[:1]]
    return there[least if least in there else max(newer)] if newer else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("-", maxsplit=1)[0].split(".") if part.isdigit())


def _official(installed: Path) -> bool:
    """Whether a plugin is installed at that place: not a launcher of a stand-in, from an earlier `env`."""
    with installed.open("rb") as file:
        return b"bench.plugins" not in file.read(1000)


def wanted(name: str) -> str:
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
