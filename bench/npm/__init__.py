"""Stands in for Nginx Proxy Manager 2.15.1: its API over a real nginx, held against recordings of the
real one.
"""

from __future__ import annotations
