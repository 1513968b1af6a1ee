"""What an app that speaks LDAP may be told besides what every app may."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from components.settings.app_outposts import OutpostSettings


class LdapSettings(OutpostSettings):
    """With `protocol: ldap`. gatehouse makes an account that the app looks people up with, `ldap-<app>`; `gatehouse
    outputs` shows its name and password."""

    base_dn: Annotated[str, Field(min_length=1)] | None = None
    """Below which names people and groups are found; defaults to `dc=ldap` before the client's domain:
    `dc=ldap,dc=acme,dc=example`."""

    bind_mode: Literal["direct", "cached"] = "direct"
    """direct (each bind is a login at authentik) or cached (faster; who is locked out can bind until the cache
    ends)."""

    search_mode: Literal["direct", "cached"] = "direct"
    """direct (each search asks authentik) or cached."""

    certificate: Annotated[str, Field(min_length=1)] | None = None
    """The name of the certificate that the outpost shows on port 6636; else it makes one at each start, which nobody
    can check."""
