"""How authentik sends mail."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from components.settings.base import Model
from components.settings.forms import EmailAddress, Host
from components.settings.secret_forms import MaybeSealed, Sealed


class Email(Model):
    """The mail server that authentik sends invitations and password resets through."""

    host: Host
    """The mail server's name."""

    port: Annotated[int, Field(ge=1, le=65535)] = 587
    """Its submission port."""

    tls: Literal["starttls", "tls", "none"] = "starttls"
    """starttls (port 587), tls from the first byte (port 465), or none (a relay on a private network)."""

    username: MaybeSealed | None = None
    """The account there, in clear or secure."""

    password: Sealed | None = None
    """The account's password."""

    sender: Annotated[EmailAddress, Field(alias="from")]
    """The address that mail comes from."""
