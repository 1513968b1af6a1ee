"""What an app that speaks LDAP may be told besides what every app may."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from components.settings.base import Model


class LdapSettings(Model):
    """With `protocol: ldap`. What answers the app is an outpost: a container of authentik's that you run near the app,
    `ghcr.io/goauthentik/ldap`, with AUTHENTIK_HOST and the AUTHENTIK_TOKEN that authentik's page of the outpost
    `gatehouse LDAP` shows. gatehouse declares it and does not run it."""

    base_dn: Annotated[str, Field(min_length=1)] | None = None
    """Below which names people and groups are found; defaults to `dc=ldap` before the client's domain:
    `dc=ldap,dc=acme,dc=example`."""

    bind_mode: Literal["direct", "cached"] = "direct"
    """direct (each bind is a login at authentik) or cached (faster; who is locked out can bind until the cache
    ends)."""

    search_mode: Literal["direct", "cached"] = "direct"
    """direct (each search asks authentik) or cached."""

    bind_flow: Annotated[str, Field(min_length=1)] | None = None
    """The slug of the flow that a bind goes through; defaults to the one that people log in with."""

    mfa: bool = True
    """Whether who has a second factor adds its code to the password, as `password;123456`."""

    certificate: Annotated[str, Field(min_length=1)] | None = None
    """The name of the certificate that the outpost shows on port 6636."""
