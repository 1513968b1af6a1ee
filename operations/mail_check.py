"""`gatehouse mail-check`: sends one mail as authentik would, and waits for the mail server's word.

It goes from this machine, not from the box: what the mail server says of the account, the sender and the recipient is
the same; whether the box reaches the server's port, only a mail of authentik's own shows.
"""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import make_msgid

from pydantic import SecretStr

from components.settings.mail import Email
from operations.errors import OperatorError

PATIENCE = 20.0
"""Seconds for each answer of the mail server's."""


def send(email: Email, recipient: str, client: str, context: ssl.SSLContext | None = None) -> str:
    """Send the mail; what the server said of it. Raises an OperatorError that says at which step it ended."""
    message = EmailMessage()
    message["Subject"] = f"gatehouse: a mail for {client}"
    message["From"], message["To"], message["Message-ID"] = email.sender, recipient, make_msgid()
    message.set_content("This mail shows that the mail server takes what authentik sends.\n")
    context = context or ssl.create_default_context()
    step = "is reached"
    try:
        with _connected(email, context) as server:
            step = "speaks STARTTLS"
            server.ehlo()
            if email.tls == "starttls":
                server.starttls(context=context)
                server.ehlo()
            step = "takes the account"
            if email.username is not None:
                server.login(_clear(email.username), _clear(email.password or ""))
            step = "takes the mail"
            server.mail(email.sender)
            code, words = server.rcpt(recipient)
            if code in (250, 251):
                code, words = server.data(message.as_bytes())
            if code not in (250, 251):
                raise smtplib.SMTPResponseException(code, words)
            return words.decode(errors="replace")
    except ssl.SSLError as error:
        raise _failed(email, "speaks TLS", str(error.reason or error)) from None
    except smtplib.SMTPResponseException as error:
        told = error.smtp_error
        answer = told.decode(errors="replace") if isinstance(told, bytes) else str(told)
        raise _failed(email, step, f"{error.smtp_code} {answer}") from None
    except (smtplib.SMTPException, OSError) as error:
        raise _failed(email, step, str(error) or type(error).__name__) from None


def _connected(email: Email, context: ssl.SSLContext) -> smtplib.SMTP:
    if email.tls == "tls":
        return smtplib.SMTP_SSL(email.host, email.port, timeout=PATIENCE, context=context)
    return smtplib.SMTP(email.host, email.port, timeout=PATIENCE)


def _clear(value: SecretStr | str) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _failed(email: Email, step: str, why: str) -> OperatorError:
    remedies = {
        "is reached": "Check email.host, email.port and email.tls (starttls with 587, tls with 465), and that this "
        "machine may reach that port",
        "speaks TLS": "See that the server's certificate is for email.host and from an authority that is believed, and "
        "that email.tls fits the port (starttls with 587, tls with 465)",
        "speaks STARTTLS": "Write email.tls: tls where the port is 465, or none for a relay on a private network",
        "takes the account": "Check email.username and email.password with who runs the mail server",
        "takes the mail": "See what the mail server says: email.from must be an address that the account may send from",
    }
    return OperatorError(
        f"{email.host}:{email.port} was asked whether it {step}, and no: {why}.", f"{remedies[step]}."
    )
