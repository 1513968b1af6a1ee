"""The hosts that a client's box serves to the world, each with a certificate of its own."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import pulumi

from components.logical_names import logical_name
from components.objects.resource import resource_class
from components.problems import Problem, Problems
from components.proxy.kinds import CERTIFICATE, PROXY_HOST
from components.proxy.provider import NpmProvider
from components.proxy.routes import Route
from components.settings import Settings
from components.settings.base import dotted

# NPM writes these credentials to a file through a shell, so nothing else may pass.
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")
# What certbot waits for DNS to spread, in seconds; its plugin's own default of 10 fails now and then.
_PROPAGATION_SECONDS = 20


@dataclass(frozen=True, kw_only=True)
class ProxyArgs:
    """What is served, and the Nginx Proxy Manager that serves it."""

    routes: Sequence[Route]
    address: pulumi.Input[str]
    """Where it is administered (see `components.ssh.tunnel`)."""
    identity: str
    """Who logs in to it."""
    password: pulumi.Input[str] = field(repr=False)
    token: str = field(repr=False)
    """Cloudflare's, which certificates are got with."""
    named: bool
    """Whether certificates are called after the token: a change of it then gets new ones."""
    container: pulumi.Resource
    volume: pulumi.Resource | None
    """What has all that it knows, and takes it along."""


class Proxy(pulumi.ComponentResource):
    """Certificates and proxy hosts. `ready` are the hosts, by name."""

    def __init__(self, name: str, args: ProxyArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("gatehouse:proxy:Proxy", name, None, opts)
        project = pulumi.get_project()
        provider = pulumi.ProviderResource(
            "pulumi-python",
            logical_name(name, "npm"),
            {
                f"{project}:address": args.address,
                f"{project}:identity": args.identity,
                f"{project}:secret": pulumi.Output.secret(args.password),
            },
            pulumi.ResourceOptions(parent=self),
        )
        options = pulumi.ResourceOptions(
            parent=self, provider=provider, depends_on=[args.container], deleted_with=args.volume
        )
        self.ready: dict[str, pulumi.Resource] = {}
        for route in args.routes:
            title = certificate_name(route.host, args.token if args.named else None)
            certificate = resource_class(CERTIFICATE.name)(
                NpmProvider(),
                logical_name(name, title),
                CERTIFICATE.name,
                certificate_fields(title, route.host, args.token),
                secret=("meta",),
                # NPM has no way to change a certificate, only another one; what must change it is in its name.
                opts=pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(ignore_changes=["meta"])),
            )
            self.ready[route.host] = resource_class(PROXY_HOST.name)(
                NpmProvider(),
                logical_name(name, route.host),
                PROXY_HOST.name,
                host_fields(route, title),
                opts=pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(depends_on=[certificate])),
            )
        self.register_outputs({"hosts": [*self.ready]})


def cloudflare_token(settings: Settings) -> tuple[str, bool]:
    """The token that certificates are asked for with, and whether the stack file has it.

    Raises Problems when there is none, or when it has characters that NPM must not be given.
    """
    where = dotted("cloudflareToken")
    given = settings.cloudflare_token is not None
    token = settings.cloudflare_token.get_secret_value() if settings.cloudflare_token else ""
    token = token or os.environ.get("CLOUDFLARE_API_TOKEN", "")
    if not token:
        what = "there is no Cloudflare API token, with which certificates are got through the zone's DNS"
        raise Problems(
            [Problem(where, what, "Set it as a secret, or CLOUDFLARE_API_TOKEN in the environment")]
        )
    if not _TOKEN.fullmatch(token):
        what = "the Cloudflare API token has characters other than A-Z a-z 0-9 _ and -"
        raise Problems([Problem(where, what, "Copy it again from Cloudflare")])
    return token, given


def certificate_name(host: str, token: str | None) -> str:
    """What a certificate is called: a token given in the stack file makes it another one when it changes.

    A certificate is renewed with the token that it was got with. One from the environment is each operator's own,
    and must not make a new certificate whenever somebody else runs the program.
    """
    mark = f" {hashlib.sha256(f'gatehouse/v1/npm/{token}'.encode()).hexdigest()[:6]}" if token else ""
    return f"gatehouse {host}{mark}"


def certificate_fields(name: str, host: str, token: str) -> dict[str, Any]:
    """A certificate of Let's Encrypt's for one name, proven through Cloudflare's DNS."""
    return {
        "provider": "letsencrypt",
        "nice_name": name,
        "domain_names": [host],
        "meta": {
            "dns_challenge": True,
            "dns_provider": "cloudflare",
            "dns_provider_credentials": f"dns_cloudflare_api_token = {token}",
            "propagation_seconds": _PROPAGATION_SECONDS,
            "key_type": "ecdsa",
        },
    }


def host_fields(route: Route, certificate: str) -> dict[str, Any]:
    """A proxy host by the recipe in `advanced.conf.j2`; what NPM's own switches would do is switched off."""
    return {
        "host": route.host,
        "forward_scheme": route.scheme,
        "forward_host": route.forward_host,
        "forward_port": route.port,
        "certificate_id": certificate,
        "enabled": True,
        "ssl_forced": True,
        "http2_support": True,
        "hsts_enabled": False,
        "hsts_subdomains": False,
        "caching_enabled": False,
        # It answers 403 to redirect_uri=http://localhost… and next=/a/b.
        "block_exploits": False,
        "allow_websocket_upgrade": True,
        "trust_forwarded_proto": False,
        "locations": [],
        "advanced_config": advanced_config(route),
    }


def advanced_config(route: Route) -> str:
    """The lines that NPM puts into the host's server block."""
    text = (Path(__file__).parent / "advanced.conf.j2").read_text(encoding="utf-8")
    template = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, autoescape=False).from_string(text)  # noqa: S701
    return template.render(authentik=route.authentik, below=route.below).strip()
