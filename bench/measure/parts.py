"""What the parts of a run cost by themselves: processes until they answer, imports by package."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median

from bench.project import PYTHON, Project

PROGRAM = (
    "import gc; gc.disable(); "  # as the program, or a pause for garbage is taken for an import
    "import pulumi, components.client, components.identity.specs, components.settings"
)
PROVIDER = "import pulumi, pulumi.dynamic, dill, components.identity.provider"
SDK = "import pulumi"
PLUGINS = ("hcloud", "cloudflare", "docker", "command")
_RUNS = 5


def several(measure: Callable[[], float]) -> float:
    """The median of a few measurements."""
    return median(measure() for _ in range(_RUNS))


def command(project: Project, *argv: str) -> float:
    """Seconds that a command takes."""
    began = time.monotonic()
    subprocess.run(
        project.through(list(argv)),
        cwd=project.folder,
        env=project.environment,
        check=True,
        capture_output=True,
    )
    return time.monotonic() - began


def until_it_answers(project: Project, argv: list[str]) -> float:
    """Seconds from the start of a language host or plugin until it prints its port; then it is ended."""
    began = time.monotonic()
    with subprocess.Popen(
        project.through(argv), cwd=project.folder, env=project.environment,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        process.stdout.readline()
        seconds = time.monotonic() - began
        process.kill()
    return seconds


def processes(project: Project) -> dict[str, list[str]]:
    """How the engine starts its language host, the provider of dynamic resources and the plugins there are."""
    path = project.environment["PATH"]
    engine = Path(shutil.which("pulumi", path=path) or "").resolve().parent
    found = {}
    for title, name in (
        ("language host", "pulumi-language-python"),
        ("provider of REST objects", "pulumi-resource-pulumi-python"),
    ):
        program = shutil.which(name, path=path) or str(engine / name)
        found[title] = [program, "127.0.0.1:1"]
    return found


def plugins(project: Project) -> dict[str, list[str]]:
    """How the engine starts the plugins that a whole client needs."""
    home = Path(project.environment["PULUMI_HOME"]) / "plugins"
    found = {name: sorted(home.glob(f"resource-{name}-v*/pulumi-resource-{name}")) for name in PLUGINS}
    return {f"plugin {name}": [str(paths[-1]), "127.0.0.1:1"] for name, paths in found.items() if paths}


def imports(project: Project, statement: str) -> Counter[str]:
    """Milliseconds by top-level package, the least of a few runs for each module."""
    best: dict[str, int] = {}
    for _ in range(_RUNS):
        done = subprocess.run(
            [PYTHON, "-X", "importtime", "-c", statement],
            cwd=project.folder, env=project.environment, check=True, capture_output=True, text=True,
        )  # fmt: skip
        for own, name in re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+([\w.]+)", done.stderr):
            best[name] = min(best.get(name, int(own)), int(own))
    spent: Counter[str] = Counter()
    for name, microseconds in best.items():
        spent[name.partition(".")[0]] += microseconds
    return Counter({name: round(total / 1000) for name, total in spent.items()})
