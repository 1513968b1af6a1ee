"""Fields that authentik does not store but works out: one function a field, found by (kind, field) or ("", field)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from bench.authentik import names
from bench.authentik.avatars import avatar
from bench.authentik.catalog import SCHEMAS, Kind
from bench.authentik.context import (
    APPLICATIONS,
    BINDINGS,
    FLOW_BINDINGS,
    FLOWS,
    GROUPS,
    OAUTH2,
    OUTPOSTS,
    USERS,
    Context,
    Item,
    is_superuser,
    members,
    parents_of,
)
from bench.authentik.source_types import SOURCE_TYPES
from bench.authentik.store import Data

COUNTRIES: dict[str, str] = json.loads((SCHEMAS / "countries.json").read_text())
FLOW_BACKGROUND = "/static/dist/assets/images/flow_background.jpg"
CERTIFICATES, PROMPTS, PROMPT_STAGES = (
    "/crypto/certificatekeypairs/",
    "/stages/prompt/prompts/",
    "/stages/prompt/stages/",
)
PROXY, SAML = "/providers/proxy/", "/providers/saml/"
SAML_URL = "/application/saml/{slug}/"
ICONS = {
    f"/sources/{name}/": f"/static/authentik/sources/{name}.png"
    for name in ("kerberos", "ldap", "plex", "saml")
}
"""Sources that have an icon of their own when none is set."""
TRANSPORTS = {
    "local": "authentik inbuilt notifications",
    "webhook": "Generic Webhook",
    "webhook_slack": "Slack Webhook (Slack/Discord)",
    "email": "Email",
}


@dataclass(frozen=True)
class Shown:
    """An object that is about to be shown. A function may answer objects as items: they are shown nested."""

    context: Context
    kind: Kind
    data: Data

    @property
    def pk(self) -> Any:
        """The object's key."""
        return self.data[self.kind.pk_field]


Compute = Callable[[Shown], Any]


def application_of(shown: Shown, relation: str = "provider") -> Data | None:
    """The application that a provider is assigned to (or listed in, with "backchannel_providers")."""
    if shown.kind.path not in shown.context.line.groups["any_provider"]:
        return None
    for application in shown.context.store.all(APPLICATIONS):
        stored = application.get(relation)
        if shown.pk in stored if isinstance(stored, list) else shown.pk == stored:
            return application
    return None


def of_application(key: str, relation: str = "provider") -> Compute:
    """A field of a provider's application, None without one."""
    return lambda shown: (application_of(shown, relation) or {}).get(key)


def application_url(path: str) -> Compute:
    """A URL of the application that a provider belongs to, "-" while there is none."""

    def compute(shown: Shown) -> str:
        application = application_of(shown)
        return shown.context.base_url + path.format(slug=application["slug"]) if application else "-"

    return compute


def launch_url(shown: Shown) -> Any:
    """Where an application's tile leads: its own URL, else what its provider suggests."""
    data = shown.data
    if data.get("meta_launch_url"):
        return data["meta_launch_url"]
    found = shown.context.group("any_provider", data.get("provider"))
    if not found:
        return None
    kind, provider = found
    if kind.path == SAML:
        return f"/application/saml/{data['slug']}/sso/binding/init/"
    if kind.path == PROXY:
        return provider["external_host"]
    if kind.path == OAUTH2 and provider.get("redirect_uris"):
        scheme, _, rest = str(provider["redirect_uris"][0]["url"]).partition("://")
        return f"{scheme}://{rest.split('/')[0]}" if rest else None
    return None


def children(shown: Shown) -> list[Item]:
    """The groups right below a group."""
    return [item for item in shown.context.items(GROUPS) if shown.pk in parents_of(item[1])]


def flow_stages(shown: Shown) -> list[Any]:
    """The stages of a flow in the order of their bindings."""
    bindings = [b for b in shown.context.store.all(FLOW_BINDINGS) if b["target"] == shown.pk]
    return [binding["stage"] for binding in sorted(bindings, key=lambda binding: binding["order"])]


