"""SAML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from components.problems import Problem, nearest
from components.settings.apps import AppContext, NoLogin, OwnObject
from components.settings.base import dotted
from components.settings.checking import either, raw_names
from components.settings.forms import Url
from components.settings.protocols.common import (
    BY_HAND,
    CONSENTED,
    ENTITLED,
    SIGNING_KEY,
    ConsentedApp,
    Signed,
    since,
)

if TYPE_CHECKING:
    from components.settings.model import Settings

ATTRIBUTES = ("email", "groups", "name", "upn", "username", "uid", "ms-windowsaccountname")
"""What authentik has mappings for from the start."""
_MANAGED = "goauthentik.io/providers/saml/{}"
_MAPPING = "authentik_providers_saml.samlpropertymapping"


class SamlApp(ConsentedApp, Signed):
    """With `protocol: saml`."""

    speaks: ClassVar = "saml"
    words: ClassVar = "speaks saml"
    provider: ClassVar = "authentik_providers_saml.samlprovider"
    provider_settings: ClassVar = CONSENTED | {
        "acs_url": ("acs_url",),
        "audience": ("audience",),
        "sp_binding": ("binding",),
        "sign_assertion": ("sign",),
        "sign_response": ("sign",),
        "signing_kp": ("signing_key", "sign"),
        "verification_kp": ("verification_key",),
        "encryption_kp": ("encryption_key",),
        "name_id_mapping": ("name_id",),
        "property_mappings": ("attributes", "roles", "roles_attribute"),
        "issuer": ("issuer",),
        "issuer_override": ("issuer",),
        "sls_url": ("slo_url",),
    }

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

    roles_attribute: Annotated[str, Field(min_length=1)] = "roles"
    """The attribute that says what somebody is in the app, one value for each of `roles`."""

    slo_url: Url | None = None
    """Where authentik tells the app that somebody has logged out."""

    def problems(self, settings: Settings) -> Iterator[Problem]:
        path = ("apps", self.key)
        if self.acs_url is None:
            yield Problem(
                dotted(*path, "acsUrl"),
                "a saml app needs it",
                "Add what the app's documentation calls its ACS or callback URL",
            )
        if self.signing_key is not None and (self.sign == "none" or self.signing_key == "none"):
            what = "sign: none" if self.sign == "none" else "none is no certificate"
            yield Problem(
                dotted(*path, "signingKey"),
                f"{what}: nothing would be signed with it",
                "Take it out, or say sign: none",
            )
        known = {*ATTRIBUTES, *raw_names(settings, _MAPPING)}
        named = [
            (dotted(*path, "attributes", index), name) for index, name in enumerate(self.attributes or ())
        ]
        if self.name_id:
            named.append((dotted(*path, "nameId"), self.name_id))
        for where, name in named:
            if name not in known:
                yield Problem(
                    where,
                    f"there is no SAML property mapping {name!r}",
                    nearest(name, known)
                    or f"Take one of {either(sorted(known))}, or declare it in gatehouse:objects",
                )
        yield from self.consent_problems()

    def provider_fields(self, context: AppContext) -> Mapping[str, Any]:
        return {
            **self.flows(),
            "acs_url": self.acs_url,
            "audience": self.audience,
            "sp_binding": self.binding,
            "issuer_override" if since(context, "2026.5") else "issuer": self.entity_id(context),
            "signing_kp": None if self.sign == "none" else self.signing_key or SIGNING_KEY,
            "sign_assertion": self.sign in ("assertion", "both"),
            "sign_response": self.sign in ("response", "both"),
            "verification_kp": self.verification_key,
            "encryption_kp": self.encryption_key,
            "name_id_mapping": _mapping(self.name_id) if self.name_id else None,
            "property_mappings": [
                *(_mapping(each) for each in self.attributes or ATTRIBUTES),
                *([self._roles_mapping] if self.roles else ()),
            ],
            # Since 2025.10; a preset's is left out before, one of the stack file's is refused.
            "sls_url": self.slo_url
            if since(context, "2025.10") or "slo_url" in self.model_fields_set
            else None,
        }

    def own_objects(self, context: AppContext) -> Iterator[OwnObject]:
        """Its roles, and the mapping that tells it of them."""
        yield from self.role_objects(context)
        if self.roles:
            expression = f"for each in {ENTITLED}:\n    yield each.name"
            fields = {"saml_name": self.roles_attribute, "expression": expression}
            yield OwnObject(_MAPPING, self._roles_mapping, fields, "roles", "rolesAttribute")

    @property
    def _roles_mapping(self) -> str:
        return f"{self.key}: roles"

    def connection(self, context: AppContext) -> Mapping[str, str]:
        """Where the app reads all the rest, and the addresses for an app that does not read."""
        there = self.endpoints(context)
        return {
            "issuer": there["issuer"],
            "metadataUrl": there["metadata_url"],
            "ssoUrl": there["sso_url"],
            "sloUrl": there["slo_url"],
        }

    def endpoints(self, context: AppContext) -> Mapping[str, Any]:
        base = self._base(context)
        return {
            "issuer": self.entity_id(context),
            "metadata_url": f"{base}/metadata/",
            "sso_url": f"{base}/sso/binding/redirect/",
            "sso_post_url": f"{base}/sso/binding/post/",
            "slo_url": f"{base}/slo/binding/redirect/",
            "slo_post_url": f"{base}/slo/binding/post/",
            "audience": self.audience or "",
        }

    def secret_outputs(self) -> Mapping[str, str]:
        return {}

    def login(self, _: AppContext) -> NoLogin:
        return NoLogin(BY_HAND.format("SAML"))

    def entity_id(self, context: AppContext) -> str:
        """What authentik goes by."""
        return self.issuer or f"{self._base(context)}/metadata/"

    def _base(self, context: AppContext) -> str:
        """Below which authentik answers for this app."""
        return f"{context.authentik}/application/saml/{self.key}"


def _mapping(name: str) -> str:
    """authentik's own mappings have short names here."""
    return _MANAGED.format(name) if name in ATTRIBUTES else name
