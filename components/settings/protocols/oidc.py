"""OpenID Connect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field
from pydantic.alias_generators import to_snake

from components.problems import Problem, nearest, warning
from components.release_lines import sort_key
from components.secrets import SecretError, check_override
from components.settings.apps import AppContext, NoLogin, OidcLogin, OwnObject
from components.settings.base import dotted
from components.settings.forms import ClaimName, ClientId, Duration, Scope, Url
from components.settings.protocols import claims as own_claims
from components.settings.protocols.claims import Claim, Claims, ClaimSetting
from components.settings.protocols.common import (
    CONSENTED,
    SIGNING_KEY,
    TOKENS,
    ConsentedApp,
    Signed,
    Tokens,
    since,
)
from components.settings.redirects import RedirectUri, RegexUri, redirect_advice
from components.settings.scopes import OWN_SCOPES, SCOPE_MAPPING, WITH_PROFILE, raw_scopes
from components.settings.secret_forms import Sealed

if TYPE_CHECKING:
    from components.settings.model import Settings

_SCOPE = "goauthentik.io/providers/oauth2/scope-{}"
# Settings that go to authentik as they are, and only where they are written: it has defaults of its own.
_PLAIN = ("access_code_validity", "access_token_validity", "refresh_token_validity", "encryption_key")


class OidcApp(ConsentedApp, Tokens, Signed):
    """With `protocol: oidc` (OpenID Connect)."""

    speaks: ClassVar = "oidc"
    words: ClassVar = "speaks oidc"
    provider: ClassVar = "authentik_providers_oauth2.oauth2provider"
    provider_settings: ClassVar = (
        CONSENTED
        | TOKENS
        | {
            "client_type": ("client_type",),
            "client_id": ("client_id",),
            "client_secret": ("client_secret",),
            "redirect_uris": ("redirect_uris", "post_logout_uris"),
            "property_mappings": ("scopes", "claims", "roles", "roles_claim"),
            "sub_mode": ("sub_mode",),
            "access_code_validity": ("access_code_validity",),
            "signing_key": ("signing_key",),
            "encryption_key": ("encryption_key",),
            "logout_uri": ("logout_uri",),
            "backchannel_logout_uri": ("logout_uri",),
            "logout_method": ("logout_method",),
        }
    )

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

    roles_claim: ClaimName = "roles"
    """The claim that says what somebody is in the app, a list of `roles`; it comes with the scope profile."""

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

    @property
    def all_claims(self) -> Claims:
        """Its claims, with the one that says what people are in it."""
        roles = Claim(expression=own_claims.ENTITLEMENTS, scope="profile")
        return {**({self.roles_claim: roles} if self.roles else {}), **self.claims}

    @property
    def requested_scopes(self) -> tuple[str, ...]:
        """What it may ask for: what it lists, or what every app has, and the scopes of its claims."""
        listed = self.scopes or ("openid", "email", "profile")
        return tuple(dict.fromkeys([*listed, *own_claims.scopes(self.all_claims)]))

    @property
    def overrides(self) -> Mapping[str, str]:
        there = {
            "client-id": self.client_id,
            "client-secret": self.client_secret.get_secret_value() if self.client_secret else None,
        }
        return {name: value for name, value in there.items() if value is not None}

    def problems(self, settings: Settings) -> Iterator[Problem]:
        path = ("apps", self.key)
        if not self.redirect_uris:
            yield Problem(
                dotted(*path, "redirectUris"),
                "an oidc app needs at least one",
                f"Add what the app's documentation names, such as [{self.url}/oauth2/callback]",
            )
        if "post_logout_uris" in self.model_fields_set and sort_key(settings.authentik.line) < sort_key(
            "2026.5"
        ):
            yield Problem(
                dotted(*path, "postLogoutUris"),
                f"authentik {settings.authentik.line} sends nobody back after a logout",
                "Take it out, or take a version of 2026.5 or newer",
            )
        known = [
            *OWN_SCOPES,
            *WITH_PROFILE,
            *raw_scopes(settings),
            *own_claims.scopes(self.all_claims),
        ]
        for index, scope in enumerate(self.scopes or ()):
            if scope not in known:
                yield Problem(
                    dotted(*path, "scopes", index),
                    f"nothing gives the scope {scope!r}",
                    nearest(scope, known)
                    or "Say in claims what it gives, such as "
                    f"claims: {{{scope}: {{attribute: {scope}, scope: {scope}}}}}",
                )
            elif scope in WITH_PROFILE and "profile" not in self.requested_scopes:
                yield Problem(
                    dotted(*path, "scopes", index),
                    f"authentik gives {scope} with the scope profile",
                    "Add profile",
                )
        for name, claim in self.claims.items():
            if claim.expression is not None and (problem := own_claims.expression_problem(claim.expression)):
                yield Problem(dotted(*path, "claims", name, "expression"), *problem)
        yield from self._client_problems(settings)
        if self.signing_key == "none" and self.client_type == "public":
            yield Problem(
                dotted(*path, "signingKey"),
                "without it tokens are signed with the client secret, and a public app has none",
                "Take it out, or write the name of a certificate",
            )
        if self.logout_method and not self.logout_uri:
            yield Problem(dotted(*path, "logoutMethod"), "there is no logoutUri to call", "Add logoutUri")
        by_browser = "logout_method" in self.model_fields_set and self.logout_method == "frontchannel"
        if by_browser and settings.authentik.line == "2025.8":
            what = f"authentik {settings.authentik.line} knows backchannel alone"
            yield Problem(dotted(*path, "logoutMethod"), what, "Take it out, or take a newer version")
        yield from self.consent_problems()

    def _client_problems(self, settings: Settings) -> Iterator[Problem]:
        """A client id and secret that the app has already."""
        path = ("apps", self.key)
        if self.client_type == "public" and self.client_secret is not None:
            yield Problem(dotted(*path, "clientSecret"), "a public app has no secret", "Take it out")
        for setting, name in ((self.client_id, "client-id"), (self.client_secret, "client-secret")):
            if setting is not None and f"app/{self.id}/{name}" in {
                *settings.secrets.overrides,
                *settings.secrets.generations,
            }:
                what = "clientId" if name == "client-id" else "clientSecret"
                yield Problem(
                    dotted(*path, what),
                    f"gatehouse:secrets says something of app/{self.id}/{name}",
                    "Keep one",
                )
        if self.client_secret is not None and (value := self.client_secret.get_secret_value()):
            try:
                check_override(f"app/{self.id}/client-secret", value)
            except SecretError as error:
                yield Problem(
                    dotted(*path, "clientSecret"),
                    str(error),
                    "Change it in the app first, then here, or take it out",
                )

    def address_problems(self, settings: Settings) -> Iterator[Problem]:
        """An issuer that the app is configured with, and that is not what it will be."""
        right = self.issuer_at(settings)
        if self.issuer is None or self.issuer == right:
            return
        what = "it lacks its slash at the end, without which no token of authentik's is accepted"
        if self.issuer.rstrip("/") != right.rstrip("/"):
            what = f"{self.issuer} is not the issuer that this app will have"
        yield Problem(dotted("apps", self.key, "issuer"), what, f"Write {right}, here and in the app")

    def advice(self, _: Settings) -> Iterator[Problem]:
        for name, uris in (("redirectUris", self.redirect_uris), ("postLogoutUris", self.post_logout_uris)):
            for index, uri in enumerate(uris):
                if to_snake(name) in self.model_fields_set:  # a preset's are what the app asks for
                    yield from redirect_advice(dotted("apps", self.key, name, index), uri, self.url)

        if self.until and not self.refresh_token_validity and "offline_access" in self.requested_scopes:
            yield warning(
                dotted("apps", self.key, "until"),
                "the app may get new tokens by itself (offline_access): for who is in then, it goes on to",
                "Take offline_access out of scopes, or say in refreshTokenValidity for how long it may",
            )

    def provider_fields(self, context: AppContext) -> Mapping[str, Any]:
        confidential = self.client_type == "confidential"
        secrets = context.secrets
        whole: dict[str, Any] = {
            **self.flows(),
            "client_type": self.client_type,
            "client_id": secrets.value(f"app/{self.id}/client-id"),
            "client_secret": secrets.as_secret(f"app/{self.id}/client-secret") if confidential else None,
            "redirect_uris": [
                *(_redirect_uri(uri, context, "authorization") for uri in self.redirect_uris),
                *(
                    _redirect_uri(uri, context, "logout")
                    for uri in self.post_logout_uris
                    if since(context, "2026.5")
                ),
            ],
            # Without the next two, authentik signs with HS256 and puts no claims into its tokens.
            "signing_key": None if self.signing_key == "none" else self.signing_key or SIGNING_KEY,
            "property_mappings": self._mappings(context.settings),
            "include_claims_in_id_token": True,
            "issuer_mode": "per_provider",
            "sub_mode": self.sub_mode or "hashed_user_id",
            **{name: getattr(self, name) for name in _PLAIN},
            **self._logout(context),
        }
        if since(context, "2026.5"):
            # Empty by default, and then every login fails.
            refresh = ["refresh_token"] if "offline_access" in self.requested_scopes else []
            whole["grant_types"] = ["authorization_code", *refresh]
        return whole

    def own_objects(self, context: AppContext) -> Iterator[OwnObject]:
        """Its roles, and the scope mappings of its claims."""
        yield from self.role_objects(context)
        for scope in own_claims.scopes(self.all_claims):
            fields = own_claims.fields(self.all_claims, scope, context.line)
            yield OwnObject(SCOPE_MAPPING, self._mapping(scope), fields, scope, "claims")

    def connection(self, context: AppContext) -> Mapping[str, str]:
        """Issuer and client id."""
        there = self.endpoints(context)
        return {
            "issuer": there["issuer"],
            "clientId": there["client_id"],
            "discoveryUrl": there["discovery_url"],
        }

    def endpoints(self, context: AppContext) -> Mapping[str, Any]:
        base, issuer = f"{context.authentik}/application/o", self.issuer_at(context.settings)
        return {
            "issuer": issuer,
            "discovery_url": f"{issuer}.well-known/openid-configuration",
            "client_id": context.secrets.value(f"app/{self.id}/client-id"),
            "authorize_url": f"{base}/authorize/",
            "token_url": f"{base}/token/",
            "userinfo_url": f"{base}/userinfo/",
            "jwks_url": f"{issuer}jwks/",
            "end_session_url": f"{issuer}end-session/",
            "scopes": self.requested_scopes,
            "roles_claim": self.roles_claim if self.roles else "",
            "redirect_uris": tuple(uri for uri in self.redirect_uris if isinstance(uri, str)),
        }

    def secret_outputs(self) -> Mapping[str, str]:
        """The client secret, of an app that has one."""
        return {"clientSecrets": f"app/{self.id}/client-secret"} if self.client_type == "confidential" else {}

    def login(self, context: AppContext) -> OidcLogin | NoLogin:
        """A browser has to be sent back to some address that is known, one of a web page first."""
        known = [uri for uri in self.redirect_uris if isinstance(uri, str)]
        if not known:
            return NoLogin(
                "it has patterns as redirect URIs only, none of which can be tried; write one of "
                f"{dotted('apps', self.key)} out"
            )
        return OidcLogin(
            issuer=self.issuer_at(context.settings),
            client_id=context.secrets.value(f"app/{self.id}/client-id"),
            client_secret=context.secrets.value(f"app/{self.id}/client-secret"),
            redirect_uri=next((uri for uri in known if uri.startswith(("https://", "http://"))), known[0]),
            scopes=" ".join(self.requested_scopes),
        )

    def issuer_at(self, settings: Settings) -> str:
        """Its issuer, with the slash at its end that is part of it."""
        return f"{settings.issuer_base}/application/o/{self.key}/"

    def _mapping(self, scope: str) -> str:
        """What its own mapping of a scope is called."""
        return f"{self.key}: {scope}"

    def _mappings(self, settings: Settings) -> list[str]:
        """Names of the scope mappings: authentik's own, but for those that its claims take the place of; raw ones; its
        own.
        """
        usual = {
            scope: _SCOPE.format(scope)
            for scope in OWN_SCOPES
            if not own_claims.replaces(self.all_claims, scope)
        }
        there = {**usual, **raw_scopes(settings)}
        found = [there[scope] for scope in self.requested_scopes if scope in there]
        return [*found, *(self._mapping(scope) for scope in own_claims.scopes(self.all_claims))]

    def _logout(self, context: AppContext) -> dict[str, str | None]:
        """2025.8 knows one way to tell an app that somebody has logged out, later lines two."""
        if not since(context, "2025.10"):
            return {
                "backchannel_logout_uri": None if self.logout_method == "frontchannel" else self.logout_uri
            }
        method = self.logout_method or ("backchannel" if self.logout_uri else None)
        return {"logout_uri": self.logout_uri, "logout_method": method}


def _redirect_uri(uri: str | RegexUri, context: AppContext, purpose: str) -> dict[str, str]:
    mode, text = ("regex", uri.regex) if isinstance(uri, RegexUri) else ("strict", uri)
    whole = {"matching_mode": mode, "url": text}
    return whole | {"redirect_uri_type": purpose} if since(context, "2026.5") else whole
