"""LDAP, for apps that speak nothing newer. What answers them is an outpost of authentik's."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field

from components.problems import Problem
from components.settings.apps import KEPT, AppContext, NoLogin
from components.settings.base import dotted
from components.settings.host import Elsewhere
from components.settings.outposts import Outpost
from components.settings.protocols.common import BY_HAND
from components.settings.protocols.outpost_app import OutpostApp

if TYPE_CHECKING:
    from components.settings.model import Settings


class LdapApp(OutpostApp):
    """With `protocol: ldap`. gatehouse makes an account that the app looks people up with, `ldap-<app>`; `gatehouse
    outputs` shows its name and password."""

    speaks: ClassVar = "ldap"
    words: ClassVar = "speaks ldap"
    provider: ClassVar = "authentik_providers_ldap.ldapprovider"
    provider_settings: ClassVar = {
        "name": KEPT,
        "authorization_flow": ("bind_flow",),
        "base_dn": ("base_dn",),
        "bind_mode": ("bind_mode",),
        "search_mode": ("search_mode",),
        "mfa_support": ("mfa",),
        "certificate": ("certificate",),
    }
    # Plain LDAP (3389) sends passwords in clear: it stays on the box.
    outpost: ClassVar = Outpost("ldap", "tcp", 6636, 636, "ldap://gatehouse-ldap:3389")
    scheme: ClassVar = "ldaps://"

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

    @property
    def bind_account(self) -> str:
        return f"ldap-{self.key}"

    def below(self, settings: Settings) -> str:
        """Below which name it finds people and groups."""
        written = self.base_dn or ",".join(f"dc={part}" for part in ("ldap", *settings.domain.split(".")))
        return ",".join(part.strip() for part in written.split(","))

    def problems(self, settings: Settings) -> Iterator[Problem]:
        yield from self.client_problems(settings)
        if self.clients and isinstance(settings.box, Elsewhere):
            yield Problem(
                dotted("apps", self.key, "clients"),
                "with `box: none` you run the outpost yourself, and gatehouse opens no port",
                "Take it out, and let in whom you like where it runs",
            )
        if self.base_dn is not None and not re.fullmatch(r"\w+=[^,=]+(,\s*\w+=[^,=]+)*", self.base_dn):
            yield Problem(
                dotted("apps", self.key, "baseDn"),
                f"{self.base_dn!r} is not a distinguished name",
                "Write it like dc=ldap,dc=acme,dc=example",
            )
        mine = self.below(settings)
        for other in settings.apps:
            if other.key >= self.key or not isinstance(other, LdapApp):
                continue
            theirs = other.below(settings)
            shorter, longer = sorted((f",{mine.lower()}", f",{theirs.lower()}"), key=len)
            if longer.endswith(shorter):
                # The outpost tells apps apart by the names that are asked for: it would look who may use the wrong one.
                own = ",".join(f"dc={part}" for part in (self.key, *settings.domain.split(".")))
                yield Problem(
                    dotted("apps", self.key, "baseDn"),
                    f"{mine} and {theirs}, that of {other.key}, cannot be told apart",
                    f"Give each LDAP app one of its own, such as baseDn: {own}",
                )
                return

    def provider_fields(self, context: AppContext) -> Mapping[str, Any]:
        return {
            **self.flows(),
            "base_dn": self.below(context.settings),
            "bind_mode": self.bind_mode,
            "search_mode": self.search_mode,
            "mfa_support": self.mfa,
            "certificate": self.certificate,
        }

    def connection(self, context: AppContext) -> Mapping[str, str]:
        """Where the outpost answers, and as whom the app looks people up there."""
        below = self.below(context.settings)
        return {
            **self.address(context),
            "baseDn": below,
            "bindDn": f"cn={self.bind_account},ou=users,{below}",
        }

    def endpoints(self, context: AppContext) -> Mapping[str, Any]:
        below, url = self.below(context.settings), self.outpost_url(context)
        parts = urlsplit(url)
        return {
            "ldap_url": url,
            "ldap_host": parts.hostname,
            "ldap_port": parts.port,
            "ldap_tls": parts.scheme == "ldaps",
            "base_dn": below,
            "users_dn": f"ou=users,{below}",
            "groups_dn": f"ou=groups,{below}",
            "bind_dn": f"cn={self.bind_account},ou=users,{below}",
        }

    def secret_outputs(self) -> Mapping[str, str]:
        """The password of the account that looks people up."""
        return {"bindPasswords": f"app/{self.id}/bind-password"}

    def login(self, _: AppContext) -> NoLogin:
        return NoLogin(BY_HAND.format("LDAP"))
