"""Records in the client's zone at Cloudflare.

`pulumi_cloudflare` is not imported: that takes 1.4 s and 120 MB for one resource and one look-up, which are
made by their tokens here, in the names of the wire.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

import pulumi
from pulumi.runtime import invoke_async
from pydantic import SecretStr

from components.host.names import record_type
from components.logical_names import logical_name

# The plugin that these tokens and property names are those of; as in requirements.txt.
PLUGIN_VERSION = "6.23.1"
ADOPT = "GATEHOUSE_ADOPT_DNS"
"""Environment: JSON, records of the zone that are to be taken over, by the names that they get in the state."""
# Low enough that a box that moves is found within minutes.
TTL_SECONDS = 300


class DnsRecord(pulumi.CustomResource):
    """One record, not proxied by Cloudflare: the box ends TLS itself and sees who comes."""

    def __init__(
        self, name: str, *, zone: pulumi.Input[str], host: str, type: str, content: pulumi.Input[str],
        opts: pulumi.ResourceOptions,
    ) -> None:  # fmt: skip
        properties = {
            "zoneId": zone,
            "name": host,
            "type": type,
            "content": content,
            "ttl": TTL_SECONDS,
            "proxied": False,
        }
        if there := records_to_adopt().get(name):
            # As it is: what differs is for the run after this one, since the engine imports nothing that it changes.
            kept = pulumi.ResourceOptions(import_=there, ignore_changes=["type", "content", "ttl", "proxied"])
            opts = pulumi.ResourceOptions.merge(opts, kept)
        # An A record and a CNAME of one name cannot be there together, not for a moment.
        opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(delete_before_replace=True))
        super().__init__("cloudflare:index/dnsRecord:DnsRecord", name, properties, opts)


def provider(client: str, token: SecretStr | None, opts: pulumi.ResourceOptions) -> pulumi.ProviderResource:
    """The Cloudflare provider; without a token in the stack file it takes CLOUDFLARE_API_TOKEN."""
    inputs: dict[str, Any] = {"apiToken": pulumi.Output.secret(token.get_secret_value())} if token else {}
    opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(version=PLUGIN_VERSION))
    return pulumi.ProviderResource("cloudflare", logical_name(client, "cloudflare"), inputs, opts)


def zone_id(domain: str, cloudflare: pulumi.ProviderResource) -> pulumi.Output[str]:
    """The id of the zone `domain`. A zone that is not there ends the program with what to do about it."""

    async def look_up() -> str:
        token = "cloudflare:index/getZone:getZone"  # noqa: S105  (Pulumi's word for the name of a function)
        options = pulumi.InvokeOptions(provider=cloudflare)
        try:
            found: Mapping[str, Any] = await invoke_async(
                token, {"filter": {"name": domain, "match": "all"}}, options
            )
        except Exception as error:  # the engine's errors have no type of their own
            raise pulumi.RunError(explain(domain, str(error))) from None
        return str(found["zoneId"])

    return pulumi.Output.from_input(look_up())


def explain(domain: str, stderr: str) -> str:
    """What a failed look-up of the zone means, in the operator's words, with Cloudflare's own at the end."""
    words = " ".join(stderr.split())
    if "exactly one result" in words:
        return (
            f"zone {domain} not found at Cloudflare: add the domain to the account of this API token, or "
            f"give the token access to it (Zone:Read and DNS:Edit), or correct gatehouse:domain. "
            f"Cloudflare's provider said: {words}"
        )
    if any(
        mark in words
        for mark in ("401", "403", "Authentication error", "Invalid API Token", "400 Bad Request")
    ):
        return (
            f"Cloudflare refused the API token when asked for zone {domain}: check gatehouse:cloudflareToken "
            f"or CLOUDFLARE_API_TOKEN; it needs Zone:Read and DNS:Edit. Cloudflare's provider said: {words}"
        )
    return f"zone {domain} could not be looked up at Cloudflare: {words}"


def declare(
    client: str,
    hosts: Iterable[str],
    *,
    zone: pulumi.Input[str],
    ipv4: pulumi.Input[str],
    ipv6: pulumi.Input[str] | None,
    opts: pulumi.ResourceOptions,
) -> list[DnsRecord]:
    """An A record for each host, and an AAAA record if there is such an address."""
    records = []
    for host in hosts:
        first = DnsRecord(
            logical_name(client, f"{host}-A"), zone=zone, host=host, type="A", content=ipv4, opts=opts
        )
        records.append(first)
        if ipv6 is not None and records_to_adopt().get(host) != logical_name(client, f"{host}-A"):
            # After the other, which may have been a CNAME until now.
            after = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[first]))
            records.append(
                DnsRecord(
                    logical_name(client, f"{host}-AAAA"),
                    zone=zone,
                    host=host,
                    type="AAAA",
                    content=ipv6,
                    opts=after,
                )
            )
    return records


def declare_fixed(
    client: str, hosts: Iterable[str], *, zone: pulumi.Input[str], target: str, opts: pulumi.ResourceOptions
) -> list[DnsRecord]:
    """Records that lead to a box that was there before: by its address, or by its name."""
    type = record_type(target)
    return [
        DnsRecord(
            logical_name(client, f"{host}-{type}"), zone=zone, host=host, type=type, content=target, opts=opts
        )
        for host in hosts
    ]


def records_to_adopt() -> Mapping[str, str]:
    """What `gatehouse up` says is to be taken over: names in the state, with what Cloudflare's plugin imports by.

    A host that has a CNAME until now is in it too, with the name of the record that becomes the first of its new ones:
    nothing else can be there beside a CNAME.
    """
    found: dict[str, str] = json.loads(os.environ.get(ADOPT) or "{}")
    return found


def first_address(network: str) -> str:
    """The address that a server takes of its /64, which the API gives with or without `/64`."""
    return str(ipaddress.IPv6Network(network.removesuffix("/64") + "/64")[1])
