"""What an app of SAML may be told besides what every app may."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from components.settings.app_oidc import Consented, Signed
from components.settings.forms import Url

SAML_ATTRIBUTES = ("email", "groups", "name", "upn", "username", "uid", "ms-windowsaccountname")
"""What authentik has mappings for from the start."""


class SamlSettings(Consented, Signed):
    """With `protocol: saml`."""

    acs_url: Url | None = None
    """Where authentik sends people to with its assertion; the app's documentation calls it ACS or callback URL."""

    audience: Annotated[str, Field(min_length=1)] | None = None
    """The app's entity ID, if it looks whether assertions are meant for it."""

    binding: Literal["post", "redirect"] = "post"
    """How the assertion gets there; nearly every app wants post."""

    sign: Literal["assertion", "response", "both", "none"] = "assertion"
    """What authentik signs."""

    verification_key: Annotated[str, Field(min_length=1)] | None = None
    """The name of the certificate that the app signs its requests with; with it, others are refused."""

    name_id: Annotated[str, Field(min_length=1)] | None = None
    """What the app knows a person by: `email`, `username`, `uid`, `upn`, or the name of a SAML property mapping in
    `objects`. Otherwise authentik gives what the app asks for."""

    attributes: tuple[Annotated[str, Field(min_length=1)], ...] | None = None
    """What the assertion says about a person: `email`, `groups`, `name`, `username`, `uid`, `upn`,
    `ms-windowsaccountname`, or names of SAML property mappings in `objects`; all of authentik's own, if not given."""

    slo_url: Url | None = None
    """Where authentik tells the app that somebody has logged out."""
