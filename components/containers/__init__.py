"""What runs on the box: Postgres, Redis, authentik's server and worker, Nginx Proxy Manager."""

from __future__ import annotations
