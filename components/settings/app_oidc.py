"""What an app of OpenID Connect may be told besides what every app may."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from components.settings.base import Model, wrong
from components.settings.forms import ClaimName, ClientId, Duration, Scope, Url
from components.settings.redirects import RedirectUri
from components.settings.secret_forms import Plain, Sealed


class Claim(Model):
    """What one claim of an app's tokens says; a bare value is said of everybody."""

    value: Plain = None
    """The same for everybody: a text, a number, true or false, a list."""

    attribute: Annotated[str, Field(min_length=1)] | None = None
    """The name of an attribute of the person, or of one of their groups; without it the claim is left out."""

    expression: Annotated[str, Field(min_length=1)] | None = None
    """A Python expression, as in authentik's property mappings: `request.user.name.split(' ')[0]`."""

    scope: Scope | None = None
    """The scope that gives it; defaults to the scope that a claim of this name has in authentik, else to profile."""


def _claim(value: Any) -> Any:
    """A bare value is what the claim says; `{expression: …}` and the like say where it comes from."""
    if isinstance(value, Claim):
        return value
    if not isinstance(value, dict):
        if value is None:
            raise wrong(
                "a claim of nothing is no claim", "Give it a value, or {attribute: …} or {expression: …}"
            )
        return {"value": value}
    given = [name for name in ("value", "attribute", "expression") if value.get(name) is not None]
    if len(given) != 1 and set(value) <= {"value", "attribute", "expression", "scope"}:
        raise wrong(
            f"this says {' and '.join(given) or 'not'} what the claim is",
            "Give one of value, attribute or expression",
        )
    return value


ClaimSetting = Annotated[Claim, BeforeValidator(_claim)]


class Tokens(Model):
    """For apps that get tokens of authentik's."""

    access_token_validity: Duration | None = None
    """How long a login at the app lasts without asking authentik again: `hours=4`, `minutes=30`; authentik's default
    is an hour. Longer means that somebody who is locked out stays in for as long."""

    refresh_token_validity: Duration | None = None
    """How long the app may get new tokens by itself (offline_access); authentik's default is 30 days."""


class Consented(Model):
    """For apps that people are sent to by authentik."""

    consent: bool = False
    """Whether people are asked before the app gets to know about them."""

    authorization_flow: Annotated[str, Field(min_length=1)] | None = None
    """The slug of another flow that people go through on their way to the app."""


class Signed(Model):
    """For apps that get something signed by authentik."""

    signing_key: Annotated[str, Field(min_length=1)] | None = None
    """The name of the certificate that authentik signs with; defaults to its own. `none` (oidc alone): tokens are
    signed with the client secret (HS256)."""

    encryption_key: Annotated[str, Field(min_length=1)] | None = None
    """The name of the certificate that tokens (oidc) or assertions (saml) are encrypted for; otherwise they are
    not."""

    issuer: Url | None = None
    """oidc: the issuer that the app is configured with already; it is only compared with what it will be. saml: the
    entity ID that authentik goes by; defaults to its metadata URL."""


class OidcSettings(Tokens, Consented, Signed):
    """With `protocol: oidc` (OpenID Connect)."""

    redirect_uris: tuple[RedirectUri, ...] = ()
    """Where authentik may send people back to; in place of the preset's. Also schemes of a telephone's app
    (`app.immich:///oauth-callback`) and of programs on one's own machine (`http://localhost:8000`); each is compared
    as it is, unless it is written as `{regex: …}`."""

    post_logout_uris: tuple[RedirectUri, ...] = ()
    """Where authentik may send people once they have logged out at the app, if the app asks for it (from 2026.5 on)."""

    scopes: tuple[Scope, ...] | None = None
    """What the app may ask for, in place of the preset's (openid, email, profile): authentik's own (`offline_access`,
    `entitlements` as well), those of `claims`, and those of scope mappings in `objects`."""

    claims: dict[ClaimName, ClaimSetting] = Field(default_factory=dict)
    """What this app's tokens say besides, or instead of, what authentik's scopes give: `email_verified: true`,
    `policy: {expression: …, scope: minio}`."""

    sub_mode: (
        Literal["hashed_user_id", "user_id", "user_uuid", "user_username", "user_email", "user_upn"] | None
    ) = None
    """What the app knows a person by (the claim `sub`); defaults to the preset's, else to hashed_user_id. user_email
    and user_username make the app take somebody whose address or name changes for somebody else."""

    client_type: Literal["confidential", "public"] = "confidential"
    """public for an app that cannot keep a secret (in a browser or on a telephone): it uses PKCE instead."""

    client_id: ClientId | None = None
    """The client id that the app has already; otherwise it is derived."""

    client_secret: Sealed | None = None
    """The client secret that the app has already; otherwise it is derived."""

    access_code_validity: Duration | None = None
    """How long the app has to fetch its first tokens; authentik's default is a minute."""

    logout_uri: Url | None = None
    """What authentik calls when somebody logs out, so that the app logs them out too."""

    logout_method: Literal["backchannel", "frontchannel"] | None = None
    """backchannel (authentik calls `logoutUri` itself; the default) or frontchannel (the browser does)."""
