"""`gatehouse mail-check` against a real mail server on loopback."""

from __future__ import annotations

import ssl
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench import ca
from bench.mail import serving
from bench.plain import free_port
from components.settings.mail import Email
from operations.commands import mail_check
from operations.errors import OperatorError
from operations.mail_check import send
from tests.host.mocks import settings

ACCOUNT = ("acme", "mail-password-0123")
TO = "kim@agency.example"


def email(port: int, tls: str = "none", **more: Any) -> Email:
    known = {"host": "127.0.0.1", "port": port, "tls": tls, "sender": "sso@acme.example"}
    return Email.model_construct(**{"username": None, "password": None, **known, **more})


def contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's, with a certificate of the bench's authority, and that of a machine that believes it."""
    authority, _ = ca.ensure(folder)
    certificate, key = ca.issue(["127.0.0.1"], folder)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    client = ssl.create_default_context(cafile=str(authority))
    client.check_hostname = False  # the bench issues for names, and this one is an address
    return server, client


def test_a_mail_arrives() -> None:
    with serving() as box:
        assert send(email(box.port), TO, "acme") == "queued as 1"
        assert box.to(TO)["Subject"] == "gatehouse: a mail for acme"
        assert box.to(TO)["From"] == "sso@acme.example"


@pytest.mark.parametrize(("tls", "at_once"), [("starttls", False), ("tls", True)])
def test_over_tls_with_an_account(tmp_path: Path, tls: str, at_once: bool) -> None:
    server, client = contexts(tmp_path)
    with serving(ACCOUNT, server, at_once=at_once) as box:
        known = {"username": ACCOUNT[0], "password": ACCOUNT[1]}
        assert send(email(box.port, tls, **known), TO, "acme", client) == "queued as 1"
        with pytest.raises(OperatorError, match=r"takes the account, and no: 535") as caught:
            send(email(box.port, tls, username="acme", password="wrong-0123"), TO, "acme", client)
        assert "email.password" in caught.value.remedy
        assert "wrong-0123" not in str(caught.value)
        with pytest.raises(OperatorError, match="speaks TLS, and no") as caught:
            send(email(box.port, tls, **known), TO, "acme")
        assert "certificate" in str(caught.value)


def test_a_client_that_sends_no_mail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = settings().model_copy(update={"email": None})
    stack = SimpleNamespace(require=lambda: SimpleNamespace(settings=lambda: said))
    monkeypatch.setattr(mail_check, "Stack", lambda _name: stack)
    with pytest.raises(OperatorError, match="Add email: "):
        mail_check.mail_check("acme")
    with serving() as box:
        said = said.model_copy(update={"email": email(box.port)})
        mail_check.mail_check("acme")
        address = said.operators[0].email
        assert capsys.readouterr().out == f"127.0.0.1 took a mail to {address}: queued as 1\n"
        assert box.to(address)


def test_where_it_ends_is_said() -> None:
    with pytest.raises(OperatorError, match=r"is reached, and no: .*refused") as caught:
        send(email(free_port()), TO, "acme")
    assert "email.port" in caught.value.remedy
    with serving() as box:
        with pytest.raises(OperatorError, match="speaks STARTTLS, and no") as caught:
            send(email(box.port, "starttls"), TO, "acme")
        assert "email.tls: tls" in caught.value.remedy
        box.refused.add(TO)
        with pytest.raises(OperatorError, match="takes the mail, and no: 550 no such mailbox") as caught:
            send(email(box.port), TO, "acme")
        assert "email.from" in caught.value.remedy
