"""Serves the program's dynamic providers: the SDK's own server, but ending when the engine does."""

from __future__ import annotations

import os
import runpy
import sys
from pathlib import Path


def main() -> None:
    """Serve until the engine is gone; providers are imported from the working directory."""
    wanted = os.environ.get("PULUMI_RUNTIME_VIRTUALENV")
    python = Path(wanted or "", "bin", "python")
    if wanted and python.exists() and Path(sys.prefix).resolve() != Path(wanted).resolve():
        os.execv(python, [str(python), "-u", __file__, *sys.argv[1:]])  # noqa: S606 - the project's own Python
    sys.path[0] = str(Path(__file__).resolve().parents[2])
    from bench.lifetime import end_with_parent  # noqa: PLC0415 - found only now

    end_with_parent()
    sys.path[0] = str(Path.cwd())
    runpy.run_module("pulumi.dynamic", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
