"""Endpoints that tell about the server, the caller and what may be done."""

from __future__ import annotations

import platform
from typing import Any

from bench.authentik import access, crypto, defaults, permissions
from bench.authentik.api import Action, Api
from bench.authentik.avatars import avatar
from bench.authentik.calls import Answer, Call, checked
from bench.authentik.computed import uid
from bench.authentik.context import APPLICATIONS, OUTPOSTS, USERS, groups_of, is_superuser
from bench.authentik.fields import Invalid
from bench.authentik.source_types import SOURCE_TYPES

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


def outpost_defaults(_api: Api, call: Call) -> Answer:
    """GET /outposts/instances/default_settings/"""
    return Answer(200, {"config": {**defaults.OUTPOST_CONFIG, "authentik_host": call.context.base_url + "/"}})


def outpost_health(api: Api, call: Call) -> Answer:
    """GET /outposts/instances/{uuid}/health/: no outpost is connected on the bench."""
    api.one(call, OUTPOSTS)
    return Answer(200, [])


def check_access(api: Api, call: Call) -> Answer:
    """GET /core/applications/{slug}/check_access/"""
    application = api.one(call, APPLICATIONS)
    asked, user = call.first("for_user"), call.user
    if asked is not None:
        if not asked.isdigit():
            raise Invalid({"for_user": "for_user must be numerical"})
        user = api.store.get(USERS, asked)
    if user is None:
        raise Invalid({"for_user": "User not found"})
    found = access.decide(api.store, user, application)
    return Answer(200, {"passing": found.passing, "messages": found.messages, "log_messages": []})


def test_policy(api: Api, call: Call) -> Answer:
    """POST /policies/all/{policy_uuid}/test/"""
    sent = checked(call)
    user = api.store.get(USERS, sent["user"])
    if user is None:
        raise Invalid({"user": [f'Invalid pk "{sent["user"]}" - object does not exist.']})
    _, policy = api.locate(call, api.group("any_policy"))
    found = access.verdict(api.store, user, {"policy": policy["pk"]}, dict(sent.get("context") or {}))
    return Answer(200, {"passing": found.passing, "messages": found.messages, "log_messages": []})


def me(api: Api, call: Call) -> Answer:
    """GET /core/users/me/"""
    user = call.user
    assert user is not None
    superuser = is_superuser(api.store, user)
    groups = [{"name": g["name"], "pk": g["pk"]} for g in groups_of(api.store, user)]
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
                "avatar": avatar(str(user["name"] or user["username"])),
                "uid": uid(call.context, user),
                "settings": dict(user["attributes"].get("settings", {})),
                "system_permissions": SYSTEM_PERMISSIONS if superuser else [],
            }
        },
    )


def source_types(api: Api, call: Call) -> Answer:
    """GET /sources/oauth/source_types/: those of the line, or the one that is asked for."""
    known = api.line.schemas["ProviderTypeEnum"]["enum"]
    asked = call.first("name")
    return Answer(200, [row for name, row in SOURCE_TYPES.items() if name in known and asked in (None, name)])


TENANT: dict[str, Any] = {
    "avatars": "gravatar,initials",
    "default_user_change_name": True,
    "default_user_change_email": False,
    "default_user_change_username": False,
    "event_retention": "days=365",
    "reputation_lower_limit": -5,
    "reputation_upper_limit": 5,
    "footer_links": [],
    "gdpr_compliance": True,
    "impersonation": True,
    "impersonation_require_reason": True,
    "default_token_duration": "minutes=30",
    "default_token_length": 60,
    "pagination_default_page_size": 20,
    "pagination_max_page_size": 100,
    "flags": {},
}
"""The settings of a new installation."""


def tenant(api: Api) -> dict[str, Any]:
    """The settings as they are."""
    return {**TENANT, **(api.store.get("_meta", "tenant") or {})}


def settings(api: Api, _call: Call) -> Answer:
    """GET /admin/settings/"""
    return Answer(200, tenant(api))


def change_settings(api: Api, call: Call) -> Answer:
    """PATCH and PUT /admin/settings/"""
    kept = {**(api.store.get("_meta", "tenant") or {}), **call.body}
    if api.store.get("_meta", "tenant") is None:
        api.store.insert("_meta", "tenant", kept)
    else:
        api.store.replace("_meta", "tenant", kept)
    return Answer(200, tenant(api))


def impersonate(api: Api, call: Call) -> Answer:
    """POST /core/users/{id}/impersonate/: refused where it is switched off; else it is more than the bench does."""
    api.one(call, USERS)
    if not tenant(api)["impersonation"]:
        return Answer(401)
    return Answer(501, {"detail": "The bench's authentik lets nobody act as somebody else."})


INFO: dict[tuple[str, str], Action] = {
    ("GET", "/admin/version/"): version,
    ("GET", "/admin/system/"): system,
    ("GET", "/admin/settings/"): settings,
    ("PATCH", "/admin/settings/"): change_settings,
    ("PUT", "/admin/settings/"): change_settings,
    ("POST", "/core/users/{id}/impersonate/"): impersonate,
    ("GET", "/root/config/"): config,
    ("GET", "/core/users/me/"): me,
    ("GET", "/sources/oauth/source_types/"): source_types,
    ("GET", "/rbac/permissions/"): permissions.listing,
    ("GET", "/core/brands/current/"): current_brand,
    ("GET", "/outposts/instances/default_settings/"): outpost_defaults,
    ("GET", "/outposts/instances/{uuid}/health/"): outpost_health,
    ("GET", "/core/applications/{slug}/check_access/"): check_access,
    ("POST", "/policies/all/{policy_uuid}/test/"): test_policy,
}
