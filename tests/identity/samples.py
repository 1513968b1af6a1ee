"""Valid values for every field of every kind, made from the catalog; two of each, so that each field can change.

What authentik demands beyond its schema (rules between fields, formats that only its code knows) is in `SPECIAL`.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from components.identity.kinds import ReleaseLine
from components.objects.dialect import Reference

LEAVE = object()
"""Marks a field that is not part of a sample."""
NEVER_CHANGED = {
    "authentik_blueprints.blueprintinstance.path": "it excludes content, which changes",
    "authentik_brands.brand.default": "there is one default brand, and it stays that",
    "authentik_core.token.expires": "authentik sets it, or says how far off it may be",
    "authentik_outposts.outpost.type": "providers of the old type would be left on it",
    "authentik_policies.policybinding.policy": "it excludes group; all three are changed in a test of their own",
    "authentik_policies.policybinding.user": "the same",
    "authentik_providers_ldap.ldapprovider.property_mappings": "no kind of mapping belongs to it",
    "authentik_providers_ws_federation.wsfederationprovider.sign_assertion": "it has a signing key, so it must",
}
"""Fields that do not differ between the two samples, and why."""
Values = tuple[Any, Any]


@cache
def pair(number: int) -> tuple[str, str]:
    """A certificate and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"sample {number}")])
    day = datetime.datetime(2026, 1, 1)
    certificate = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), day, day.replace(year=2036)
        )
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.decode(), pem.decode()


def kubeconfig(number: int) -> dict[str, Any]:
    """What connects to a cluster."""
    return {
        "current-context": "sample",
        "contexts": [{"name": "sample", "context": {"cluster": "sample", "user": "sample"}}],
        "clusters": [{"name": "sample", "cluster": {"server": f"https://sample{number}.acme.example"}}],
        "users": [{"name": "sample", "user": {"token": "sample"}}],
    }


SPECIAL: dict[str, Any] = {
    "managed": ("acme/sample-0", "acme/sample-1"),
    "icon": ("https://sample0.acme.example/icon.png", "https://sample1.acme.example/icon.png"),
    "meta_icon": ("https://sample0.acme.example/icon.png", "https://sample1.acme.example/icon.png"),
    "background": ("https://sample0.acme.example/back.png", "https://sample1.acme.example/back.png"),
    "expression": ("return True", "return False"),
    "authentik_core.token.intent": ("app_password", "api"),
    "authentik_core.token.expiring": (True, False),
    "authentik_core.token.expires": LEAVE,
    "authentik_outposts.kubernetesserviceconnection.local": (True, False),
    "authentik_outposts.kubernetesserviceconnection.kubeconfig": (kubeconfig(0), kubeconfig(1)),
    "authentik_core.user.type": ("internal", "external"),
    "authentik_core.user.path": ("users/one", "users/two"),
    "authentik_core.user.password": ("Sample-pass-0001", "Sample-pass-0002"),
    "authentik_core.token.key": ("sample-key-000000001", "sample-key-000000002"),
    "authentik_brands.brand.default": (False, False),
    "authentik_core.application.backchannel_providers": "authentik_providers_ldap.ldapprovider",
    "authentik_policies.policybinding.target": "authentik_core.application",
    "authentik_policies.policybinding.policy": LEAVE,
    "authentik_policies.policybinding.user": LEAVE,
    "authentik_outposts.outpost.providers": "authentik_providers_proxy.proxyprovider",
    "authentik_outposts.outpost.type": ("proxy", "proxy"),
    "authentik_outposts.outpost.config": ({"log_level": "info"}, {"log_level": "debug"}),
    "authentik_crypto.certificatekeypair.certificate_data": (pair(0)[0], pair(1)[0]),
    "authentik_crypto.certificatekeypair.key_data": (pair(0)[1], pair(1)[1]),
    "email_template": ("email/event_notification.html", "email/invitation.html"),
    "template": ("email/password_reset.html", "email/account_confirmation.html"),
    "authentik_blueprints.blueprintinstance.path": LEAVE,
    "authentik_blueprints.blueprintinstance.content": (
        "version: 1\nmetadata: {name: one}\nentries: []",
        "version: 1\nmetadata: {name: two}\nentries: []",
    ),
    "authentik_providers_ldap.ldapprovider.property_mappings": LEAVE,
    "authentik_rbac.initialpermissions.permissions": (
        ["authentik_core/application/view_application"],
        ["authentik_core/application/view_application", "authentik_core/group/change_group"],
    ),
    "authentik_policies_reputation.reputationpolicy.check_ip": (False, True),
    "authentik_policies_reputation.reputationpolicy.check_username": (True, False),
    "authentik_sources_ldap.ldapsource.sync_users": (True, False),
    "authentik_sources_ldap.ldapsource.sync_groups": (True, False),
    "authentik_providers_scim.scimprovider.auth_mode": ("token", "oauth"),
    "authentik_providers_ws_federation.wsfederationprovider.sign_assertion": (True, True),
    "sign_assertion": (False, True),
    "sign_response": (True, False),
    "signed_assertion": (False, True),
    "signed_response": (True, False),
    "authentik_stages_source.sourcestage.resume_on_match_failures": ([], ["missing_property"]),
    "authentik_endpoints.endpointstage.connector": "authentik_endpoints_connectors_agent.agentconnector",
}
NEEDED = {
    ("authentik_blueprints.blueprintinstance", "content"),
    ("authentik_policies_event_matcher.eventmatcherpolicy", "action"),
    ("authentik_sources_ldap.ldapsource", "sync_users"),
    ("authentik_sources_ldap.ldapsource", "sync_groups"),
    ("authentik_sources_ldap.ldapsource", "user_property_mappings"),
    ("authentik_sources_ldap.ldapsource", "group_property_mappings"),
    ("authentik_stages_identification.identificationstage", "user_fields"),
    ("authentik_stages_redirect.redirectstage", "target_flow"),
    ("authentik_stages_redirect.redirectstage", "target_static"),
    ("authentik_core.token", "expiring"),
    ("authentik_outposts.kubernetesserviceconnection", "kubeconfig"),
    ("authentik_outposts.kubernetesserviceconnection", "local"),
    ("authentik_crypto.certificatekeypair", "key_data"),
    ("authentik_providers_proxy.proxyprovider", "internal_host"),
    ("authentik_sources_oauth.oauthsource", "access_token_url"),
    ("authentik_sources_oauth.oauthsource", "authorization_url"),
    ("authentik_sources_oauth.oauthsource", "profile_url"),
    ("authentik_sources_saml.samlsource", "issuer"),
}
"""Fields without which the least is refused."""
PREFERRED = {
    "@any_provider": "authentik_providers_oauth2.oauth2provider",
    "@any_policy": "authentik_policies_expression.expressionpolicy",
    "@any_source": "authentik_sources_plex.plexsource",
    "@any_stage": "authentik_stages_deny.denystage",
    "@any_service_connection": "authentik_outposts.dockerserviceconnection",
}
"""Which kind of a family a sample refers to."""


