"""The bench's DNS: what Cloudflare's zones say, the bench's own names, and nothing else (NXDOMAIN)."""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import logging
import struct
from collections.abc import Callable, Iterable
from typing import cast

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import dns.rrset

from bench.clouds.cloudflare.records import rdata
from bench.clouds.store import Record

log = logging.getLogger(__name__)
AUTOMATIC_TTL = 300  # seconds; what Cloudflare's ttl 1 stands for
_CHAIN = 8
_ATTEMPTS = 20


class Names:
    """Answers questions from live state."""

    def __init__(
        self,
        zones: Callable[[], Iterable[str]],
        records: Callable[[], Iterable[Record]],
        pointers: Callable[[], dict[str, str]],
        own: dict[str, str],
    ) -> None:
        """`pointers` gives the reverse names by address, `own` the bench's names with their address."""
        self.zones, self.records, self.pointers = zones, records, pointers
        self.own = {name.rstrip(".").lower(): str(ipaddress.ip_address(ip)) for name, ip in own.items()}

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        """The response to a query."""
        response = dns.message.make_response(query, recursion_available=True)
        if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
            response.set_rcode(dns.rcode.NOTIMP)
            return response
        question = query.question[0]
        self._follow(response, question.name, question.rdtype)
        return response

    def _follow(
        self, response: dns.message.Message, name: dns.name.Name, kind: dns.rdatatype.RdataType
    ) -> None:
        for _ in range(_CHAIN):
            text = name.to_text(omit_final_dot=True).lower()
            zone = self._zone(text)
            if zone:
                response.flags |= dns.flags.AA
            found = self._found(text, zone)
            if found is None:
                # The name ends here: with the rest of a chain resolved, or as one that does not exist.
                response.set_rcode(dns.rcode.NXDOMAIN)
                break
            if any(r["proxied"] for r in found):
                response.set_rcode(dns.rcode.SERVFAIL)
                reason = "the bench does not stand in for Cloudflare's proxy: this record is proxied"
                response.use_edns(options=[dns.edns.EDEOption(dns.edns.EDECode.NOT_SUPPORTED, reason)])
                log.warning("%s: %s", text, reason)
                return
            fitting = [r for r in found if r["type"] in (dns.rdatatype.to_text(kind), "CNAME")]
            for record in fitting:
                ttl = AUTOMATIC_TTL if record["ttl"] == 1 else record["ttl"]
                response.answer.append(dns.rrset.from_rdata(name, ttl, rdata(record)))
            alias = next((r for r in fitting if r["type"] == "CNAME"), None)
            if alias is None or kind == dns.rdatatype.CNAME:
                break
            name = dns.name.from_text(alias["content"])
        if zone and not response.answer:
            soa = f"ada.ns.cloudflare.com. dns.cloudflare.com. 1 10000 2400 604800 {AUTOMATIC_TTL}"
            response.authority.append(dns.rrset.from_text(f"{zone}.", AUTOMATIC_TTL, "IN", "SOA", soa))

    def _zone(self, name: str) -> str | None:
        fitting = [z for z in self.zones() if name == z or name.endswith(f".{z}")]
        return max(fitting, key=len, default=None)

    def _found(self, name: str, zone: str | None) -> list[Record] | None:
        """The records of a name; empty for one that exists without records, None for one that does not."""
        if name in self.own:
            address = self.own[name]
            kind = "A" if ipaddress.ip_address(address).version == 4 else "AAAA"
            return [{"type": kind, "content": address, "ttl": 60, "proxied": False}]
        if name.endswith(".arpa"):
            pointers = {
                dns.reversename.from_address(ip).to_text(True): n for ip, n in self.pointers().items()
            }
            if name not in pointers:
                return None
            return [{"type": "PTR", "content": f"{pointers[name]}.", "ttl": 60, "proxied": False}]
        if zone is None:
            return None
        records = list(self.records())
        exact = [r for r in records if r["name"] == name]
        if exact or name == zone or any(r["name"].endswith(f".{name}") for r in records):
            return exact
        parent = name.partition(".")[2]
        while len(parent) >= len(zone):
            wild = [r for r in records if r["name"] == f"*.{parent}"]
            if wild:
                return wild
            if any(r["name"] == parent or r["name"].endswith(f".{parent}") for r in records):
                break  # an existing name between hides the wildcards above it (RFC 4592)
            parent = parent.partition(".")[2]
        return None

    def respond(self, wire: bytes, limit: int | None) -> bytes | None:
        """The reply to a packet; `limit` is the largest that UDP may carry without EDNS."""
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        if query.flags & dns.flags.QR:
            return None
        try:
            response = self.answer(query)
        except Exception:
            log.exception("%s", query.question)
            response = dns.message.make_response(query)
            response.set_rcode(dns.rcode.SERVFAIL)
        largest = 65535 if limit is None else max(limit, query.payload)
        try:
            return response.to_wire(max_size=largest)
        except dns.exception.TooBig:
            short = dns.message.make_response(query)
            short.flags |= dns.flags.TC
            return short.to_wire()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, names: Names) -> None:
        self.names = names
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)  # the loop's class is not derived from it

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        reply = self.names.respond(data, 512)
        if reply is not None and self.transport is not None:
            self.transport.sendto(reply, addr)


async def _talk(names: Names, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One TCP connection: each message has its length before it."""
    try:
        while True:
            size = struct.unpack("!H", await reader.readexactly(2))[0]
            reply = names.respond(await reader.readexactly(size), None)
            if reply is None:
                break
            writer.write(struct.pack("!H", len(reply)) + reply)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def serve(names: Names, host: str, port: int) -> tuple[int, Callable[[], None]]:
    """Answer on UDP and TCP; returns the port (for port 0: the one that was found) and how to stop."""
    for attempt in range(_ATTEMPTS):
        try:
            return await _serve(names, host, port)
        except OSError:
            if port or attempt == _ATTEMPTS - 1:
                raise  # else the port that one protocol found was taken for the other
    raise AssertionError("the loop returns or raises")


async def _serve(names: Names, host: str, port: int) -> tuple[int, Callable[[], None]]:
    server = await asyncio.start_server(functools.partial(_talk, names), host, port)
    port = server.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    try:
        transport, _ = await loop.create_datagram_endpoint(lambda: _Udp(names), local_addr=(host, port))
    except OSError:
        server.close()
        raise

    def stop() -> None:
        transport.close()
        server.close()

    return port, stop
