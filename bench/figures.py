"""Writes what a run measured to out/figures/<run>.json, merging with what the run wrote before."""

from __future__ import annotations

import fcntl
import json
from pathlib import Path

FIGURES = Path(__file__).resolve().parent.parent / "out" / "figures"


def record(run: str, **figures: tuple[float | int, float | int | None]) -> None:
    """Record `name=(value, goal)` pairs under the name of the run that measured them."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    path = FIGURES / f"{run}.json"
    with (FIGURES / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = json.loads(path.read_text()) if path.exists() else {}
        known.update({name: {"value": value, "goal": goal} for name, (value, goal) in figures.items()})
        whole = path.with_suffix(".new")  # who is killed here must not leave half a file to the next run
        whole.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
        whole.replace(path)
