"""Endpoints that are no plain objects: passwords, keys, certificates, versions, the caller."""

from __future__ import annotations

import platform
import uuid
from typing import Any

from bench.authentik import access, crypto, defaults, fields, writes
from bench.authentik.api import Action, Answer, Api, Call
from bench.authentik.fields import Invalid
from bench.authentik.passwords import hashed
from bench.authentik.render import AVATAR, GROUPS, OUTPOSTS, USERS, is_superuser, render, uid
from bench.authentik.store import Data

TOKENS, CERTIFICATES, APPLICATIONS = "/core/tokens/", "/crypto/certificatekeypairs/", "/core/applications/"
SYSTEM_PERMISSIONS = [
    "add_role",
    "unassign_role_permissions",
    "change_initialpermissions",
    "view_initialpermissions",
    "delete_role",
    "access_admin_interface",
    "change_role",
    "view_system_settings",
    "manage_media_files",
    "assign_role_permissions",
    "delete_initialpermissions",
    "view_system_info",
    "add_initialpermissions",
    "view_role",
    "edit_system_settings",
    "view_media_files",
]


def checked(api: Api, call: Call) -> dict[str, Any]:
    """The body, checked against the endpoint's own schema."""
    return fields.body(api.line, api.line.schemas[call.operation["body"]], call.body)


def target(api: Api, call: Call, kind: str) -> Data:
    """The object that the endpoint's URL names."""
    return api.locate(call, [api.line.kinds[kind]])[1]


def version(api: Api, _call: Call) -> Answer:
    """GET /admin/version/"""
    current = api.settings.version
    return Answer(
        200,
        {
            "version_current": current,
            "version_latest": "0.0.0",
            "version_latest_valid": False,
            "build_hash": "",
            "outdated": False,
            "outpost_outdated": False,
        },
    )


def system(api: Api, call: Call) -> Answer:
    """GET /admin/system/"""
    host = call.headers.get("host", "")
    shown = {"HTTP_" + name.upper().replace("-", "_"): value for name, value in call.headers.items()}
    runtime = {
        "architecture": platform.machine(),
        "authentik_version": api.settings.version,
        "environment": "custom",
        "openssl_fips_enabled": None,
        "openssl_version": "",
        "platform": platform.platform(),
        "python_version": platform.python_version(),
        "uname": " ".join(platform.uname()),
    }
    return Answer(
        200,
        {
            "http_headers": shown,
            "http_host": host,
            "http_is_secure": call.context.base_url.startswith("https:"),
            "runtime": runtime,
            "brand": "Default brand",
            "server_time": crypto.now(),
            "embedded_outpost_disabled": False,
            "embedded_outpost_host": "",
        },
    )


def config(_api: Api, _call: Call) -> Answer:
    """GET /root/config/"""
    return Answer(
        200,
        {
            "error_reporting": {
                "enabled": False,
                "sentry_dsn": "",
                "environment": "customer",
                "send_pii": False,
                "traces_sample_rate": 0.1,
            },
            "capabilities": ["can_impersonate", "is_enterprise"],
            "cache_timeout": 300,
            "cache_timeout_flows": 300,
            "cache_timeout_policies": 300,
        },
    )


def me(api: Api, call: Call) -> Answer:
    """GET /core/users/me/"""
    user = call.user
    assert user is not None
    superuser = is_superuser(api.store, user)
    groups = [{"name": g["name"], "pk": g["pk"]} for g in access.groups_of(api.store, user)]
    roles = [
        {"name": role["name"], "pk": role["pk"]}
        for role in api.store.all("/rbac/roles/")
        if role["pk"] in user.get("roles", [])
    ]
    shown = {name: user[name] for name in ("pk", "username", "name", "is_active", "email", "type")}
    return Answer(
        200,
        {
            "user": {
                **shown,
                "is_superuser": superuser,
                "groups": groups,
                "roles": roles,
                "avatar": AVATAR,
                "uid": uid(call.context, user),
                "settings": dict(user["attributes"].get("settings", {})),
                "system_permissions": SYSTEM_PERMISSIONS if superuser else [],
            }
        },
    )


def set_password(api: Api, call: Call) -> Answer:
    """POST /core/users/{id}/set_password/"""
    user = target(api, call, USERS)
    stored = hashed(checked(api, call)["password"])
    api.store.replace(USERS, user["pk"], {**user, "_password": stored, "password_change_date": crypto.now()})
    return Answer(204)


