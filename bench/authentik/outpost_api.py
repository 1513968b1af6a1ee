"""What outposts that run beside authentik ask it: which providers they serve, and who may use an app."""

from __future__ import annotations

from typing import Any

from bench.authentik import access, lists, permissions
from bench.authentik.api import Action, Api
from bench.authentik.calls import Answer, Call, NotFoundError
from bench.authentik.context import APPLICATIONS, FLOWS, OUTPOSTS
from bench.authentik.store import Data

LDAP, RADIUS = "/providers/ldap/", "/providers/radius/"
SEARCH = "authentik_providers_ldap.search_full_directory"
_SAME = {
    LDAP: (
        "base_dn",
        "certificate",
        "tls_server_name",
        "uid_start_number",
        "gid_start_number",
        "search_mode",
        "bind_mode",
        "mfa_support",
    ),
    RADIUS: ("client_networks", "shared_secret", "mfa_support"),
}
_FLOW_FIELD = {LDAP: "bind_flow_slug", RADIUS: "auth_flow_slug"}


def served(kind: str) -> Action:
    """GET /outposts/ldap/ and /outposts/radius/: the providers of the caller's outpost that have an application."""

    def answer(api: Api, call: Call) -> Answer:
        rows: list[Any] = []
        for pk in _served_by(api, call):
            provider = api.store.get(kind, pk)
            application = _application(api, pk)
            if provider is not None and application is not None:
                flow = api.store.get(FLOWS, provider["authorization_flow"]) or {}
                rows.append(
                    {
                        "pk": provider["pk"],
                        "name": provider["name"],
                        "application_slug": application["slug"],
                        _FLOW_FIELD[kind]: flow.get("slug"),
                        **{name: provider.get(name) for name in _SAME[kind]},
                        "unbind_flow_slug": None,
                    }
                )
        block, shown = lists.page(rows, dict(call.query))
        return Answer(200, lists.answer(block, list(shown)))

    return answer


def check_access(kind: str) -> Action:
    """GET …/{id}/check_access/: whether the caller may use the app, and may read the whole directory."""

    def answer(api: Api, call: Call) -> Answer:
        provider = api.store.get(kind, call.arguments["id"])
        application = api.store.find(APPLICATIONS, slug=call.first("app_slug"))
        if provider is None or application is None or call.user is None:
            raise NotFoundError("No Application matches the given query.")
        found = access.decide(api.store, call.user, application)
        told: dict[str, Any] = {
            "access": {"passing": found.passing, "messages": found.messages, "log_messages": []}
        }
        if kind == LDAP:
            told["has_search_permission"] = permissions.has(
                api.store, call.user, SEARCH, LDAP, provider["pk"]
            )
        return Answer(200, told)

    return answer


def _served_by(api: Api, call: Call) -> list[Any]:
    """The pks of the providers that the caller's outposts have; an administrator sees those of all."""
    outposts: list[Data] = [
        each
        for each in api.store.all(OUTPOSTS)
        if call.user is not None and call.user.get("_of") in (None, each["pk"])
    ]
    return [pk for each in outposts for pk in each["providers"]]


def _application(api: Api, pk: Any) -> Data | None:
    for each in api.store.all(APPLICATIONS):
        if each.get("provider") == pk or pk in (each.get("backchannel_providers") or ()):
            return each
    return None


OUTPOST_API: dict[tuple[str, str], Action] = {
    ("GET", "/outposts/ldap/"): served(LDAP),
    ("GET", "/outposts/ldap/{id}/check_access/"): check_access(LDAP),
    ("GET", "/outposts/radius/"): served(RADIUS),
    ("GET", "/outposts/radius/{id}/check_access/"): check_access(RADIUS),
    ("GET", "/rbac/permissions/roles/"): permissions.of_role,
    ("POST", "/rbac/permissions/assigned_by_roles/{uuid}/assign/"): permissions.assign,
    ("PATCH", "/rbac/permissions/assigned_by_roles/{uuid}/unassign/"): permissions.unassign,
}
