"""From an app in a stack file to what authentik has of it, and to what the app itself has to be told."""

from __future__ import annotations

from components.apps.declare import declare, planned
from components.apps.outputs import outputs

__all__ = ["declare", "outputs", "planned"]
