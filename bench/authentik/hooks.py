"""What a write changes besides the fields that were sent: generated values, side objects."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from bench.authentik import crypto
from bench.authentik.catalog import Kind
from bench.authentik.context import OUTPOSTS, USERS, Context
from bench.authentik.rules import Request
from bench.authentik.store import Data

TOKENS, CERTIFICATES, MAPPINGS = (
    "/core/tokens/",
    "/crypto/certificatekeypairs/",
    "/propertymappings/provider/scope/",
)
SSF = "/providers/ssf/"
LENGTHS = {"client_secret": 128, "client_id": 40, "shared_secret": 20}
# authentik's `default_token_duration` of a new installation.
TOKEN_MINUTES = 30
CALLBACK = "X-authentik-auth-callback=true"

Hook = Callable[[Request, dict[str, Any], Data | None], None]


def generic(request: Request, data: dict[str, Any]) -> None:
    """Times and values that the server makes for every kind."""
    shown = request.context.line.schemas[request.kind.response].get("properties", {})
    fresh = request.before is None
    if fresh:
        for name in ("created", "date_joined", "password_change_date", "last_applied"):
            if name in shown:
                data.setdefault(name, crypto.now())
        if "policybindingmodel_ptr_id" in shown:
            data["policybindingmodel_ptr_id"] = str(uuid.uuid4())
        for name, how in request.kind.facts.get("generated", {}).items():
            if how == "random" and name not in request.sent:
                data[name] = crypto.random_text(LENGTHS[name])
    expires = request.kind.facts.get("generated", {}).get("expires") == "computed"
    if expires and data.get("expiring", True) and not data.get("expires"):
        data["expires"] = crypto.later(minutes=TOKEN_MINUTES)
    if "last_updated" in shown:
        data["last_updated"] = crypto.now()


def proxy(request: Request, data: dict[str, Any], _caller: Data | None) -> None:
    """A proxy provider gets its scopes and redirect URIs at every write."""
    added = next(rule["v"] for rule in request.kind.rules() if rule["rule"] == "server_adds")
    store = request.context.store
    pks = [mapping["pk"] for mapping in store.all(MAPPINGS) if mapping.get("managed") in added]
    wanted = {*data["property_mappings"], *pks}
    data["property_mappings"] = sorted(wanted, key=lambda pk: store.seq(MAPPINGS, pk))
    data.setdefault("client_id", crypto.random_text(LENGTHS["client_id"]))
    data.setdefault("client_secret", crypto.random_text(LENGTHS["client_secret"]))
    host = data["external_host"]
    typed = "redirect_uri_type" in request.context.line.schemas["RedirectURI"]["properties"]
    purpose = {"redirect_uri_type": "authorization"} if typed else {}
    data["redirect_uris"] = [
        {"matching_mode": "strict", "url": url, **purpose}
        for url in (f"{host}/outpost.goauthentik.io/callback?{CALLBACK}", f"{host}?{CALLBACK}")
    ]


def redirect_uris(request: Request, data: dict[str, Any], _caller: Data | None) -> None:
    """Redirect URIs are for logins unless they say otherwise (since 2026.5)."""
    schema = request.context.line.schemas["RedirectURI"]["properties"]
    if "redirect_uri_type" in schema:
        data["redirect_uris"] = [
            {"redirect_uri_type": "authorization", **entry} for entry in data["redirect_uris"]
        ]


def certificate(request: Request, data: dict[str, Any], _caller: Data | None) -> None:
    """What a certificate's object shows of it."""
    data.setdefault("managed", None)
    if request.sent.keys() & {"_certificate_data", "_key_data"}:
        data.update(crypto.details(data["_certificate_data"], data.get("_key_data", "")))


def token(request: Request, data: dict[str, Any], caller: Data | None) -> None:
    """A token has a key and a user; the end of an API token is the server's, at each write."""
    if request.before is None:
        data.setdefault("_key", crypto.random_text(60))
        if data.get("user") is None and caller is not None:
            data["user"] = caller["pk"]
    if data["intent"] == "api":
        data["expires"] = crypto.later(minutes=TOKEN_MINUTES)
    data.setdefault("managed", None)


