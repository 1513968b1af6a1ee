"""Writes every generated file that is not what its source says.

python -m tools          writes them
python -m tools --check  names them; the exit status says whether there were any
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tools import kinds, kinds_page, presets_page, run_schema, settings_page, typed_classes

ROOT = Path(__file__).resolve().parent.parent
GENERATORS: tuple[Callable[[], dict[Path, str]], ...] = (
    kinds.files,  # first: the others read what it makes
    typed_classes.files,
    kinds_page.files,
    settings_page.files,
    presets_page.files,
    run_schema.files,
)


def stale() -> Iterator[tuple[Path, str]]:
    """Every file that is not what its generator makes, and what it makes, one generator after the other."""
    for files in GENERATORS:
        for path, text in files().items():
            if not path.exists() or path.read_text() != text:
                yield path, text


def main(arguments: list[str]) -> int:
    """Write what is stale, or with `--check` name it; the exit status."""
    status = 0
    for path, text in stale():
        name = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        if "--check" in arguments:
            print(f"{name} is not what it is made from says: run python -m tools")
            status = 1
        else:
            path.write_text(text)
            print(f"wrote {name}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
