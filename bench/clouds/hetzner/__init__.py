"""Hetzner Cloud's API v1, as far as the official plugin, Hetzner's Python client and the program call it."""

from __future__ import annotations