def recovery(api: Api, call: Call) -> Answer:
    """POST /core/users/{id}/recovery/: a link, if the brand has a recovery flow."""
    user = target(api, call, USERS)
    brand = api.store.find("/core/brands/", default=True)
    flow = api.store.get("/flows/instances/", brand.get("flow_recovery")) if brand else None
    if flow is None:
        return Answer(400, {"non_field_errors": "No recovery flow set."})
    key = crypto.random_text(60)
    row = {
        "pk": str(uuid.uuid4()),
        "identifier": f"recovery-{user['pk']}-{key[:8]}",
        "intent": "recovery",
        "user": user["pk"],
        "description": "",
        "managed": None,
        "expires": crypto.later(minutes=30),
        "expiring": True,
        "_key": key,
    }
    api.store.insert(TOKENS, row["pk"], row)
    return Answer(200, {"link": f"{call.context.base_url}/if/flow/{flow['slug']}/?flow_token={key}"})


def service_account(api: Api, call: Call) -> Answer:
    """POST /core/users/service_account/: a user with an app password, and a group if asked for."""
    sent = checked(api, call)
    name = sent["name"]
    expiring = sent.get("expiring", True)
    if api.store.find(USERS, username=name):
        raise Invalid({"name": ["This field must be unique."]})
    attributes = {} if expiring else {"goauthentik.io/user/token-expires": False}
    account = {
        "username": name,
        "name": name,
        "type": "service_account",
        "attributes": attributes,
        "groups": [],
        "path": "goauthentik.io/service-accounts",
    }
    user = defaults.add(call.context, USERS, account)
    assert user is not None
    answer = {"username": name, "user_uid": uid(call.context, user), "user_pk": user["pk"]}
    if sent.get("create_group"):
        group = defaults.add(call.context, GROUPS, {"name": name})
        assert group is not None
        api.store.replace(USERS, user["pk"], {**user, "groups": [group["pk"]]})
        answer["group_pk"] = group["pk"]
    token = {
        "identifier": f"service-account-{name}-password",
        "intent": "app_password",
        "expiring": expiring,
        "expires": sent.get("expires") or crypto.later(days=360),
    }
    row = defaults.add(call.context, TOKENS, token)
    assert row is not None
    api.store.replace(TOKENS, row["pk"], {**row, "user": user["pk"]})
    return Answer(200, {**answer, "token": row["_key"]})


def members(joining: bool) -> Action:
    """POST /core/groups/{group_uuid}/add_user/ and …/remove_user/"""

    def change(api: Api, call: Call) -> Answer:
        group = target(api, call, GROUPS)
        user = api.store.get(USERS, checked(api, call)["pk"])
        if user is None:
            return Answer(404, {"detail": "No User matches the given query."})
        kept = [pk for pk in user["groups"] if pk != group["pk"]]
        api.store.replace(USERS, user["pk"], {**user, "groups": [*kept, group["pk"]] if joining else kept})
        return Answer(204)

    return change


def view_key(api: Api, call: Call) -> Answer:
    """GET /core/tokens/{identifier}/view_key/"""
    return Answer(200, {"key": target(api, call, TOKENS)["_key"]})


def set_key(api: Api, call: Call) -> Answer:
    """POST /core/tokens/{identifier}/set_key/"""
    token = target(api, call, TOKENS)
    api.store.replace(TOKENS, token["pk"], {**token, "_key": checked(api, call)["key"]})
    return Answer(204)


def generate(api: Api, call: Call) -> Answer:
    """POST /crypto/certificatekeypairs/generate/"""
    sent = checked(api, call)
    names = [name for name in str(sent.get("subject_alt_name", "")).split(",") if name]
    algorithm = str(sent.get("alg") or "rsa")
    data, key = crypto.self_signed(
        sent["common_name"], sent["validity_days"], algorithm, api.settings.version, names
    )
    kind = api.line.kinds[CERTIFICATES]
    values = {"name": sent["common_name"], "certificate_data": data, "key_data": key}
    request = writes.prepare(call.context, kind, values, None, partial=False)
    return Answer(200, render(call.context, kind, writes.apply(request, call.user)))


def view_certificate(name: str) -> Action:
    """GET …/view_certificate/ and …/view_private_key/, as JSON or for download."""

    def view(api: Api, call: Call) -> Answer:
        text = target(api, call, CERTIFICATES).get(name, "")
        if call.first("download") is not None:
            return Answer(200, text, "application/x-pem-file")
        return Answer(200, {"data": text})

    return view


