"""A mail server for tests: a real one (aiosmtpd), on loopback, that keeps what it is given."""

from __future__ import annotations

import re
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session


class Mailbox:
    """What has arrived. `refused`: recipients that the server does not take."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refused: set[str] = set()
        self.port = 0

    async def handle_RCPT(  # noqa: N802  (aiosmtpd calls it so)
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """One recipient."""
        if address in self.refused:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """One mail."""
        content = envelope.content
        assert isinstance(content, bytes)
        mail: Any = message_from_bytes(content, policy=policy.default)
        self.mails.append(mail)
        return "250 queued as 1"

    def to(self, address: str, patience: float = 30.0) -> EmailMessage:
        """The newest mail to somebody, waited for."""
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            for mail in reversed(self.mails):
                if mail["To"] == address:
                    return mail  # type: ignore[no-any-return]
            time.sleep(0.05)
        raise AssertionError(f"no mail to {address} within {patience:.0f} s")

    def link(self, address: str) -> str:
        """The link in it."""
        text = self.to(address).get_content()
        found = re.search(r"https?://\S+", text)
        assert found, text
        return found[0]


@contextmanager
def serving(
    account: tuple[str, str] | None = None, context: ssl.SSLContext | None = None, *, at_once: bool = False
) -> Iterator[Mailbox]:
    """A mail server. `account`: who may send; `context`: with TLS, after STARTTLS or `at_once`."""
    box = Mailbox()

    def authenticate(_server: Any, _session: Any, _envelope: Any, _how: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        given = (data.login.decode(), data.password.decode())
        return AuthResult(success=given == account, handled=False)

    more: dict[str, Any] = {}
    if account:
        more |= {
            "authenticator": authenticate,
            "auth_required": True,
            "auth_require_tls": context is not None and not at_once,
        }
    if context:
        more |= {"ssl_context": context} if at_once else {"tls_context": context, "require_starttls": True}
    with _free(lambda port: Controller(box, hostname="127.0.0.1", port=port, **more)) as port:
        box.port = port
        yield box


@contextmanager
def _free(make: Callable[[int], Controller]) -> Iterator[int]:
    from bench.plain import free_port  # noqa: PLC0415  (it brings the whole plain world)

    controller = make(free_port())
    controller.start()
    try:
        yield int(controller.port)
    finally:
        controller.stop()
