"""The LDAP outpost: binds and searches (RFC 4511), on 3389 in clear and on 6636 with TLS."""

from __future__ import annotations

import socketserver
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx

from bench.authentik.crypto import self_signed
from bench.outposts import ber, directory
from bench.outposts.authentik import Authentik, Login, NotAllowed, Row
from bench.outposts.listen import place

SUCCESS, OPERATIONS_ERROR, INVALID_CREDENTIALS, INSUFFICIENT_ACCESS, UNWILLING = 0, 1, 49, 50, 53
BIND, UNBIND, SEARCH, ABANDON, EXTENDED = 0x60, 0x42, 0x63, 0x50, 0x77
ENTRY, DONE, BOUND, EXTENDED_ANSWER = 0x64, 0x65, 0x61, 0x78


class Connection(socketserver.StreamRequestHandler):
    """One client, from its bind on."""

    authentik: Authentik
    bound: tuple[Row, Login] | None = None

    def handle(self) -> None:
        """Answer its messages until it goes."""
        while (body := ber.message(self.rfile)) is not None:
            (_, number), (tag, operation), *_ = ber.elements(body)
            if tag == UNBIND:
                return
            for answer_tag, answer in self.answers(tag, operation):
                self.wfile.write(
                    ber.put(ber.SEQUENCE, ber.put(ber.INTEGER, number), ber.put(answer_tag, answer))
                )

    def answers(self, tag: int, operation: bytes) -> Iterator[tuple[int, bytes]]:
        """The answers to one operation, each with its tag."""
        try:
            if tag == BIND:
                yield BOUND, result(self.bind(operation))
            elif tag == SEARCH:
                yield from self.search(operation)
            elif tag == EXTENDED:
                yield EXTENDED_ANSWER, result(UNWILLING, "the bench's outpost does not do that")
        except (httpx.HTTPError, ValueError) as error:
            print(f"operation 0x{tag:02x}: {error}", flush=True)
            yield (BOUND if tag == BIND else DONE), result(OPERATIONS_ERROR)

    def bind(self, operation: bytes) -> int:
        """Log somebody in to the app whose names theirs is one of."""
        self.bound = None
        _, (_, name), (method, password) = ber.elements(operation)
        if not name and not password:
            return SUCCESS  # nobody, who sees nothing
        if method != 0x80:
            return UNWILLING
        for provider in self.authentik.providers():
            user = directory.username(name.decode(), provider["base_dn"])
            if user is None:
                continue
            try:
                login = self.authentik.log_in(provider, user, password.decode(), self.client_address[0])
            except NotAllowed:
                return INSUFFICIENT_ACCESS
            if login is None:
                return INVALID_CREDENTIALS
            self.bound = provider, login
            return SUCCESS
        return INSUFFICIENT_ACCESS

    def search(self, operation: bytes) -> Iterator[tuple[int, bytes]]:
        """The entries that are asked for, as far as whoever is bound may see them."""
        (_, base), (_, scope), _, _, _, _, (tag, wanted), (_, names) = ber.elements(operation)
        if not base and scope[0] == directory.BASE:
            contexts = [str(each["base_dn"]) for each in self.authentik.providers()]
            yield ENTRY, entry(directory.Entry("", {"objectClass": ["top"], "namingContexts": contexts}), [])
        elif self.bound is None:
            yield DONE, result(INSUFFICIENT_ACCESS)
            return
        else:
            asked = [name.decode() for _, name in ber.elements(names)]
            for each in directory.entries(self.authentik, *self.bound):
                if each.within(base.decode(), scope[0]) and directory.passes(each, tag, wanted):
                    yield ENTRY, entry(each, asked)
        yield DONE, result(SUCCESS)


def result(code: int, text: str = "") -> bytes:
    """How an operation ended."""
    return ber.number(code, ber.ENUMERATED) + ber.put(ber.OCTETS) + ber.put(ber.OCTETS, text)


def entry(found: directory.Entry, asked: list[str]) -> bytes:
    """An entry as it is sent, with the attributes that are asked for: all where none are, or `*`."""
    wanted = {name.lower() for name in asked}
    shown = [
        ber.put(
            ber.SEQUENCE,
            ber.put(ber.OCTETS, name),
            ber.put(ber.SET, *(ber.put(ber.OCTETS, value) for value in values)),
        )
        for name, values in found.attributes.items()
        if values and (not wanted or "*" in wanted or name.lower() in wanted)
    ]
    return ber.put(ber.OCTETS, found.dn) + ber.put(ber.SEQUENCE, *shown)


class Server(socketserver.ThreadingTCPServer):
    """One of the two ports."""

    allow_reuse_address = True
    daemon_threads = True


def servers(authentik: Authentik) -> list[socketserver.BaseServer]:
    """What listens on both ports."""
    handler = type("Bound", (Connection,), {"authentik": authentik})
    secure = Server(place("LDAPS"), handler)
    secure.socket = _context().wrap_socket(secure.socket, server_side=True, do_handshake_on_connect=False)
    return [Server(place("LDAP"), handler), secure]


def _context() -> ssl.SSLContext:
    """A certificate of its own, as the real one shows without one from authentik."""
    certificate, key = self_signed("ldap", 365, "rsa", "0", ["ldap"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "both.pem"
        path.write_text(key + certificate)
        context.load_cert_chain(path)
    return context
