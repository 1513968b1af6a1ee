"""The box: a server at Hetzner or one that exists, its first boot, its hardening, its names in DNS."""

from __future__ import annotations
