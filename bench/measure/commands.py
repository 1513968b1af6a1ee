"""The engine's commands as runs that can be timed."""

from __future__ import annotations

from collections.abc import Callable

from bench.measure.stacks import STACK
from bench.project import Project

SKIP = {"PULUMI_EXPERIMENTAL": "true", "PULUMI_SKIP_CHECKPOINTS": "true"}
"""Environment with which the engine writes its state once, at the end, instead of after each step."""

Run = Callable[[], object]


def up(project: Project, **environment: str) -> Run:
    """Bring it up: a preview, then the update."""
    return _run(project, "up", "--yes", **environment)


def down(project: Project) -> Run:
    """Destroy it, as quickly as it goes."""
    return _run(project, "destroy", "--yes", "--skip-preview", **SKIP)


def preview(project: Project) -> Run:
    """Preview it."""
    return _run(project, "preview")


def refresh(project: Project) -> Run:
    """Preview it after a look at what is there; fails if that is not what the state says."""
    return _run(project, "preview", "--refresh", "--expect-no-changes")


def up_refreshed(project: Project) -> Run:
    """Bring it up after a look at what is there, without a preview."""
    return _run(project, "up", "--yes", "--skip-preview", "--refresh")


def _run(project: Project, *args: str, **environment: str) -> Run:
    return lambda: project.pulumi(*args, "--stack", STACK, check=True, given=None, **environment)
