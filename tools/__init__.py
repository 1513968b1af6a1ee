"""What makes the files that are generated. `python -m tools` writes them, `python -m tools --check` compares."""

from __future__ import annotations
