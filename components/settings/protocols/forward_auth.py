"""What the web server in front of an app is told, so that it asks authentik about each request.

The addresses below /outpost.goauthentik.io and the headers are those of authentik's outpost. Sources: authentik's
documentation, "Forward auth" of nginx, Traefik and Caddy; the proxy outpost's code (internal/outpost/proxyv2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

PREFIX = "/outpost.goauthentik.io"
HEADERS = (
    "X-authentik-username", "X-authentik-groups", "X-authentik-entitlements", "X-authentik-email", "X-authentik-name",
    "X-authentik-uid", "X-authentik-jwt", "X-authentik-meta-jwks", "X-authentik-meta-outpost",
    "X-authentik-meta-provider", "X-authentik-meta-app", "X-authentik-meta-version",
)  # fmt: skip
"""What the app is told of who asks. Each is taken from authentik's answer, so that what a visitor sends is lost."""
APP = "http://APP:PORT"
"""Where the app answers, which only its owner knows."""


@dataclass(frozen=True)
class Asking:
    """One app whose web server asks."""

    url: str
    """Where people open it."""
    outpost: str
    """The outpost's own address, as the web server reaches it."""
    login: str
    """Where people are sent for a login, in nginx's words: the host that leads to the outpost. The others are told by
    the outpost itself."""
    own_host: bool
    """Whether the outpost is known by its own host name, and not by that of whoever asks."""
    authorization: bool
    """Whether authentik gives an Authorization header for the app."""

    @property
    def host(self) -> str:
        """The app's host, with its port."""
        return urlsplit(self.url).netloc

    @property
    def passed(self) -> tuple[str, ...]:
        """The headers that go from authentik's answer to the app."""
        return (*HEADERS, *(["Authorization"] if self.authorization else []))


def snippets(asking: Asking) -> Mapping[str, str]:
    """What is entered, by the web server."""
    return {"nginx": _nginx(asking), "Traefik": _traefik(asking), "Caddy": _caddy(asking)}


def _nginx(asking: Asking) -> str:
    names = [(name, name.lower().replace("-", "_")) for name in asking.passed]
    taken = [f"    auth_request_set $sso_{name} $upstream_http_{name};" for _, name in names]
    told = [f"    proxy_set_header {header} $sso_{name};" for header, name in names]
    asked = f"        proxy_set_header Host {urlsplit(asking.outpost).netloc if asking.own_host else '$http_host'};"
    return "\n".join([
        "location / {",
        f"    proxy_pass {APP};",
        "    proxy_http_version 1.1;",
        "    proxy_set_header Host $http_host;",
        "    proxy_set_header X-Forwarded-Proto $scheme;",
        "    proxy_set_header X-Forwarded-For $remote_addr;",
        "    proxy_set_header Upgrade $http_upgrade;",
        "    proxy_set_header Connection $http_connection;",
        f"    auth_request {PREFIX}/auth/nginx;",
        "    error_page 401 = @sso;",
        "    auth_request_set $sso_cookie $upstream_http_set_cookie;",
        "    add_header Set-Cookie $sso_cookie;",
        *taken,
        *told,
        "}",
        f"location {PREFIX} {{",
        f"    proxy_pass {asking.outpost}{PREFIX};",
        *(["    proxy_ssl_server_name on;"] if asking.outpost.startswith("https://") else []),
        asked[4:],
        "    proxy_set_header X-Forwarded-Host $http_host;",
        "    proxy_set_header X-Forwarded-Proto $scheme;",
        "    proxy_set_header X-Original-URL $scheme://$http_host$request_uri;",
        "    proxy_pass_request_body off;",
        '    proxy_set_header Content-Length "";',
        "    proxy_buffer_size 32k;",
        "    proxy_buffers 8 16k;",
        "}",
        "location @sso {",
        "    internal;",
        "    add_header Set-Cookie $sso_cookie;",
        f"    return 302 {asking.login}{PREFIX}/start?rd=$scheme://$http_host$request_uri;",
        "}",
    ])  # fmt: skip


def _traefik(asking: Asking) -> str:
    passed = [f"          - {name}" for name in asking.passed]
    return "\n".join([
        "http:",
        "  middlewares:",
        "    sso:",
        "      forwardAuth:",
        f"        address: {asking.outpost}{PREFIX}/auth/traefik",
        "        authResponseHeaders:",
        *passed,
        "  routers:",
        "    app:",
        f"      rule: Host(`{asking.host}`)",
        "      middlewares: [sso]",
        "      service: app",
        "    sso:",
        f"      rule: Host(`{asking.host}`) && PathPrefix(`{PREFIX}/`)",
        "      service: sso",
        "  services:",
        "    app:",
        "      loadBalancer:",
        f"        servers: [{{url: '{APP}'}}]",
        "    sso:",
        "      loadBalancer:",
        *(["        passHostHeader: false"] if asking.own_host else []),
        f"        servers: [{{url: '{asking.outpost}'}}]",
    ])  # fmt: skip


def _caddy(asking: Asking) -> str:
    host = ["            header_up Host {upstream_hostport}"] if asking.own_host else []
    return "\n".join([
        f"{asking.host} {{",
        "    route {",
        "        request_header -X-Authentik-*",
        f"        reverse_proxy {PREFIX}/* {asking.outpost} {{",
        *host,
        "        }",
        f"        forward_auth {asking.outpost} {{",
        f"            uri {PREFIX}/auth/caddy",
        *host,
        f"            copy_headers {' '.join(_capitalized(name) for name in asking.passed)}",
        "        }",
        f"        reverse_proxy {APP}",
        "    }",
        "}",
    ])  # fmt: skip


def _capitalized(name: str) -> str:
    """Caddy finds a header only as Go writes it."""
    return "-".join(part.capitalize() for part in name.split("-"))
