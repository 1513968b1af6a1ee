"""An app: something that people log in to through authentik."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from components.settings.app_access import AccessSettings
from components.settings.app_extras import ExtraFields, Scim
from components.settings.app_ldap import LdapSettings
from components.settings.app_oidc import OidcSettings
from components.settings.app_proxy import ProxySettings
from components.settings.app_radius import RadiusSettings
from components.settings.app_saml import SamlSettings
from components.settings.base import Model
from components.settings.forms import AppId, OriginUrl, Upstream, Url
from components.settings.presets import Preset, presets

KEY = " key"  # not a name that a stack file could use
Protocol = Literal["oidc", "proxy", "saml", "ldap", "radius"]
SETTINGS_OF: Mapping[Protocol, type[Model]] = {
    "oidc": OidcSettings,
    "proxy": ProxySettings,
    "saml": SamlSettings,
    "ldap": LdapSettings,
    "radius": RadiusSettings,
}
"""What an app may be told because of its protocol."""


class App(LdapSettings, RadiusSettings, SamlSettings, ProxySettings, OidcSettings, AccessSettings):
    """One app. `preset` for a well-known one, `protocol` for any other."""

    misnomers: ClassVar[Mapping[str, tuple[str, str]]] = {
        "adminGroups": (
            "whom an app makes an administrator is set in the app, by the names in the claim `groups`",
            "Take it out, and name the group in the app's own settings",
        ),
        "openPaths": ("authentik calls them otherwise", "Write skipPathRegex"),
    }
    """Names that one may look for here, and what is so instead."""

    key: Annotated[str, Field(alias=KEY, exclude=True)]
    """The name that the app has in the stack file, and its slug at authentik."""

    id_setting: Annotated[AppId | None, Field(alias="id")] = None
    """What its client id and secret are derived from; defaults to its key. Set it when you rename an app."""

    name: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """What people see on authentik's start page; defaults to the preset's name or to the key."""

    preset: str | None = None
    """A well-known app: gatehouse knows its redirect URIs and scopes."""

    protocol: Protocol | None = None
    """oidc (OpenID Connect), proxy (authentik stands in front of an app that has no login of its own), saml,
    ldap or radius."""

    url: OriginUrl
    """Where people open the app: https, no slash at the end."""

    upstream: Upstream | None = None
    """Where the app is reached: http://dashboard:8080 for a container `dashboard` of the box's Docker network
    `gatehouse`, or another machine. With it, gatehouse serves the app's URL."""

    launch_url: Url | None = None
    """Where authentik's start page leads to; defaults to `url`."""

    icon: Url | None = None
    """A picture for authentik's start page."""

    description: str | None = None
    """A line about it for authentik's start page."""

    group: str | None = None
    """The heading that it stands under on authentik's start page. Who may use it is said in `groups`."""

    open_in_new_tab: bool = False
    """Whether authentik's start page opens it in a new tab."""

    scim: Scim | None = None
    """A back channel for apps that want accounts made before people come."""

    extra: Annotated[ExtraFields, Field(alias="fields")] = ExtraFields()
    """Single fields of authentik's API that no setting stands for."""

    adopt: bool = False
    """Whether an application of this name that exists already may be taken over, and the provider that it has. Both
    keep what no setting here says; client id and secret must be said if they are others than gatehouse would derive."""

    @property
    def id(self) -> str:
        """What the app's secrets are derived from."""
        return self.id_setting or self.key

    @property
    def bind_account(self) -> str | None:
        """The user name of the account that an LDAP app looks people up with."""
        return f"ldap-{self.key}" if self.speaks == "ldap" else None

    @property
    def well_known(self) -> Preset | None:
        """What is known about the app, if it is a well-known one."""
        return presets()[self.preset] if self.preset else None

    @property
    def speaks(self) -> Protocol:
        """The app's protocol: its own, or its preset's."""
        return self.protocol or (self.well_known.protocol if self.well_known else "oidc")