def flow_policies(shown: Shown) -> list[Any]:
    """The policies that are bound to a flow."""
    bindings = [b for b in shown.context.store.all(BINDINGS) if b["target"] == shown.pk and b.get("policy")]
    return list(dict.fromkeys(binding["policy"] for binding in bindings))


def flow_set(shown: Shown) -> list[Item]:
    """The flows that a stage is bound to."""
    targets = [b["target"] for b in shown.context.store.all(FLOW_BINDINGS) if b["stage"] == shown.pk]
    return [item for item in shown.context.items(FLOWS) if item[1]["pk"] in targets]


def outpost_set(shown: Shown) -> list[str]:
    """The outposts that serve a provider, in words."""
    return [f"Outpost {o['name']}" for o in shown.context.store.all(OUTPOSTS) if shown.pk in o["providers"]]


def bound_to(shown: Shown) -> int:
    """How many bindings name a policy."""
    return sum(binding.get("policy") == shown.pk for binding in shown.context.store.all(BINDINGS))


def seconds(duration: object) -> int:
    """The seconds of a duration in authentik's notation ("hours=1;minutes=5")."""
    parts = [part.split("=") for part in str(duration).replace(",", ";").split(";") if "=" in part]
    return int(timedelta(**{unit.strip(): float(amount) for unit, amount in parts}).total_seconds())


def certificate_link(view: str) -> Compute:
    """The download link of a certificate's part."""
    return lambda shown: f"/api/v3/crypto/certificatekeypairs/{shown.pk}/{view}/?download"


def media(name: str) -> Compute:
    """The URL of a media field: as it is when it is one, below /files/media/public/ otherwise."""

    def compute(shown: Shown) -> Any:
        stored = str(shown.data.get(name) or "")
        if not stored or "://" in stored or stored.startswith("/"):
            return stored or None
        return f"/files/media/public/{stored}"

    return compute


def uid(context: Context, user: Data) -> str:
    """A user's hashed id: stable within an installation."""
    install = context.store.get("_meta", "install") or {}
    return hashlib.sha256(f"{user['pk']}-{install.get('id', '')}".encode()).hexdigest()


def own_token(shown: Shown) -> Item | None:
    """The token that the server made for an object."""
    return next(
        (item for item in shown.context.items("/core/tokens/") if item[1].get("_of") == shown.pk), None
    )


def source_type(shown: Shown) -> Data:
    """What the server knows of an OAuth source's type."""
    return SOURCE_TYPES[str(shown.data["provider_type"])]


def content_type(shown: Shown) -> Data:
    """The model that an object attribute is for, by its label."""
    label = str(shown.data["object_type"])
    app, _, model = label.partition(".")
    number = int(hashlib.sha256(label.encode()).hexdigest()[:4], 16)
    about = {"app_label": app, "model": model, "verbose_name_plural": f"{model.title()}s"}
    return {"id": number, "fully_qualified_model": label, **about}


def base(path: str) -> Compute:
    """A URL below the server's own, made of the object's fields."""
    return lambda shown: shown.context.base_url + path.format(**shown.data)


