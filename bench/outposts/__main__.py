"""python -m bench.outposts ldap|radius [healthcheck]: what the images run as /ldap and /radius."""

from __future__ import annotations

import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import URLError
from urllib.request import urlopen

import httpx

from bench.outposts import ldap, radius
from bench.outposts.authentik import Authentik
from bench.outposts.listen import place

PING = "/outpost.goauthentik.io/ping"
SERVERS = {"ldap": ldap.servers, "radius": radius.servers}


class Ping(BaseHTTPRequestHandler):
    """What the health check asks."""

    def do_GET(self) -> None:
        """204 for as long as the outpost runs."""
        self.send_response(204 if self.path == PING else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing worth a line."""


def healthcheck() -> int:
    """Whether the outpost in this container runs."""
    try:
        urlopen(f"http://127.0.0.1:{place('METRICS')[1]}{PING}", timeout=10).close()
    except (URLError, OSError) as error:
        print(f"unhealthy: {error}", file=sys.stderr)
        return 1
    return 0


def main(kind: str, *rest: str) -> int:
    """Serve; nothing listens before authentik has taken the token and says what this outpost is."""
    if rest == ("healthcheck",):
        return healthcheck()
    authentik = Authentik(os.environ["AUTHENTIK_HOST"], os.environ["AUTHENTIK_TOKEN"], kind)
    while True:
        try:
            print(f"serving as {authentik.name()!r}", flush=True)
            break
        except (httpx.HTTPError, LookupError) as error:
            print(f"authentik does not let us in yet: {error}", flush=True)
            time.sleep(3)
    for server in SERVERS[kind](authentik):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    ThreadingHTTPServer(place("METRICS"), Ping).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
