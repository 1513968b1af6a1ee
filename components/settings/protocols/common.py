"""What several protocols share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from components.problems import Problem
from components.release_lines import sort_key
from components.settings.app_access import BINDING, ENTITLEMENT, WHOLE
from components.settings.apps import KEPT, App, OwnObject
from components.settings.base import Model, dotted
from components.settings.forms import Duration, Url

if TYPE_CHECKING:
    from components.settings.apps import AppContext

SIGNING_KEY = "authentik Self-signed Certificate"
BY_HAND = "gatehouse itself does not speak {}; log in to it by hand"
CONSENTED = {"name": KEPT, "authorization_flow": ("authorization_flow", "consent")}
ENTITLED = "request.user.app_entitlements(provider.application)"
"""What a person is in an app, in expressions of authentik's."""
TOKENS = {
    "access_token_validity": ("access_token_validity",),
    "refresh_token_validity": ("refresh_token_validity",),
}
_CONSENT = "default-provider-authorization-{}-consent"
_INVALIDATION = "default-provider-invalidation-flow"


class Tokens(Model):
    """For apps that get tokens of authentik's."""

    access_token_validity: Duration | None = None
    """How long a login at the app lasts without asking authentik again: `hours=4`, `minutes=30`; authentik's default
    is an hour. Longer means that somebody who is locked out stays in for as long."""

    refresh_token_validity: Duration | None = None
    """How long the app may get new tokens by itself (offline_access); authentik's default is 30 days."""


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


class ConsentedApp(App):
    """For apps that people are sent to by authentik."""

    consent: bool = False
    """Whether people are asked before the app gets to know about them."""

    authorization_flow: Annotated[str, Field(min_length=1)] | None = None
    """The slug of another flow that people go through on their way to the app."""

    def flows(self) -> dict[str, str]:
        """The flows of its provider: default objects of every line, unless it says otherwise."""
        usual = _CONSENT.format("explicit" if self.consent else "implicit")
        return {
            "authorization_flow": self.authorization_flow or usual,
            "invalidation_flow": _INVALIDATION,
        }

    def role_objects(self, context: AppContext) -> Iterator[OwnObject]:
        """Its roles as entitlements of authentik's, each bound to the groups that have it."""
        ids = {group.name: group.id for group in context.settings.groups}
        for role, groups in self.roles.items():
            name, suffix = f"{self.key}: {role}", f"role {role}"
            yield OwnObject(ENTITLEMENT, name, {"app": self.key, "name": role}, suffix, "roles")
            for group in groups:
                fields = {"target": f"{ENTITLEMENT}:{self.key}/{role}", "group": group, **WHOLE}
                yield OwnObject(
                    BINDING, f"{name}: {group}", fields, f"{suffix}/{ids.get(group, group)}", "roles"
                )

    def consent_problems(self) -> Iterator[Problem]:
        """A flow that has the question in it already, or has not."""
        if self.consent and self.authorization_flow:
            yield Problem(
                dotted("apps", self.key, "consent"),
                "authorizationFlow says which way people go, with or without a question",
                "Take one of them out",
            )


def since(context: AppContext, first: str) -> bool:
    """Whether the client's release line is not older than another."""
    return sort_key(context.line) >= sort_key(first)