COMPUTED: Mapping[tuple[str, str], Compute] = {
    ("", "component"): lambda shown: names.component(shown.kind),
    ("", "verbose_name"): lambda shown: names.verbose(shown.kind),
    ("", "verbose_name_plural"): lambda shown: names.plural(shown.kind),
    ("", "meta_model_name"): lambda shown: shown.kind.label,
    ("", "assigned_application_slug"): of_application("slug"),
    ("", "assigned_application_name"): of_application("name"),
    ("", "assigned_backchannel_application_slug"): of_application("slug", "backchannel_providers"),
    ("", "assigned_backchannel_application_name"): of_application("name", "backchannel_providers"),
    ("", "outpost_set"): outpost_set,
    ("", "flow_set"): flow_set,
    ("", "bound_to"): bound_to,
    ("", "icon_url"): lambda shown: media("icon")(shown) or ICONS.get(shown.kind.path),
    ("", "token_obj"): own_token,
    ("", "pbm_uuid"): lambda shown: shown.pk,
    ("", "object_type_obj"): content_type,
    ("/stages/invitation/invitations/", "created_by"): lambda shown: next(
        item for item in shown.context.items(USERS) if item[1]["pk"] == shown.data["_created_by"]
    ),
    ("/sources/oauth/", "type"): source_type,
    ("/events/transports/", "mode_verbose"): lambda shown: TRANSPORTS[shown.data["mode"]],
    (APPLICATIONS, "launch_url"): launch_url,
    (APPLICATIONS, "meta_icon_url"): media("meta_icon"),
    (GROUPS, "users"): lambda shown: [user["pk"] for user in members(shown.context.store, shown.data)],
    (GROUPS, "users_obj"): lambda shown: [
        item for item in shown.context.items(USERS) if shown.pk in item[1].get("groups", [])
    ],
    (GROUPS, "children"): lambda shown: [group["pk"] for _, group in children(shown)],
    (GROUPS, "children_obj"): children,
    (GROUPS, "parents_obj"): lambda shown: [
        item for item in shown.context.items(GROUPS) if item[1]["pk"] in parents_of(shown.data)
    ],
    (GROUPS, "parent_name"): lambda shown: (
        shown.context.store.get(GROUPS, shown.data.get("parent")) or {}
    ).get("name"),
    (GROUPS, "num_pk"): lambda shown: int(str(shown.pk)[:8], 16) % 99_999,
    (USERS, "is_superuser"): lambda shown: is_superuser(shown.context.store, shown.data),
    (USERS, "uid"): lambda shown: uid(shown.context, shown.data),
    (USERS, "avatar"): lambda shown: avatar(str(shown.data["name"] or shown.data["username"])),
    (FLOWS, "stages"): flow_stages,
    (FLOWS, "policies"): flow_policies,
    (FLOWS, "background_url"): lambda shown: media("background")(shown) or FLOW_BACKGROUND,
    (FLOWS, "export_url"): lambda shown: f"/api/v3/flows/instances/{shown.data['slug']}/export/",
    (OUTPOSTS, "refresh_interval_s"): lambda shown: seconds(
        shown.data["config"].get("refresh_interval", "minutes=5")
    ),
    (OUTPOSTS, "token_identifier"): lambda shown: f"ak-outpost-{shown.pk}-api",
    ("/policies/geoip/", "countries_obj"): lambda shown: [
        {"code": code, "name": COUNTRIES[code]} for code in shown.data["countries"]
    ],
    (PROMPTS, "prompt_stages_obj"): lambda shown: [
        item for item in shown.context.items(PROMPT_STAGES) if shown.pk in item[1]["fields"]
    ],
    (CERTIFICATES, "certificate_download_url"): certificate_link("view_certificate"),
    (CERTIFICATES, "private_key_download_url"): certificate_link("view_private_key"),
    (SAML, "url_download_metadata"): base("/api/v3/providers/saml/{pk}/metadata/?download"),
    (SAML, "url_sso_post"): application_url(SAML_URL + "sso/binding/post/"),
    (SAML, "url_sso_redirect"): application_url(SAML_URL + "sso/binding/redirect/"),
    (SAML, "url_sso_init"): application_url(SAML_URL + "sso/binding/init/"),
    (SAML, "url_slo_post"): application_url(SAML_URL + "slo/binding/post/"),
    (SAML, "url_slo_redirect"): application_url(SAML_URL + "slo/binding/redirect/"),
    (SAML, "url_issuer"): application_url(SAML_URL + "metadata/"),
    (SAML, "url_unified"): application_url(SAML_URL),
    (SAML, "url_unified_init"): application_url(SAML_URL + "init/"),
    ("/sources/oauth/", "callback_url"): base("/source/oauth/callback/{slug}/"),
    ("/sources/scim/", "root_url"): base("/source/scim/{slug}/v2"),
}