def user(request: Request, data: dict[str, Any], _caller: Data | None) -> None:
    """A user has a UUID and, until one is set, no password."""
    if request.before is None:
        data["uuid"] = str(uuid.uuid4())
        data["_password"] = ""


def blueprint(request: Request, data: dict[str, Any], _caller: Data | None) -> None:
    """A blueprint is not applied by being made."""
    if request.before is None:
        data.update(last_applied=crypto.now(), last_applied_hash="", status="unknown", managed_models=[])
        data["metadata"] = {}


def invitation(request: Request, data: dict[str, Any], caller: Data | None) -> None:
    """An invitation is of whoever made it."""
    if request.before is None and caller is not None:
        data["_created_by"] = caller["pk"]


def brand(_request: Request, data: dict[str, Any], _caller: Data | None) -> None:
    """Defaults of a brand's look."""
    looks = {"branding_logo": "icon_left_brand.svg", "branding_favicon": "icon.png"}
    for name, file in looks.items():
        data[name] = data.get(name) or f"/static/dist/assets/icons/{file}"


BEFORE: dict[str, Hook] = {
    "/providers/proxy/": proxy,
    "/providers/oauth2/": redirect_uris,
    CERTIFICATES: certificate,
    TOKENS: token,
    USERS: user,
    "/managed/blueprints/": blueprint,
    "/core/brands/": brand,
    "/stages/invitation/invitations/": invitation,
}


def before_save(request: Request, data: dict[str, Any], caller: Data | None) -> None:
    """Complete `data` before it is stored."""
    generic(request, data)
    if hook := BEFORE.get(request.kind.path):
        hook(request, data, caller)


def side_user(context: Context, username: str, name: str, token_identifier: str, of: object) -> None:
    """A service account of the server's own with its token."""
    store = context.store
    pk = store.next_int(USERS)
    account = {
        "pk": pk,
        "username": username,
        "name": name,
        "is_active": True,
        "last_login": None,
        "email": "",
        "groups": [],
        "roles": [],
        "attributes": {},
        "path": "goauthentik.io/service-accounts",
        "type": "internal_service_account",
        "uuid": str(uuid.uuid4()),
        "date_joined": crypto.now(),
        "password_change_date": crypto.now(),
        "last_updated": crypto.now(),
        "_password": "",
        "_of": of,
    }
    store.insert(USERS, pk, account)
    if "/rbac/roles/" in context.line.kinds and "roles" in context.line.schemas["User"]["properties"]:
        role = str(uuid.uuid4())
        store.insert("/rbac/roles/", role, {"pk": role, "name": f"ak-managed-role--user-{pk}", "_of": of})
        store.replace(USERS, pk, {**account, "roles": [role]})
    key = str(uuid.uuid4())
    row = {
        "pk": key,
        "identifier": token_identifier,
        "intent": "api",
        "user": pk,
        "description": "Autogenerated",
        "managed": f"goauthentik.io/{token_identifier}",
        "expires": crypto.later(minutes=TOKEN_MINUTES),
        "expiring": False,
        "_key": crypto.random_text(60),
        "_of": of,
    }
    store.insert(TOKENS, key, row)


def after_save(request: Request, data: Data) -> None:
    """Objects that come with a new one."""
    if request.before is not None:
        return
    pk = data[request.kind.pk_field]
    if request.kind.path == OUTPOSTS:
        name = f"Outpost {data['name']} Service-Account"
        username = f"ak-outpost-{uuid.UUID(pk).hex}"
        side_user(request.context, username, name, f"ak-outpost-{pk}-api", pk)
    if request.kind.path == "/sources/scim/":
        side_user(request.context, f"ak-source-scim-{pk}", data["name"], f"ak-source-scim-{pk}", pk)
    if request.kind.path == SSF:  # they stay when it is deleted
        name = f"SSF Provider {data['name']} Service-Account"
        side_user(request.context, f"ak-providers-ssf-{pk}", name, f"ak-providers-ssf-{pk}", pk)


def after_delete(context: Context, kind: Kind, data: Data) -> None:
    """Side objects that go with theirs."""
    if kind.path in (OUTPOSTS, "/sources/scim/"):
        for path in (TOKENS, USERS, "/rbac/roles/"):
            for row in list(context.store.all(path)):
                if row.get("_of") == data[kind.pk_field]:
                    context.store.remove(path, row["pk"])
