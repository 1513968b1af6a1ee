"""A stand-in for the official hcloud plugin, with Hetzner's own Python client.

It behaves as recorded of the official one, traps included: user data that differs by a newline replaces the
server, a lost SSH key does too, a server that is gone cannot be deleted until a refresh.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from hcloud import Client

from bench.plugins.base import CheckFailed, Failed, Provider
from bench.plugins.hcloud import look_ups
from bench.plugins.hcloud.firewalls import FirewallAttachment, FirewallRules
from bench.plugins.hcloud.servers import ServerResource
from bench.plugins.hcloud.small import PrimaryIp, Rdns, SshKey
from bench.plugins.hcloud.volumes import VolumeAttachment, VolumeResource
from bench.plugins.values import UNKNOWN, Values, is_secret, plain, secret

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_LENGTH = 64


def seconds(duration: str) -> float:
    """A duration in Go's form, such as 500ms or 1m30s."""
    parts = _DURATION.findall(duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        raise Failed(f'pollInterval: time: invalid duration "{duration}"')
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


class Hcloud(Provider):
    """The plugin. Its settings are taken from the program, else from HCLOUD_* of the environment."""

    name = "hcloud"
    version = "1.43.3"  # of the SDK that is used, else the engine warns at every command; recorded: 1.43.0
    resources: ClassVar[Mapping[str, Any]] = {
        r.kind: r
        for r in (
            FirewallAttachment, FirewallRules, PrimaryIp, Rdns, ServerResource, SshKey, VolumeAttachment,
            VolumeResource,
        )
    }  # fmt: skip
    functions: ClassVar[Mapping[str, Any]] = {
        "hcloud:index/getServerType:getServerType": look_ups.server_type,
        "hcloud:index/getLocation:getLocation": look_ups.location,
        "hcloud:index/getImage:getImage": look_ups.image,
    }
    environment: Mapping[str, str] = os.environ

    def check_config(self, news: Values) -> Values:
        token = plain(news.get("token")) or self.environment.get("HCLOUD_TOKEN")
        inputs = dict(news)
        if "token" in inputs and not is_secret(inputs["token"]):
            inputs["token"] = secret(inputs["token"])
        if token and token != UNKNOWN and len(token) != _LENGTH:
            reason = f"entered token is invalid (must be exactly {_LENGTH} characters long)."
            hint = "Check `pulumi config get hcloud:token`."
            raise CheckFailed(
                ("", f"could not validate provider configuration: {reason} {hint}"), inputs=inputs
            )
        return inputs

    def configure(self, config: Values) -> None:
        token = config.get("token") or self.environment.get("HCLOUD_TOKEN")
        if not token:
            where = "the HCLOUD_TOKEN environment variable or provider configuration block token attribute"
            missing = "Missing Hetzner Cloud API token"
            when = f"While configuring the provider, the Hetzner Cloud API token was not found in {where}."
            raise Failed(f'[AttributeName("token")] {missing}: {when}')
        interval = config.get("pollInterval") or self.environment.get("HCLOUD_POLL_INTERVAL") or "500ms"
        endpoint = config.get("endpoint") or self.environment.get("HCLOUD_ENDPOINT")
        # A token that is unknown at the first preview is never used: nothing is read or written then.
        self.client = Client(
            token,
            api_endpoint=(endpoint or "https://api.hetzner.cloud/v1").rstrip("/"),
            application_name="gatehouse-bench",
            poll_interval=seconds(interval),
            poll_max_retries=100_000,  # the engine's own time limit counts
        )


PROVIDER = Hcloud
