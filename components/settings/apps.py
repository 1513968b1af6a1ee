"""An app: something that people log in to through authentik."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from components.settings.base import Model
from components.settings.forms import AppId, OriginUrl, RedirectUri, Upstream, Url
from components.settings.presets import presets

KEY = " key"  # not a name that a stack file could use
Protocol = Literal["oidc", "proxy"]


class App(Model):
    """One app. `preset` for a well-known one, `protocol` for any other."""

    key: Annotated[str, Field(alias=KEY, exclude=True)]
    """The name that the app has in the stack file, and its slug at authentik."""

    id_setting: Annotated[AppId | None, Field(alias="id")] = None
    """What its client id and secret are derived from; defaults to its key. Set it when you rename an app."""

    name: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """What people see on authentik's start page; defaults to the preset's name or to the key."""

    preset: str | None = None
    """A well-known app: gatehouse knows its redirect URIs and scopes."""

    protocol: Protocol | None = None
    """oidc (OpenID Connect) or proxy (authentik stands in front of an app that has no login of its own)."""

    url: OriginUrl
    """Where people open the app: https, no slash at the end."""

    groups: tuple[str, ...] = ()
    """Whose people may use it, each declared in `groups`; without any, everybody who has an account."""

    redirect_uris: tuple[RedirectUri, ...] = ()
    """Where authentik may send people back to (oidc), all on the app's URL; in place of the preset's."""

    upstream: Upstream | None = None
    """Where the proxy reaches the app: http://dashboard:8080 for a container `dashboard` of the box's Docker network
    `gatehouse`, or another machine. With it, gatehouse serves the app's URL."""

    scopes: tuple[Literal["openid", "email", "profile", "offline_access", "entitlements"], ...] | None = None
    """What the app may ask for (oidc); in place of the preset's."""

    client_type: Literal["confidential", "public"] = "confidential"
    """public for an app that cannot keep a secret (in a browser or on a telephone): it uses PKCE instead."""

    issuer: Url | None = None
    """The issuer that the app is configured with already; it is only compared with what it will be."""

    launch_url: Url | None = None
    """Where authentik's start page leads to; defaults to `url`."""

    icon: Url | None = None
    """A picture for authentik's start page."""

    adopt: bool = False
    """Whether provider and application of this name that exist already may be taken over."""

    @property
    def id(self) -> str:
        """What the app's secrets are derived from."""
        return self.id_setting or self.key

    @property
    def speaks(self) -> Protocol:
        """The app's protocol: its own, or its preset's."""
        return self.protocol or (presets()[self.preset].protocol if self.preset else "oidc")
