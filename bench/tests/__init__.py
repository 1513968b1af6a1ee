"""The bench's own tests: that what stands in for the outside world behaves as the outside world does."""

from __future__ import annotations
