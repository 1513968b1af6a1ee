"""What the reconcile engine has to know about the kinds of Nginx Proxy Manager (2.15.1) that gatehouse declares."""

from __future__ import annotations

from components.objects.dialect import Kind, Reference
from components.objects.natural_key import NaturalKey

CERTIFICATE = Kind(
    "npm.certificate",
    path="/api/nginx/certificates",
    # Nothing in NPM keeps it unique, so what must not be shared is in the name: see `proxy.certificate_name`.
    key=NaturalKey.parse("nice_name"),
    pk="id",
    url="id",
    title="certificate",
    secret=frozenset({"meta"}),
    write_only=frozenset({"meta"}),
    unordered=frozenset({"domain_names"}),
    serial=True,
    sequential_pk=True,
)
PROXY_HOST = Kind(
    "npm.proxy_host",
    path="/api/nginx/proxy-hosts",
    # `host` is ours: the one name in domain_names, put in and taken out by the dialect.
    key=NaturalKey.parse("host"),
    pk="id",
    url="id",
    title="proxy host",
    references={"certificate_id": Reference(("npm.certificate",))},
    empty_values={"advanced_config": "", "access_list_id": 0, "certificate_id": 0},
    update="PUT",
    serial=True,
    sequential_pk=True,
)
KINDS = {kind.name: kind for kind in (CERTIFICATE, PROXY_HOST)}

# What a PUT of a whole host may carry (schema of PUT /nginx/proxy-hosts/{id}); anything else is a 400.
HOST_FIELDS = (
    "access_list_id", "advanced_config", "allow_websocket_upgrade", "block_exploits", "caching_enabled",
    "certificate_id", "domain_names", "enabled", "forward_host", "forward_port", "forward_scheme", "hsts_enabled",
    "hsts_subdomains", "http2_support", "locations", "ssl_forced", "trust_forwarded_proto",
)  # fmt: skip
