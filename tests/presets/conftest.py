"""An authentik in memory, one for each module of tests."""

from __future__ import annotations

from tests.operations.conftest import world

__all__ = ["world"]
