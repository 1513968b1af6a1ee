"""Runs the emulator as the image's only process, or as an ordinary user on high ports.

python -m bench.npm
python -m bench.npm --directory /tmp/npm --listen 127.0.0.1:8181 --http 8080 --https 8443
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import socket
import sys
from pathlib import Path

import uvicorn

from bench.npm.assemble import start
from bench.npm.layout import Layout
from bench.npm.nginx import MODULES, Nginx

LOG = logging.getLogger("bench.npm")


def main() -> None:
    """Serve until a signal ends it."""
    parser = argparse.ArgumentParser(prog="python -m bench.npm", description=__doc__.partition("\n")[0])
    parser.add_argument("--listen", default="0.0.0.0:81", help="where the API listens")
    parser.add_argument("--data", type=Path, default=Path("/data"))
    parser.add_argument(
        "--directory", type=Path, help="keep everything below this directory, nginx on loopback"
    )
    parser.add_argument("--nginx", default="nginx", help="the nginx to run, or 'none'")
    parser.add_argument("--http", type=int, default=80)
    parser.add_argument("--https", type=int, default=443)
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    if options.directory:
        layout = Layout.below(options.directory, http=options.http, https=options.https)
    else:
        layout = Layout(data=options.data, http=options.http, https=options.https, ipv6=_ipv6())
    binary = None if options.nginx == "none" else Nginx.find(options.nginx)
    if binary is None:
        LOG.warning("no nginx: the API answers, and every configuration counts as refused")
    elif not (MODULES / "ngx_http_headers_more_filter_module.so").exists():
        LOG.warning("nginx has no headers-more module: install libnginx-mod-http-headers-more-filter")
    emulator = start(layout, binary, os.environ)
    host, _, port = options.listen.rpartition(":")
    # uvicorn raises the signal that ended it once more; by default that would leave nginx behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        uvicorn.run(emulator.app, host=host, port=int(port), log_level="warning", lifespan="off")
    finally:
        emulator.close()


def _ipv6() -> bool:
    """Whether nginx can listen on IPv6: the machine has it, and DISABLE_IPV6 (as in the real image) is not set."""
    if os.environ.get("DISABLE_IPV6", "").lower() in ("true", "on", "1", "yes"):
        return False
    try:
        with socket.socket(socket.AF_INET6) as one:
            one.bind(("::", 0))
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
