"""The bench's DNS, asked over UDP and TCP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.reversename
import httpx
import pytest

from bench.clouds.serving import Clouds
from bench.clouds.testing import client_of, make
from bench.tests.clouds.test_cloudflare import RECORDS, record
from bench.tests.clouds.test_hetzner import boot

Ask = Callable[..., dns.message.Message]


@pytest.fixture
def clouds(tmp_path: Path) -> Iterator[Clouds]:
    own = {"registry.example": "203.0.113.1", "six.registry.example": "2001:db8::1"}
    with make(tmp_path, own_names=own).running() as running:
        yield running


@pytest.fixture
def ask(clouds: Clouds) -> Ask:
    def question(name: str, kind: str = "A", *, tcp: bool = False) -> dns.message.Message:
        host, port = clouds.dns[0]
        send = dns.query.tcp if tcp else dns.query.udp
        return send(dns.message.make_query(name, kind), host, port=port, timeout=2)

    return question


def answers(message: dns.message.Message) -> list[str]:
    return sorted(item.to_text() for rrset in message.answer for item in rrset)


def test_records_are_answered_as_they_are_now(cloudflare: httpx.Client, ask: Ask) -> None:
    assert ask("auth.demo.example").rcode() == dns.rcode.NXDOMAIN
    made = cloudflare.post(RECORDS, json=record()).json()["result"]
    for tcp in (False, True):
        message = ask("AUTH.demo.example", tcp=tcp)
        assert answers(message) == ["203.0.113.10"]
        assert message.answer[0].ttl == 60
        assert message.flags & dns.flags.AA
    cloudflare.delete(f"{RECORDS}/{made['id']}")
    assert ask("auth.demo.example").rcode() == dns.rcode.NXDOMAIN


def test_all_types_are_answered(cloudflare: httpx.Client, ask: Ask) -> None:
    long = "v=DKIM1; p=" + "A" * 400
    for body in (
        record(content="203.0.113.10"),
        record(content="203.0.113.11"),
        record(type="AAAA", content="2001:db8:0:c::1"),
        record(type="TXT", name="_mail", content=long),
        record(type="CNAME", name="alias", content="auth.demo.example"),
        record(type="MX", name="@", content="mx.demo.example", priority=10),
        record(
            type="CAA", name="@", content=None, data={"flags": 0, "tag": "issue", "value": "letsencrypt.org"}
        ),
    ):
        assert cloudflare.post(RECORDS, json=body).status_code == 200, body
    assert answers(ask("auth.demo.example")) == ["203.0.113.10", "203.0.113.11"]
    assert answers(ask("auth.demo.example", "AAAA")) == ["2001:db8:0:c::1"]
    text = ask("_mail.demo.example", "TXT").answer[0][0]
    assert b"".join(text.strings).decode() == long
    assert answers(ask("alias.demo.example")) == ["203.0.113.10", "203.0.113.11", "auth.demo.example."]
    assert answers(ask("alias.demo.example", "CNAME")) == ["auth.demo.example."]
    assert answers(ask("demo.example", "MX")) == ["10 mx.demo.example."]
    assert answers(ask("demo.example", "CAA")) == ['0 issue "letsencrypt.org"']


def test_wildcards_hold_below_names_that_do_not_exist(cloudflare: httpx.Client, ask: Ask) -> None:
    cloudflare.post(RECORDS, json=record(name="*"))
    cloudflare.post(RECORDS, json=record(name="deep.there", content="203.0.113.20"))
    assert answers(ask("grafana.demo.example")) == ["203.0.113.10"]
    assert answers(ask("a.b.demo.example")) == ["203.0.113.10"]
    assert answers(ask("there.demo.example")) == []  # exists, as something is below it
    assert ask("there.demo.example").rcode() == dns.rcode.NOERROR
    assert ask("other.there.demo.example").rcode() == dns.rcode.NXDOMAIN


def test_nothing_else_has_an_answer(cloudflare: httpx.Client, ask: Ask) -> None:
    cloudflare.post(RECORDS, json=record())
    nothing = ask("auth.demo.example", "AAAA")
    assert (nothing.rcode(), answers(nothing)) == (dns.rcode.NOERROR, [])
    assert nothing.authority[0].to_text().startswith("demo.example. 300 IN SOA")
    for name in ("example.com", "notdemo.example", "a.registry.example"):
        assert ask(name).rcode() == dns.rcode.NXDOMAIN


def test_the_benchs_own_names(ask: Ask) -> None:
    assert answers(ask("registry.example")) == ["203.0.113.1"]
    assert answers(ask("registry.example", "AAAA")) == []
    assert answers(ask("six.registry.example", "AAAA")) == ["2001:db8::1"]


def test_a_proxied_record_is_refused_with_the_reason(cloudflare: httpx.Client, ask: Ask) -> None:
    cloudflare.post(RECORDS, json=record(proxied=True, ttl=1))
    message = ask("auth.demo.example")
    assert message.rcode() == dns.rcode.SERVFAIL
    assert "does not stand in for Cloudflare's proxy" in str(message.options[0])


def test_reverse_names_are_those_of_hetzner(clouds: Clouds, ask: Ask) -> None:
    server = boot(client_of(clouds))
    ip = server.public_net.ipv4.ip
    where = dns.reversename.from_address(ip).to_text()
    assert ask(where, "PTR").rcode() == dns.rcode.NXDOMAIN
    server.change_dns_ptr(ip, "auth.demo.example").wait_until_finished()
    assert answers(ask(where, "PTR")) == ["auth.demo.example."]


def test_rubbish_is_survived(clouds: Clouds, ask: Ask) -> None:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"rubbish", clouds.dns[0])
        sender.sendto(b"", clouds.dns[0])
    assert answers(ask("registry.example")) == ["203.0.113.1"]
