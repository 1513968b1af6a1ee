"""authentik's objects: what its API can hold, what the program wants of it, and the way there. Start at `plan`."""

from __future__ import annotations