class Samples:
    """Samples of one line. What a sample refers to is made by `make`, once: (kind, fields) -> nothing."""

    def __init__(self, line: ReleaseLine, make: Callable[[str, dict[str, Any]], None]) -> None:
        self._line = line
        self._make = make
        self._made: dict[tuple[str, int], str] = {}

    def fields(self, label: str, variant: int, tag: str = "", least: bool = False) -> dict[str, Any]:
        """A valid set of all fields, or of the `least`; `tag` becomes part of names that have to be unique."""
        made = {}
        kind = self._line.kind(label)
        for name, facts in self._line.fields(label).items():
            special = SPECIAL.get(f"{label}.{name}", SPECIAL.get(name))
            if special is LEAVE or (least and not facts.get("required") and (label, name) not in NEEDED):
                continue
            if isinstance(special, tuple):
                made[name] = special[variant]
            elif name in kind.references:
                made[name] = self._reference(kind.references[name], special, variant)
            else:
                value = self._value(label, name, facts, variant)
                unique = name in {*kind.key.fields, "name", "slug", "client_id", "identifier", "realm"}
                made[name] = (
                    f"{label.partition('.')[2]}-{tag}{variant}"
                    if unique and isinstance(value, str)
                    else value
                )
        return made

    def _reference(self, reference: Reference, special: str | None, variant: int) -> Any:
        to = reference.to[0]
        label = special or PREFERRED.get(to, to)
        if (label, variant) not in self._made:
            fields = self.fields(label, variant, "target-", least=True)
            self._make(label, fields)
            self._made[label, variant] = self._line.kind(label).key.display_name(fields)
        name = self._made[label, variant]
        if len(reference.to) > 1:
            name = f"{label}:{name}"
        return [name] if reference.many else name

    def _value(self, label: str, name: str, facts: dict[str, Any], variant: int) -> Any:
        default = self._line.defaults(label).get(name)
        if "enum" in facts:
            choices = [each for each in facts["enum"] if each != ""]
            return choices[min(variant, len(choices) - 1)]
        match facts["type"]:
            case "boolean":
                return bool(variant) if default is False else not variant
            case "integer":
                return max(facts.get("minimum", 0), 1) + variant
            case "number":
                return 0.5 + variant
            case "array" if "fields" in facts.get("items", {}):
                return [self._object(label, facts["items"]["fields"], variant)]
            case "array":
                return [self._value(label, name, facts["items"], variant)]
            case "object" if "fields" in facts:
                return self._object(label, facts["fields"], variant)
            case "object" | "any":
                return {"sample": variant}
        match facts.get("format"):
            case "timedelta":
                return f"hours={variant + 1}"
            case "uri":
                return f"https://sample{variant}.acme.example/{name}"
            case "email":
                return f"sample{variant}@acme.example"
            case "uuid":
                return f"00000000-0000-4000-8000-00000000000{variant}"
            case "date-time":
                return f"203{variant}-01-01T00:00:00Z"
        return f"sample-{name.replace('_', '-')}-{variant}"

    def _object(self, label: str, fields: dict[str, Any], variant: int) -> dict[str, Any]:
        return {name: self._value(label, name, facts, variant) for name, facts in fields.items()}
