"""Mail, as the worker sends it: what the server has left is sent, and tried again where the mail server is away."""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import EmailMessage

from bench.authentik.links import EMAIL, MAILS
from bench.authentik.store import Data, Store

LOG = logging.getLogger("bench.authentik.mails")
TEXTS = {
    "email/password_reset.html": "Someone has requested a password reset. To choose a new password, open",
    "email/account_confirmation.html": "Welcome! Your account is ready. To choose a password, open",
}


@dataclass(frozen=True)
class MailServer:
    """Where mail goes, from AUTHENTIK_EMAIL__…"""

    host: str = "localhost"
    port: int = 25
    username: str = ""
    password: str = field(default="", repr=False)
    use_tls: bool = False
    use_ssl: bool = False
    timeout: int = 10
    sender: str = "authentik@localhost"

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> MailServer:
        """The settings of the environment."""

        def read(name: str, usual: str = "") -> str:
            return environment.get(f"AUTHENTIK_EMAIL__{name}", usual)

        return cls(
            read("HOST", "localhost"), int(read("PORT", "25")), read("USERNAME"), read("PASSWORD"),
            read("USE_TLS").lower() == "true", read("USE_SSL").lower() == "true", int(read("TIMEOUT", "10")),
            read("FROM", "authentik@localhost"),
        )  # fmt: skip


def send_waiting(store: Store, server: MailServer) -> None:
    """Send what waits; what can't be sent waits on, a few times."""
    with store.reading():
        waiting = store.all(MAILS)
    for row in waiting:
        with store.reading():
            stage = store.get(EMAIL, row["stage"])
        gone = stage is None or int(row["tries"]) >= 5
        if stage is not None and not gone:
            try:
                deliver(server, stage, row)
                gone = True
            except (OSError, smtplib.SMTPException) as error:
                LOG.warning("mail to %s: %s", row["to"], error)
        with store.writing():
            if gone:
                store.remove(MAILS, row["pk"])
            else:
                store.replace(MAILS, row["pk"], {**row, "tries": int(row["tries"]) + 1})


def deliver(server: MailServer, stage: Data, row: Data) -> None:
    """One mail."""
    message = EmailMessage()
    message["Subject"], message["To"], message["From"] = str(stage["subject"]), str(row["to"]), server.sender
    text = TEXTS.get(str(stage["template"]), "Open")
    message.set_content(f"Hi {row['name']},\n\n{text}\n\n{row['link']}\n")
    kind = smtplib.SMTP_SSL if server.use_ssl else smtplib.SMTP
    with kind(server.host, server.port, timeout=server.timeout) as connection:
        if server.use_tls:
            connection.starttls()
        if server.username:
            connection.login(server.username, server.password)
        connection.send_message(message)
