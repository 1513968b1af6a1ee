"""What an app behind authentik's proxy may be told besides what every app may."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from components.settings.app_oidc import Consented, Tokens
from components.settings.base import Model
from components.settings.forms import Domain, OpenPath


class BasicAuth(Model):
    """A user name and password that authentik hands to the app (HTTP Basic); `true` for attributes named after it."""

    user_attribute: Annotated[str, Field(min_length=1)]
    """The attribute of the person, or of one of their groups, that has the user name. `basicAuth: true` takes
    `<app>_username`."""

    password_attribute: Annotated[str, Field(min_length=1)]
    """The one that has the password; `basicAuth: true` takes `<app>_password`."""


def _switch(value: Any) -> Any:
    """The engine hands true and false out as texts where they stand alone."""
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


class ProxySettings(Tokens, Consented):
    """With `protocol: proxy` (authentik stands in front of an app that has no login of its own)."""

    mode: Literal["proxy", "forward_single", "forward_domain"] = "proxy"
    """proxy (all requests go through authentik), or a web server of your own asks authentik about each request:
    forward_single (for this app), forward_domain (for all that is below `cookieDomain`)."""

    cookie_domain: Domain | None = None
    """The domain that one login counts for, with `mode: forward_domain`."""

    skip_path_regex: tuple[OpenPath, ...] = ()
    """Paths that everybody may reach without a login, as regular expressions: `^/api/`. The app must not believe
    X-authentik-* headers there: nobody has looked who sends them."""

    basic_auth: Annotated[bool | BasicAuth, BeforeValidator(_switch)] = False
    """Whether authentik logs in to the app by HTTP Basic, with a user name and password of the person's attributes."""

    intercept_header_auth: bool = True
    """Whether authentik looks at Authorization headers itself; false hands them to the app."""

    verify_upstream: bool = True
    """Whether the certificate of an `https://` upstream is looked at."""
