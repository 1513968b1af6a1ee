"""The configuration files that rows turn into: directive for directive those of the real one (see the
recordings).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from bench.npm.layout import Layout

Row = dict[str, Any]

WEBSOCKETS = (
    "proxy_set_header Upgrade $http_upgrade;",
    "proxy_set_header Connection $http_connection;",
    "proxy_http_version 1.1;",
)
HSTS = "add_header Strict-Transport-Security $hsts_header always;"


@dataclass(frozen=True)
class Writer:
    """Writes for a layout and an nginx. Older ones than 1.25.1 have no `http2` directive, only a flag of
    `listen`, which holds for all hosts on the port.
    """

    layout: Layout
    http2_directive: bool

    def host(self, row: Row) -> str:
        """A proxy host's file. `row` may lack `certificate` and `access_list`: then they are not written,
        which is what the real one does to hosts whose domains a certificate request touches.
        """
        lines: list[str] = []
        if row["enabled"]:
            subdomains = " includeSubDomains;" if row["hsts_subdomains"] else ""
            lines += [
                "map $scheme $hsts_header {",
                f'  https "max-age=63072000;{subdomains} preload";',
                "}",
                "server {",
                *_indented(self._server(row)),
                "}",
            ]
        title = ", ".join(row["domain_names"])
        rule = "# " + "-" * 60
        return "\n".join([rule, f"# {title}", rule, *lines]) + "\n"

    def _server(self, row: Row) -> list[str]:
        number, certificate = row["id"], row.get("certificate")
        lines = [
            f"set $forward_scheme {row['forward_scheme']};",
            f'set $server "{row["forward_host"]}";',
            f"set $port {row['forward_port']};",
            *self.layout.listen(self.layout.http),
        ]
        if certificate:
            flags = " ssl" if self.http2_directive or not row["http2_support"] else " ssl http2"
            lines += self.layout.listen(self.layout.https, flags=flags)
        lines.append(f"server_name {' '.join(row['domain_names'])};")
        if self.http2_directive:
            lines.append(f"http2 {'on' if row['http2_support'] else 'off'};")
        if certificate:
            lines += self._tls(certificate)
        if row["caching_enabled"]:
            lines.append("include conf.d/include/assets.conf;")
        lines += [*_exploits(row), *_hsts(row), *_force_ssl(row)]
        if row["allow_websocket_upgrade"]:
            lines += WEBSOCKETS
        lines += [
            f"access_log {self.layout.logs}/proxy-host-{number}_access.log proxy;",
            f"error_log {self.layout.logs}/proxy-host-{number}_error.log warn;",
            *row["advanced_config"].splitlines(),
        ]
        locations = row["locations"] or []
        for location in locations:
            lines += self._location(row, location)
        if not _own_root(row["advanced_config"]) and all(one["path"] != "/" for one in locations):
            lines += ["location / {", *_indented(self._root(row)), "}"]
        lines.append(f"include {self.layout.data}/nginx/custom/server_proxy[.]conf;")
        return lines

    def _tls(self, certificate: Row) -> list[str]:
        chain, key = self.layout.certificate(certificate["id"], certificate["provider"])
        lines = []
        if certificate["provider"] == "letsencrypt":
            names = ("letsencrypt-acme-challenge", "ssl-cache", "ssl-ciphers")
            lines = [f"include conf.d/include/{name}.conf;" for name in names]
        return [*lines, f"ssl_certificate {chain};", f"ssl_certificate_key {key};"]

    def _root(self, row: Row) -> list[str]:
        lines = [*self._access(row), *_hsts(row)]
        if row["allow_websocket_upgrade"]:
            lines += WEBSOCKETS
        return [*lines, "include conf.d/include/proxy.conf;"]

    def _location(self, row: Row, location: Row) -> list[str]:
        target = f"{location['forward_scheme']}://{location['forward_host']}:{location['forward_port']}"
        lines = [
            *location.get("advanced_config", "").splitlines(),
            "proxy_set_header Host $host;",
            "proxy_set_header X-Forwarded-Scheme $scheme;",
            "proxy_set_header X-Forwarded-Proto $scheme;",
            "proxy_set_header X-Forwarded-For $remote_addr;",
            "proxy_set_header X-Real-IP $remote_addr;",
            f"proxy_pass {target}{location.get('forward_path', '')};",
            *self._access(row),
            *_exploits(row),
            *_force_ssl(row),
            *_hsts(row),
        ]
        if row["allow_websocket_upgrade"]:
            lines += WEBSOCKETS
        return [f"location {location['path']} {{", *_indented(lines), "}"]

    def _access(self, row: Row) -> list[str]:
        if not row["access_list_id"]:
            return []
        found = row.get("access_list") or {}
        lines = []
        if found.get("items"):
            lines += [
                'auth_basic "Authorization required";',
                f"auth_basic_user_file {self.layout.password_file(row['access_list_id'])};",
            ]
            if not found["pass_auth"]:
                lines.append('proxy_set_header Authorization "";')
        if found.get("clients"):
            lines += [f"{one['directive']} {one['address']};" for one in found["clients"]]
            lines.append("deny all;")
        return [*lines, "satisfy any;" if found.get("satisfy_any") else "satisfy all;"]

    def default_site(self, value: str, meta: Row) -> str:
        """What answers to an unknown Host over HTTP."""
        answer = {
            "404": "return 404;",
            "444": "return 444;",
            "redirect": f"return 301 {meta.get('redirect', '')};",
            "html": f"root {self.layout.data}/nginx/default_www; index index.html;",
        }.get(value)
        if answer is None:
            return ""
        listen = self.layout.listen(self.layout.http, flags=" default_server")
        lines = [*listen, "server_name default-host.localhost;", f"location / {{ {answer} }}"]
        return "\n".join(["server {", *_indented(lines), "}"]) + "\n"


def _own_root(advanced: str) -> bool:
    return re.search(r"^(?:.*;)?\s*?location\s*?/\s*?\{", advanced, re.IGNORECASE | re.MULTILINE) is not None


def _exploits(row: Row) -> list[str]:
    return ["include conf.d/include/block-exploits.conf;"] if row["block_exploits"] else []


def _hsts(row: Row) -> list[str]:
    return [HSTS] if row.get("certificate") and row["ssl_forced"] and row["hsts_enabled"] else []


def _force_ssl(row: Row) -> list[str]:
    if not (row.get("certificate") and row["ssl_forced"]):
        return []
    trusted = "T" if row["trust_forwarded_proto"] else "F"
    return [f'set $trust_forwarded_proto "{trusted}";', "include conf.d/include/force-ssl.conf;"]


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]
