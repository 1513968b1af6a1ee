"""Turns stored objects into what the API answers: every field of the response schema, nested objects included."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from bench.authentik import names
from bench.authentik.catalog import SCHEMAS, Kind, Line, Ref, Schema
from bench.authentik.store import Data, Store

COUNTRIES: dict[str, str] = json.loads((SCHEMAS / "countries.json").read_text())
APPLICATIONS, BINDINGS, FLOW_BINDINGS, USERS, GROUPS, OUTPOSTS = (
    "/core/applications/",
    "/policies/bindings/",
    "/flows/bindings/",
    "/core/users/",
    "/core/groups/",
    "/outposts/instances/",
)
FLOW_BACKGROUND = "/static/dist/assets/images/flow_background.jpg"
AVATAR = "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciLz4="
# Here the server shows the parent class: no component, "stage" or "provider" for a name.
SHOWN_AS_PARENT = {
    (FLOW_BINDINGS, "stage_obj"),
    (OUTPOSTS, "providers_obj"),
    (OUTPOSTS, "service_connection_obj"),
    (APPLICATIONS, "backchannel_providers_obj"),
}
# Shown by the schema of its own kind, whatever the schema of the field says.
SHOWN_WHOLE = {"policy_obj"}
EMPTY = {"string": "", "array": [], "object": {}, "boolean": False, "integer": 0, "number": 0.0}


@dataclass
class Context:
    """What rendering needs to know: tables, state, the address the client used, and flags such as include_users."""

    line: Line
    store: Store
    base_url: str = "http://localhost:9000"
    flags: dict[str, bool] = field(default_factory=dict)

    def locate(self, ref: Ref, value: object) -> tuple[Kind, Data] | None:
        """The object that a reference names."""
        for path in ref.kinds:
            kind = self.line.kinds.get(path)
            if kind is None:
                continue
            by = kind.pk_field if ref.by == "pk" else ref.by
            data = (
                self.store.get(path, value) if by == kind.pk_field else self.store.find(path, **{by: value})
            )
            if data is not None:
                return kind, data
        return None

    def group(self, name: str, pk: object) -> tuple[Kind, Data] | None:
        """An object of any kind of a group ("any_provider") by its pk."""
        for path in self.line.groups[name]:
            if (data := self.store.get(path, pk)) is not None:
                return self.line.kinds[path], data
        return None


Compute = Callable[[Context, Kind, Data], Any]


def render(
    context: Context, kind: Kind, data: Data, schema: str = "", as_parent: bool = False
) -> dict[str, Any]:
    """An object as its response schema (or another schema) shows it."""
    shape = context.line.schemas[schema or kind.response]
    return {
        name: value(context, kind, data, name, node, as_parent)
        for name, node in shape.get("properties", {}).items()
        if not node.get("writeOnly")
    }


def value(context: Context, kind: Kind, data: Data, name: str, node: Schema, as_parent: bool) -> Any:
    """One field of an answer."""
    if as_parent and name in AS_PARENT:
        return AS_PARENT[name](kind)
    if (compute := COMPUTED.get((kind.path, name))) or (
        name not in data and (compute := COMPUTED.get(("", name)))
    ):
        return nested(context, kind, name, node, compute(context, kind, data))
    if name in data:
        return data[name]
    if name.endswith("_obj"):
        return related(context, kind, data, name, node)
    return default(context.line, node)


def default(line: Line, node: Schema) -> Any:
    """What an unset field reads as."""
    if node.get("nullable") or node.get("format") == "uuid":
        return None
    resolved = line.schema(node)
    if "enum" in resolved:
        return resolved["enum"][0]
    return EMPTY.get(resolved.get("type", ""))


def related(context: Context, kind: Kind, data: Data, name: str, node: Schema) -> Any:
    """The object(s) that the field without "_obj" names, shown by the schema of this field."""
    ref = kind.refs.get(name.removesuffix("_obj"))
    if ref is None:
        return default(context.line, node)
    stored = data.get(ref.field)
    found = [context.locate(ref, key) for key in (stored if ref.many else [stored]) or [] if key is not None]
    return nested(
        context, kind, name, node, [pair for pair in found if pair] if ref.many else (found or [None])[0]
    )


def nested(context: Context, kind: Kind, name: str, node: Schema, found: Any) -> Any:
    """(kind, object) pairs rendered by the schema of the field; other values as they are."""
    if context.flags.get(name) is False:
        return None
    as_parent = (kind.path, name) in SHOWN_AS_PARENT
    if isinstance(found, list) and found and isinstance(found[0], tuple):
        schema = node.get("items", {}).get("$", "")
        return [render(context, target, data, schema, as_parent) for target, data in found]
    if isinstance(found, tuple):
        schema = "" if name in SHOWN_WHOLE else node.get("$", "")
        return render(context, found[0], found[1], schema, as_parent)
    return found


def application_of(key: str, provider: str = "provider") -> Compute:
    """A field of the application that a provider is assigned to."""

    def compute(context: Context, kind: Kind, data: Data) -> Any:
        if kind.path not in context.line.groups["any_provider"]:
            return None
        pk = data["pk"]
        for application in context.store.all(APPLICATIONS):
            if (
                application.get("provider") == pk
                if provider == "provider"
                else pk in application.get(provider, [])
            ):
                return application[key]
        return None

    return compute


def group_pairs(context: Context, select: Callable[[Data], bool]) -> list[tuple[Kind, Data]]:
    """Groups that fulfil a condition, ready to be rendered."""
    return [(context.line.kinds[GROUPS], group) for group in context.store.all(GROUPS) if select(group)]


def members(context: Context, group: Data) -> list[Data]:
    """The users of a group (the relation is kept on the user's side)."""
    return [user for user in context.store.all(USERS) if group["pk"] in user.get("groups", [])]


def parents_of(group: Data) -> list[str]:
    """The groups that a group inherits from: `parents`, or `parent` up to 2025.10."""
    return list(group.get("parents", [])) + [pk for pk in [group.get("parent")] if pk]


def is_superuser(store: Store, user: Data) -> bool:
    """Whether one of a user's groups, or of the groups above them, makes superusers."""
    todo, seen = list(user.get("groups", [])), set()
    while todo:
        pk = todo.pop()
        group = store.get(GROUPS, pk)
        if group is None or pk in seen:
            continue
        if group.get("is_superuser"):
            return True
        seen.add(pk)
        todo.extend(parents_of(group))
    return False


def launch_url(context: Context, _kind: Kind, data: Data) -> Any:
    """Where an application's tile leads: its own URL, else what its provider suggests."""
    if data.get("meta_launch_url"):
        return data["meta_launch_url"]
    found = context.group("any_provider", data.get("provider"))
    if not found:
        return None
    kind, provider = found
    if kind.path == "/providers/saml/":
        return f"/application/saml/{data['slug']}/sso/binding/init/"
    if kind.path == "/providers/proxy/":
        return provider["external_host"]
    if kind.path == "/providers/oauth2/" and provider.get("redirect_uris"):
        scheme, _, rest = str(provider["redirect_uris"][0]["url"]).partition("://")
        return f"{scheme}://{rest.split('/')[0]}" if rest else None
    return None


def application_url(path: str) -> Compute:
    """A URL of the application that a provider belongs to, "-" while there is none."""

    def compute(context: Context, kind: Kind, data: Data) -> str:
        slug = application_of("slug")(context, kind, data)
        return context.base_url + path.format(slug=slug, pk=data["pk"]) if slug else "-"

    return compute


def flow_stages(context: Context, flow: Data) -> list[Any]:
    """The stages of a flow in the order of their bindings."""
    bindings = [binding for binding in context.store.all(FLOW_BINDINGS) if binding["target"] == flow["pk"]]
    return [binding["stage"] for binding in sorted(bindings, key=lambda binding: binding["order"])]


def flows_of(context: Context, stage: Data) -> list[tuple[Kind, Data]]:
    """The flows that a stage is bound to."""
    targets = [b["target"] for b in context.store.all(FLOW_BINDINGS) if b["stage"] == stage["pk"]]
    flows = context.line.kinds["/flows/instances/"]
    return [(flows, flow) for flow in context.store.all(flows.path) if flow["pk"] in targets]


def seconds(duration: object) -> int:
    """The seconds of a duration in authentik's notation ("hours=1;minutes=5")."""
    parts = [part.split("=") for part in str(duration).replace(",", ";").split(";") if "=" in part]
    return int(timedelta(**{unit.strip(): float(amount) for unit, amount in parts}).total_seconds())


def certificate_link(view: str) -> Compute:
    """The download link of a certificate's part; none without a private key for that one."""

    def compute(_context: Context, _kind: Kind, data: Data) -> Any:
        if view == "view_private_key" and not data.get("private_key_available"):
            return None
        return f"/api/v3/crypto/certificatekeypairs/{data['pk']}/{view}/?download"

    return compute


def icon(name: str) -> Compute:
    """The URL of a media field: as it is when it is one, below /files/media/public/ otherwise."""

    def compute(_context: Context, _kind: Kind, data: Data) -> Any:
        stored = str(data.get(name) or "")
        if not stored or "://" in stored or stored.startswith("/"):
            return stored or None
        return f"/files/media/public/{stored}"

    return compute


def uid(context: Context, data: Data) -> str:
    """A user's hashed id: stable within an installation."""
    install = context.store.get("_meta", "install") or {}
    return hashlib.sha256(f"{data['pk']}-{install.get('id', '')}".encode()).hexdigest()


def bound_to(context: Context, data: Data) -> int:
    """How many bindings name a policy."""
    return sum(binding.get("policy") == data["pk"] for binding in context.store.all(BINDINGS))


def flow_policies(context: Context, data: Data) -> list[Any]:
    """The policies that are bound to a flow."""
    found = [
        b["policy"] for b in context.store.all(BINDINGS) if b["target"] == data["pk"] and b.get("policy")
    ]
    return list(dict.fromkeys(found))


AS_PARENT: dict[str, Callable[[Kind], str]] = {
    "component": lambda kind: "",
    "verbose_name": lambda kind: names.parent(kind)[0],
    "verbose_name_plural": lambda kind: names.parent(kind)[0] + "s",
    "meta_model_name": lambda kind: names.parent(kind)[1],
}
SAML = "/application/saml/{slug}/"
COMPUTED: Mapping[tuple[str, str], Compute] = {
    ("", "component"): lambda c, k, d: names.component(k),
    ("", "verbose_name"): lambda c, k, d: names.verbose(k),
    ("", "verbose_name_plural"): lambda c, k, d: names.plural(k),
    ("", "meta_model_name"): lambda c, k, d: k.label,
    ("", "assigned_application_slug"): application_of("slug"),
    ("", "assigned_application_name"): application_of("name"),
    ("", "assigned_backchannel_application_slug"): application_of("slug", "backchannel_providers"),
    ("", "assigned_backchannel_application_name"): application_of("name", "backchannel_providers"),
    ("", "outpost_set"): lambda c, k, d: [
        o["name"] for o in c.store.all(OUTPOSTS) if d["pk"] in o["providers"]
    ],
    ("", "flow_set"): lambda c, k, d: flows_of(c, d),
    ("", "bound_to"): lambda c, k, d: bound_to(c, d),
    ("", "icon_url"): icon("icon"),
    ("", "token_obj"): lambda c, k, d: next(
        ((c.line.kinds["/core/tokens/"], t) for t in c.store.all("/core/tokens/") if t.get("_of") == d["pk"]),
        None,
    ),
    (APPLICATIONS, "launch_url"): launch_url,
    (APPLICATIONS, "meta_icon_url"): icon("meta_icon"),
    (GROUPS, "users"): lambda c, k, d: [user["pk"] for user in members(c, d)],
    (GROUPS, "users_obj"): lambda c, k, d: [(c.line.kinds[USERS], user) for user in members(c, d)],
    (GROUPS, "children"): lambda c, k, d: [
        g["pk"] for _, g in group_pairs(c, lambda g: d["pk"] in parents_of(g))
    ],
    (GROUPS, "children_obj"): lambda c, k, d: group_pairs(c, lambda g: d["pk"] in parents_of(g)),
    (GROUPS, "parents_obj"): lambda c, k, d: group_pairs(c, lambda g: g["pk"] in parents_of(d)),
    (GROUPS, "parent_name"): lambda c, k, d: (c.store.get(GROUPS, d.get("parent")) or {}).get("name"),
    (GROUPS, "num_pk"): lambda c, k, d: int(d["pk"][:8], 16) % 99999,
    (USERS, "is_superuser"): lambda c, k, d: is_superuser(c.store, d),
    (USERS, "uid"): lambda c, k, d: uid(c, d),
    (USERS, "avatar"): lambda c, k, d: AVATAR,
    ("/flows/instances/", "stages"): lambda c, k, d: flow_stages(c, d),
    ("/flows/instances/", "policies"): lambda c, k, d: flow_policies(c, d),
    ("/flows/instances/", "background_url"): lambda c, k, d: icon("background")(c, k, d) or FLOW_BACKGROUND,
    ("/flows/instances/", "export_url"): lambda c, k, d: f"/api/v3/flows/instances/{d['slug']}/export/",
    (OUTPOSTS, "refresh_interval_s"): lambda c, k, d: seconds(
        d["config"].get("refresh_interval", "minutes=5")
    ),
    (OUTPOSTS, "token_identifier"): lambda c, k, d: f"ak-outpost-{d['pk']}-api",
    ("/policies/geoip/", "countries_obj"): lambda c, k, d: [
        {"code": code, "name": COUNTRIES[code]} for code in d["countries"]
    ],
    ("/stages/prompt/prompts/", "prompt_stages_obj"): lambda c, k, d: [
        (c.line.kinds["/stages/prompt/stages/"], s)
        for s in c.store.all("/stages/prompt/stages/")
        if d["pk"] in s["fields"]
    ],
    ("/crypto/certificatekeypairs/", "certificate_download_url"): certificate_link("view_certificate"),
    ("/crypto/certificatekeypairs/", "private_key_download_url"): certificate_link("view_private_key"),
    ("/providers/saml/", "url_download_metadata"): lambda c, k, d: (
        f"{c.base_url}/api/v3/providers/saml/{d['pk']}/metadata/?download"
    ),
    ("/providers/saml/", "url_sso_post"): application_url(SAML + "sso/binding/post/"),
    ("/providers/saml/", "url_sso_redirect"): application_url(SAML + "sso/binding/redirect/"),
    ("/providers/saml/", "url_sso_init"): application_url(SAML + "sso/binding/init/"),
    ("/providers/saml/", "url_slo_post"): application_url(SAML + "slo/binding/post/"),
    ("/providers/saml/", "url_slo_redirect"): application_url(SAML + "slo/binding/redirect/"),
    ("/providers/saml/", "url_issuer"): application_url(SAML + "metadata/"),
    ("/providers/saml/", "url_unified"): application_url(SAML),
    ("/providers/saml/", "url_unified_init"): application_url(SAML + "init/"),
    ("/sources/oauth/", "callback_url"): lambda c, k, d: f"{c.base_url}/source/oauth/callback/{d['slug']}/",
    ("/sources/scim/", "root_url"): lambda c, k, d: f"{c.base_url}/source/scim/{d['slug']}/v2",
}
