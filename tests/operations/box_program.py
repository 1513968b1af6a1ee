"""The program without what needs a real box: only what Hetzner is asked for."""

from __future__ import annotations

import pulumi

from components.host.cloud import Cloud
from components.settings import load

settings = load()
assert settings.server is not None
Cloud(settings, settings.derived(), settings.server, pulumi.ResourceOptions())
