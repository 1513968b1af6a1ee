"""What an app behind authentik's proxy may be told besides what every app may."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from components.settings.app_oidc import Consented, Tokens
from components.settings.base import Model, wrong
from components.settings.forms import Domain


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


def _open_path(value: str) -> str:
    """A path that needs no login. authentik's outpost finds it anywhere in the path, with Go's regular expressions."""
    try:
        pattern = re.compile(value)
    except re.error as error:
        raise wrong(f"{value!r} is not a regular expression ({error})", "Correct it") from None
    if re.search(r"\(\?[=!<]|\\[1-9]", value):
        raise wrong(
            f"{value!r} looks ahead, behind or back, which authentik's outpost cannot",
            "Write it without (?=, (?!, (?< and \\1",
        )
    if all(pattern.search(path) for path in ("/", "/p7x/q3z")):
        raise wrong(
            f"{value!r} opens the whole app to everybody, without a login",
            "Name the paths that are to be open, such as ^/api/, or take it out",
        )
    return value


OpenPath = Annotated[str, AfterValidator(_open_path)]


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
