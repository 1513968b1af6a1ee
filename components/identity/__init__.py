"""authentik's objects: what its API can hold, what the program wants of it, and the way there. Start at `plan`."""

from __future__ import annotations

from components.identity.plan import Plan
from components.identity.specs import Finding, PlanError

__all__ = ["Finding", "Plan", "PlanError"]
