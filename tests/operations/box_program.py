"""The program without what needs a real box: only what Hetzner is asked for."""

from __future__ import annotations

import pulumi

from components.host.cloud import Cloud, CloudArgs
from components.settings import load

settings = load()
assert settings.server is not None
args = CloudArgs.from_settings(settings, settings.server, settings.derived())
Cloud(settings.client, args, pulumi.ResourceOptions())
