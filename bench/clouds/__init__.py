"""Hetzner Cloud, Cloudflare and the DNS of the bench: stateful emulators in one process.

They answer what the program, the official plugins and Hetzner's own client call; whatever else is asked for
they refuse. `python -m bench.clouds` runs them, `serving.Clouds` runs them inside a test.
"""

from __future__ import annotations
