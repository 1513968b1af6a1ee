from __future__ import annotations

from bench.figures import record as record
