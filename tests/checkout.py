"""A copy of the checkout in which a list of docs/how-to.md is followed, to see that it names all that is needed."""

from __future__ import annotations

import filecmp
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("bench", "components", "docs", "operations", "stacks", "tests", "tools")
GENERATED = ("docs/settings.md", "stacks/schema.json")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "recordings")


class Copy:
    """A copy at `path`, removed by whoever made the folder that it is in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        for folder in FOLDERS:
            shutil.copytree(ROOT / folder, path / folder, ignore=_LEFT_OUT)

    def edit(self, name: str, old: str, new: str) -> None:
        """Put a text in the place of another, which must be there."""
        text = (self.path / name).read_text()
        assert old in text, f"{name} has no {old!r} any more: follow docs/how-to.md anew here"
        (self.path / name).write_text(text.replace(old, new, 1))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the copy's Python with these arguments."""
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.path,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def touched(self) -> list[str]:
        """Files that differ from the checkout's, beside those that are generated."""
        return [name for name in self._differing() if name not in GENERATED]

    def _differing(self) -> Iterator[str]:
        for folder in FOLDERS:
            for path in sorted((self.path / folder).rglob("*")):
                name = str(path.relative_to(self.path))
                if path.is_file() and "__pycache__" not in path.parts:
                    there = ROOT / name
                    if not there.exists() or not filecmp.cmp(there, path, shallow=False):
                        yield name