def current_brand(api: Api, call: Call) -> Answer:
    """GET /core/brands/current/: the brand of the host's domain, else the default one."""
    host = call.headers.get("host", "").partition(":")[0]
    brands = api.store.all("/core/brands/")
    matching = [b for b in brands if host == b["domain"] or host.endswith("." + b["domain"])]
    brand = next(iter(matching + [b for b in brands if b["default"]]), None)
    shown: dict[str, Any] = {"matched_domain": brand["domain"] if brand else "fallback"}
    for name, node in api.line.schemas["CurrentBrand"]["properties"].items():
        value = (brand or {}).get(name)
        flow = api.store.get("/flows/instances/", value) if name.startswith("flow_") and value else None
        if name.startswith("flow_"):
            if flow:
                shown[name] = flow["slug"]
        elif name not in shown:
            shown[name] = (
                value if value is not None else BRAND.get(name, None if node.get("nullable") else "")
            )
    return Answer(200, shown)


BRAND = {
    "branding_title": "authentik",
    "ui_footer_links": [],
    "ui_theme": "automatic",
    "default_locale": "en",
    "flags": {
        "policies_buffered_access_view": False,
        "flows_continuous_login": False,
        "flows_refresh_others": False,
    },
}


def outpost_defaults(_api: Api, call: Call) -> Answer:
    """GET /outposts/instances/default_settings/"""
    return Answer(200, {"config": {**defaults.OUTPOST_CONFIG, "authentik_host": call.context.base_url + "/"}})


def outpost_health(api: Api, call: Call) -> Answer:
    """GET /outposts/instances/{uuid}/health/: no outpost is connected on the bench."""
    target(api, call, OUTPOSTS)
    return Answer(200, [])


def user_paths(api: Api, _call: Call) -> Answer:
    """GET /core/users/paths/"""
    return Answer(200, {"paths": sorted({user["path"] for user in api.store.all(USERS)})})


def check_access(api: Api, call: Call) -> Answer:
    """GET /core/applications/{slug}/check_access/"""
    application = target(api, call, APPLICATIONS)
    asked = call.first("for_user")
    user = api.store.get(USERS, asked) if asked else call.user
    if user is None:
        raise Invalid({"for_user": ["User not found"]})
    passing = access.may_use(api.store, user, application)
    return Answer(200, {"passing": passing, "messages": [], "log_messages": []})


def test_policy(api: Api, call: Call) -> Answer:
    """POST /policies/all/{policy_uuid}/test/"""
    sent = checked(api, call)
    user = api.store.get(USERS, sent["user"])
    if user is None:
        raise Invalid({"user": [f'Invalid pk "{sent["user"]}" - object does not exist.']})
    _, policy = api.locate(call, api.group("any_policy"))
    passing = access.policy_passes(api.store, policy["pk"])
    return Answer(200, {"passing": passing, "messages": [], "log_messages": []})


ACTIONS: dict[tuple[str, str], Action] = {
    ("GET", "/admin/version/"): version,
    ("GET", "/admin/system/"): system,
    ("GET", "/root/config/"): config,
    ("GET", "/core/users/me/"): me,
    ("GET", "/core/users/paths/"): user_paths,
    ("POST", "/core/users/{id}/set_password/"): set_password,
    ("POST", "/core/users/{id}/recovery/"): recovery,
    ("POST", "/core/users/service_account/"): service_account,
    ("POST", "/core/groups/{group_uuid}/add_user/"): members(joining=True),
    ("POST", "/core/groups/{group_uuid}/remove_user/"): members(joining=False),
    ("GET", "/core/tokens/{identifier}/view_key/"): view_key,
    ("POST", "/core/tokens/{identifier}/set_key/"): set_key,
    ("POST", "/crypto/certificatekeypairs/generate/"): generate,
    ("GET", "/crypto/certificatekeypairs/{kp_uuid}/view_certificate/"): view_certificate("_certificate_data"),
    ("GET", "/crypto/certificatekeypairs/{kp_uuid}/view_private_key/"): view_certificate("_key_data"),
    ("GET", "/core/brands/current/"): current_brand,
    ("GET", "/outposts/instances/default_settings/"): outpost_defaults,
    ("GET", "/outposts/instances/{uuid}/health/"): outpost_health,
    ("GET", "/core/applications/{slug}/check_access/"): check_access,
    ("POST", "/policies/all/{policy_uuid}/test/"): test_policy,
}
