"""How authentik calls its models in answers: names that the OpenAPI schema does not hold."""

from __future__ import annotations

import re
from typing import Any

from bench.authentik.catalog import Kind

# verbose_name (and plural, where adding an s is wrong); everything else is its class name in words.
VERBOSE = {
    "OAuth2Provider": ("OAuth2/OpenID Provider", ""),
    "ScopeMapping": ("Scope Mapping", ""),
    "SAMLPropertyMapping": ("SAML Provider Property Mapping", ""),
    "SCIMMapping": ("SCIM Provider Mapping", ""),
    "RACPropertyMapping": ("RAC Provider Property Mapping", ""),
    "RadiusProviderPropertyMapping": ("Radius Provider Property Mapping", ""),
    "LDAPSourcePropertyMapping": ("LDAP Source Property Mapping", ""),
    "GeoIPPolicy": ("GeoIP Policy", "GeoIP Policies"),
    "ReputationPolicy": ("Reputation Policy", "Reputation Policies"),
    "AuthenticatorTOTPStage": ("TOTP Authenticator Setup Stage", ""),
    "AuthenticatorStaticStage": ("Static Authenticator Setup Stage", ""),
    "AuthenticatorWebAuthnStage": ("WebAuthn Authenticator Setup Stage", ""),
    "AuthenticatorDuoStage": ("Duo Authenticator Setup Stage", ""),
    "AuthenticatorSMSStage": ("SMS Authenticator Setup Stage", ""),
    "AuthenticatorEmailStage": ("Email Authenticator Setup Stage", ""),
    "AuthenticatorValidateStage": ("Authenticator Validation Stage", ""),
    "OAuthSource": ("OAuth Source", ""),
    "DockerServiceConnection": ("Docker Service-Connection", ""),
    "KubernetesServiceConnection": ("Kubernetes Service-Connection", ""),
}
# What "… already exists." names for unique fields, by the space they are unique in or by class.
NOUNS = {
    "/providers/": "provider",
    "/policies/": "Policy",
    "/propertymappings/": "Property Mapping",
    "/stages/": "stage",
    "/outposts/service_connections/": "outpost service connection",
}
# Class and verbose names of the common parents, as seen where an object is shown as its parent.
PARENTS = {
    "/providers/": ("provider", "authentik_core.provider"),
    "/stages/": ("stage", "authentik_flows.stage"),
    "/outposts/service_connections/": (
        "outpost service connection",
        "authentik_outposts.outpostserviceconnection",
    ),
}
FIELD_WORDS = {"client_id": "Client ID"}
COMPONENT_ROOTS = {
    "providers": "provider",
    "policies": "policy",
    "stages": "stage",
    "sources": "source",
    "propertymappings": "property-mapping",
    "service_connections": "service-connection",
}


# Forms whose name does not follow from the path.
COMPONENTS = {
    "/endpoints/agents/connectors/": "ak-endpoints-connector-agent-form",
    "/stages/endpoints/": "ak-endpoints-stage-form",
}


def words(class_name: str) -> str:
    """A class name with spaces: GoogleWorkspaceProvider becomes "Google Workspace Provider"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", class_name)


def verbose(kind: Kind) -> str:
    """A kind's name for people."""
    return VERBOSE.get(kind.class_name, (words(kind.class_name), ""))[0]


def plural(kind: Kind) -> str:
    """The same for several."""
    single, several = verbose(kind), VERBOSE.get(kind.class_name, ("", ""))[1]
    return several or (single[:-1] + "ies" if single.endswith("y") else single + "s")


def component(kind: Kind) -> str:
    """The form that authentik's interface edits a kind with ("ak-stage-password-form")."""
    if kind.path in COMPONENTS:
        return COMPONENTS[kind.path]
    parts = [part for part in kind.path.split("/") if part and part != "outposts"]
    if parts[-1] in ("stages", "connectors") and len(parts) > 1:
        parts.pop()
    parts[0] = COMPONENT_ROOTS.get(parts[0], parts[0])
    return "-".join(["ak", *parts, "form"]).replace("_", "-")


def noun(kind: Kind, field: str) -> str:
    """What a duplicate's error calls the object."""
    shared = next((word for prefix, word in NOUNS.items() if kind.path.startswith(prefix)), "")
    if shared and field in ("name", "managed"):
        return shared
    if kind.path.startswith("/sources/"):
        return "source"
    return verbose(kind)


def parent(kind: Kind) -> tuple[str, str]:
    """(verbose name, model label) of the parent class of a kind, for places that show it as one."""
    return next((found for prefix, found in PARENTS.items() if kind.path.startswith(prefix)), ("", ""))


def type_row(kind: Kind) -> dict[str, Any]:
    """A kind in the list of what can be made."""
    return {
        "name": verbose(kind),
        "description": "",
        "component": component(kind),
        "model_name": kind.label.split(".")[1],
        "icon_url": None,
        "requires_enterprise": bool(kind.facts.get("enterprise")),
    }


def described(template: str) -> dict[str, Any]:
    """What OPTIONS tells of an endpoint, without its fields."""
    *_, last = (part for part in template.split("/") if part)
    parts = [part for part in template.split("/") if part and not part.startswith("{")]
    noun_ = parts[-1].replace("_", " ").title().removesuffix("s")
    suffix = "Instance" if last.startswith("{") else "List"
    return {
        "name": f"{noun_} {suffix}",
        "description": "",
        "renders": ["application/json"],
        "parses": ["application/json"],
    }
