"""Cloudflare's API v4: zones that were declared at the start, and their DNS records."""

from __future__ import annotations
