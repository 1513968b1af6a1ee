"""Which gatehouse this is: the version that pyproject.toml says, and the commit of the checkout where git knows it."""

from __future__ import annotations

import subprocess
import tomllib
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
VERSION: str = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]["version"]


def version() -> str:
    """The version in a line, with the commit."""
    try:
        asked = ["git", "-C", str(_ROOT), "describe", "--always", "--dirty", "--exclude=*"]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=False)
    except OSError:  # no git
        return f"gatehouse {VERSION}"
    commit = done.stdout.strip()
    return f"gatehouse {VERSION} (commit {commit})" if commit else f"gatehouse {VERSION}"
