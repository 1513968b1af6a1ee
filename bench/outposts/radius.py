"""The RADIUS outpost: passwords in PAP (RFC 2865), with the authenticator of RFC 3579 in each reply."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import socketserver
from collections.abc import Iterator

import httpx

from bench.outposts.authentik import Authentik, NotAllowed, Row
from bench.outposts.listen import place

REQUEST, ACCEPT, REJECT = 1, 2, 3
USER, PASSWORD, MESSAGE_AUTHENTICATOR = 1, 2, 80


def attributes(body: bytes) -> Iterator[tuple[int, bytes]]:
    """(type, value) of each attribute."""
    while len(body) >= 2 and 2 <= body[1] <= len(body):
        yield body[0], body[2 : body[1]]
        body = body[body[1] :]


def clear(hidden: bytes, secret: bytes, authenticator: bytes) -> bytes:
    """The password that a client has hidden."""
    shown, before = b"", authenticator
    for at in range(0, len(hidden), 16):
        block = hidden[at : at + 16]
        key = hashlib.md5(secret + before, usedforsecurity=False).digest()
        shown += bytes(one ^ other for one, other in zip(block, key, strict=False))
        before = block
    return shown.rstrip(b"\0")


def reply(code: int, request: bytes, secret: bytes) -> bytes:
    """An answer to a request, signed twice over."""
    size = 20 + 18
    head = bytes([code, request[1]]) + size.to_bytes(2, "big")
    begun = bytes([MESSAGE_AUTHENTICATOR, 18])
    mark = hmac.new(secret, head + request[4:20] + begun + bytes(16), hashlib.md5).digest()
    signed = hashlib.md5(head + request[4:20] + begun + mark + secret, usedforsecurity=False).digest()
    return head + signed + begun + mark


class Exchange(socketserver.DatagramRequestHandler):
    """One request."""

    authentik: Authentik

    def handle(self) -> None:
        """Answer it; strangers get no answer."""
        request = self.rfile.read()
        address = self.client_address[0]
        try:
            provider = self.provider(address)
            if provider is None or len(request) < 20 or request[0] != REQUEST:
                print(f"dropped what came from {address}", flush=True)
                return
            secret = str(provider["shared_secret"]).encode()
            told = dict(attributes(request[20:]))
            name = told.get(USER, b"").decode()
            password = clear(told.get(PASSWORD, b""), secret, request[4:20]).decode()
            login = self.authentik.log_in(provider, name, password, address)
            self.wfile.write(reply(ACCEPT if login else REJECT, request, secret))
        except NotAllowed:
            self.wfile.write(reply(REJECT, request, secret))
        except (httpx.HTTPError, ValueError) as error:
            print(f"no answer to {address}: {error}", flush=True)

    def provider(self, address: str) -> Row | None:
        """The provider whose networks are the narrowest around a client."""
        around = [
            (network.prefixlen, each["name"], each)
            for each in self.authentik.providers()
            for network in map(ipaddress.ip_network, str(each["client_networks"]).replace(" ", "").split(","))
            if ipaddress.ip_address(address) in network
        ]
        return max(around, key=lambda found: found[0])[2] if around else None


class Server(socketserver.ThreadingUDPServer):
    """The port."""

    allow_reuse_address = True
    daemon_threads = True


def servers(authentik: Authentik) -> list[socketserver.BaseServer]:
    """What listens on the port."""
    return [Server(place("RADIUS"), type("Asked", (Exchange,), {"authentik": authentik}))]
