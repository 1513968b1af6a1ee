"""The world of the bench, for the tests that boot a real Debian; see bench/tests/machine."""

from __future__ import annotations

from bench.tests.machine.conftest import machines, world

__all__ = ["machines", "world"]
