"""Endpoints that are no plain objects: passwords, keys, certificates, versions, the caller."""

from __future__ import annotations

from bench.authentik import crypto, defaults, events, links, writes
from bench.authentik.api import Action, Api
from bench.authentik.calls import Answer, Call, checked
from bench.authentik.computed import uid
from bench.authentik.context import FLOWS, GROUPS, USERS, Context
from bench.authentik.fields import Invalid
from bench.authentik.flows import steps
from bench.authentik.passwords import hashed
from bench.authentik.render import render
from bench.authentik.sessions import Plan
from bench.authentik.store import Data

TOKENS, CERTIFICATES, APPLICATIONS = "/core/tokens/", "/crypto/certificatekeypairs/", "/core/applications/"


def set_password(api: Api, call: Call) -> Answer:
    """POST /core/users/{id}/set_password/"""
    user = api.one(call, USERS)
    stored = hashed(checked(call)["password"])
    api.store.replace(USERS, user["pk"], {**user, "_password": stored, "password_change_date": crypto.now()})
    return Answer(204)


def rest_of_recovery(api: Api, user: Data) -> Plan:
    """The whole recovery flow of the brand, about this person. Raises Invalid where there is none."""
    brand = api.store.find("/core/brands/", default=True)
    flow = api.store.get(FLOWS, brand.get("flow_recovery")) if brand else None
    if flow is None:
        raise Invalid({"non_field_errors": "No recovery flow set."})
    context = Context(api.line, api.store)
    return Plan(flow["slug"], steps(context, flow, user), pending=str(user["pk"]))


def recovery(api: Api, call: Call) -> Answer:
    """POST /core/users/{id}/recovery/: a link to hand over, good for one opening."""
    user = api.one(call, USERS)
    plan = rest_of_recovery(api, user)
    lasts = (call.body or {}).get("token_duration")
    key = links.make(api.store, plan, f"{user['uuid']}-password-reset", lasts, once=True)
    return Answer(200, {"link": f"{call.context.base_url}/if/flow/{plan.flow}/?flow_token={key}"})


def recovery_email(api: Api, call: Call) -> Answer:
    """POST /core/users/{id}/recovery_email/: the same link by mail, which asks to be confirmed first."""
    user, sent = api.one(call, USERS), checked(call)
    if not user.get("email"):
        raise Invalid({"non_field_errors": "User does not have an email address set."})
    plan = rest_of_recovery(api, user)
    stage = api.store.get(links.EMAIL, sent["email_stage"])
    if stage is None:
        raise Invalid({"email_stage": [f'Invalid pk "{sent["email_stage"]}" - object does not exist.']})
    key = links.make(api.store, plan, f"{user['uuid']}-password-reset", sent.get("token_duration"))
    links.send(api.store, stage, user, f"{call.context.base_url}/if/flow/{plan.flow}/?flow_token={key}")
    return Answer(204)


def service_account(api: Api, call: Call) -> Answer:
    """POST /core/users/service_account/: a user with an app password, and a group if asked for."""
    sent = checked(call)
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
        group = api.one(call, GROUPS)
        user = api.store.get(USERS, checked(call)["pk"])
        if user is None:
            return Answer(404, {"detail": "No User matches the given query."})
        kept = [pk for pk in user["groups"] if pk != group["pk"]]
        api.store.replace(USERS, user["pk"], {**user, "groups": [*kept, group["pk"]] if joining else kept})
        return Answer(204)

    return change


def view_key(api: Api, call: Call) -> Answer:
    """GET /core/tokens/{identifier}/view_key/"""
    token = api.one(call, TOKENS)
    secret = events.reference("authentik_core.token", token["pk"], token["identifier"])
    events.emit(api.store, "secret_view", "authentik.core.api.tokens", call.user, {"secret": secret})
    return Answer(200, {"key": token["_key"]})


def set_key(api: Api, call: Call) -> Answer:
    """POST /core/tokens/{identifier}/set_key/"""
    token = api.one(call, TOKENS)
    api.store.replace(TOKENS, token["pk"], {**token, "_key": checked(call)["key"]})
    return Answer(204)


def generate(api: Api, call: Call) -> Answer:
    """POST /crypto/certificatekeypairs/generate/"""
    sent = checked(call)
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
        text = api.one(call, CERTIFICATES).get(name, "")
        if call.first("download") is not None:
            return Answer(200, text, "application/x-pem-file")
        return Answer(200, {"data": text})

    return view


def user_paths(api: Api, _call: Call) -> Answer:
    """GET /core/users/paths/"""
    return Answer(200, {"paths": sorted({user["path"] for user in api.store.all(USERS)})})


ACTIONS: dict[tuple[str, str], Action] = {
    ("GET", "/core/users/paths/"): user_paths,
    ("POST", "/core/users/{id}/set_password/"): set_password,
    ("POST", "/core/users/{id}/recovery/"): recovery,
    ("POST", "/core/users/{id}/recovery_email/"): recovery_email,
    ("POST", "/core/users/service_account/"): service_account,
    ("POST", "/core/groups/{group_uuid}/add_user/"): members(joining=True),
    ("POST", "/core/groups/{group_uuid}/remove_user/"): members(joining=False),
    ("GET", "/core/tokens/{identifier}/view_key/"): view_key,
    ("POST", "/core/tokens/{identifier}/set_key/"): set_key,
    ("POST", "/crypto/certificatekeypairs/generate/"): generate,
    ("GET", "/crypto/certificatekeypairs/{kp_uuid}/view_certificate/"): view_certificate("_certificate_data"),
    ("GET", "/crypto/certificatekeypairs/{kp_uuid}/view_private_key/"): view_certificate("_key_data"),
}
