"""Puts one emulator together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.control import Control
from bench.npm import settings, users
from bench.npm.app import build
from bench.npm.auth import Tokens
from bench.npm.certbot import Certbot
from bench.npm.host_conf import Writer
from bench.npm.layout import Layout
from bench.npm.manager import Manager
from bench.npm.nginx import Nginx
from bench.npm.store import Store

HTTP2_DIRECTIVE_SINCE = (1, 25, 1)


@dataclass
class Emulator:
    """What `start` brought up: `app` to serve, `manager` behind it, `close` at the end."""

    app: Control
    manager: Manager

    def close(self) -> None:
        """End nginx and close the store."""
        self.manager.nginx.stop()
        self.manager.store.close()


def start(
    layout: Layout, nginx: Path | None, environment: Mapping[str, str], *, control: bool | None = None
) -> Emulator:
    """Bring up nginx and the API's state.

    Read from the environment: INITIAL_ADMIN_EMAIL and INITIAL_ADMIN_PASSWORD (at the first start only);
    GATEHOUSE_BENCH_CA_CERT, the certificate of the authority that signs (its key lies beside it), without
    which every request for a certificate fails; GATEHOUSE_BENCH_CLOUDFLARE, the base URL of the API that
    DNS challenges are checked at, without which any well-formed token is accepted.
    """
    layout.make()
    store = Store(layout.data / "database.sqlite")
    users.first_start(
        store, environment.get("INITIAL_ADMIN_EMAIL"), environment.get("INITIAL_ADMIN_PASSWORD")
    )
    server = Nginx(layout, nginx)
    authority = environment.get("GATEHOUSE_BENCH_CA_CERT")
    manager = Manager(
        layout=layout,
        store=store,
        tokens=Tokens(store, layout.data / "keys.pem"),
        nginx=server,
        certbot=Certbot(
            layout,
            authority=Path(authority) if authority else None,
            cloudflare=environment.get("GATEHOUSE_BENCH_CLOUDFLARE") or None,
        ),
        writer=Writer(layout, http2_directive=server.version() >= HTTP2_DIRECTIVE_SINCE),
    )
    server.prepare()
    settings.lay_down(manager)
    server.start()
    return Emulator(Control(build(manager), enabled=control), manager)
