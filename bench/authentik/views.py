"""Endpoints that show objects in another form, or do several things at once."""

from __future__ import annotations

import re
from typing import Any
from xml.sax.saxutils import quoteattr

from bench.authentik import blueprints, fields, lists, writes
from bench.authentik.api import Action, Api
from bench.authentik.calls import HTML, Answer, Call
from bench.authentik.catalog import Kind
from bench.authentik.computed import Shown, application_of
from bench.authentik.context import BINDINGS
from bench.authentik.fields import Invalid
from bench.authentik.pages import NOT_FOUND_PAGE
from bench.authentik.render import render
from bench.authentik.rules import Crash

OAUTH2, SAML = "/providers/oauth2/", "/providers/saml/"
MD = "urn:oasis:names:tc:SAML:2.0"


def setup_urls(api: Api, call: Call) -> Answer:
    """GET /providers/oauth2/{id}/setup_urls/: most of them need an application."""
    kind = api.line.kinds[OAUTH2]
    _, provider = api.locate(call, [kind])
    base = call.context.base_url + "/application/o/"
    shown: dict[str, Any] = {
        "issuer": None, "authorize": base + "authorize/", "token": base + "token/", "user_info": base + "userinfo/",
        "provider_info": None, "logout": None,
    }  # fmt: skip
    if application := application_of(Shown(call.context, kind, provider)):
        own = f"{base}{application['slug']}/"
        issuer = own if provider["issuer_mode"] == "per_provider" else call.context.base_url + "/"
        shown |= {"issuer": issuer, "provider_info": own + ".well-known/openid-configuration",
                  "logout": own + "end-session/", "jwks": own + "jwks/"}  # fmt: skip
    return Answer(200, shown)


def saml_metadata(api: Api, call: Call) -> Answer:
    """GET /providers/saml/{id}/metadata/: unsigned, which the real server's is not."""
    kind = api.line.kinds[SAML]
    _, provider = api.locate(call, [kind])
    urls = render(call.context, kind, provider)
    pair = api.store.get("/crypto/certificatekeypairs/", provider.get("signing_kp")) or {}
    certificate = re.sub(r"-----.*?-----|\s", "", pair.get("_certificate_data", ""))
    services = "".join(
        f'<md:{service} Binding="{MD}:bindings:HTTP-{binding}" Location={quoteattr(urls[field])}/>'
        for service, binding, field in (
            ("SingleLogoutService", "Redirect", "url_slo_redirect"), ("SingleLogoutService", "POST", "url_slo_post"),
            ("SingleSignOnService", "Redirect", "url_sso_redirect"), ("SingleSignOnService", "POST", "url_sso_post"),
        )
    )  # fmt: skip
    key = (
        '<md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>'
        f"{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
    )
    issuer = provider.get("issuer") or provider.get("issuer_override") or urls.get("url_issuer", "")
    text = (
        f'<md:EntityDescriptor xmlns:md="{MD}:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" '
        f'entityID={quoteattr(issuer)}><md:IDPSSODescriptor protocolSupportEnumeration="{MD}:protocol">'
        f"{key if certificate else ''}{services}</md:IDPSSODescriptor></md:EntityDescriptor>"
    )
    if call.first("download") is not None:
        name = f'attachment; filename="{provider["name"]}_authentik_meta.xml"'
        return Answer(200, text, "application/xml", {"Content-Disposition": name})
    return Answer(200, {"metadata": text})


def blueprint_files(api: Api, _call: Call) -> Answer:
    """GET /managed/blueprints/available/: the worker reads the files, so it must be there."""
    if not api.store.worker_alive():
        return Answer(500, NOT_FOUND_PAGE.replace("Not Found", "Server Error"), HTML)
    return Answer(200, blueprints.available())


def make_blueprint(api: Api, call: Call) -> Answer:
    """POST /managed/blueprints/: a path is looked up by the worker; without one the server fails."""
    kind = api.line.kinds[blueprints.BLUEPRINTS]
    path = call.body.get("path")
    if path and not api.store.worker_alive():
        raise Crash
    if path and not blueprints.exists(str(path)):
        raise Invalid({"path": ["Blueprint file does not exist"]})
    data = writes.apply(writes.prepare(call.context, kind, call.body, None, partial=False), call.user)
    return Answer(201, render(call.context, kind, data))


def apply_blueprint(api: Api, call: Call) -> Answer:
    """POST …/apply/: answers at once; the worker does it soon after."""
    kind, blueprint = api.locate(call, [api.line.kinds[blueprints.BLUEPRINTS]])
    shown = render(call.context, kind, blueprint)
    api.store.replace(kind.path, blueprint["pk"], {**blueprint, "_apply": True})
    if api.store.backend is None:
        blueprints.apply_waiting(call.context)
    return Answer(200, shown)


def transactional(api: Api, call: Call) -> Answer:
    """PUT /core/transactional/applications/: provider, application and bindings, all or nothing."""
    sent = fields.body(api.line, {**api.line.schemas[call.operation["body"]], "properties": PARTS}, call.body)
    application, provider = (
        api.line.kinds["/core/applications/"],
        api.line.by_label.get(sent["provider_model"]),
    )
    if provider is None:
        raise Invalid({"provider_model": [f'"{sent["provider_model"]}" is not a valid choice.']})
    # The real server tries it first in a transaction that it rolls back, which uses up a number.
    if provider.pk_type == "int":
        writes.new_pk(call.context, provider)
    one = part("app", call, application, sent["app"])
    two = part("provider", call, provider, sent["provider"])
    one.sent["provider"] = writes.apply(two, call.user)["pk"]
    made = writes.apply(one, call.user)
    for body in sent.get("policy_bindings", []):
        binding = {**body, "target": made["pk"]}
        writes.apply(part("policy_bindings", call, api.line.kinds[BINDINGS], binding), call.user)
    return Answer(200, {"applied": True, "logs": []})


PARTS: dict[str, Any] = {
    "app": {"type": "object"},
    "provider_model": {"type": "string", "minLength": 1},
    "provider": {"type": "object"},
    "policy_bindings": {"type": "array", "items": {"type": "object"}},
}


def part(name: str, call: Call, kind: Kind, body: dict[str, Any]) -> Any:
    """One part of a transaction, its errors below its name."""
    try:
        return writes.prepare(call.context, kind, body, None, partial=False)
    except Invalid as error:
        raise Invalid({name: error.detail}) from None


def tasks(api: Api, call: Call) -> Answer:
    """GET /tasks/tasks/: what the worker did for objects of the API, the last one first."""
    asked = call.first("rel_obj_id")
    found: list[Any] = [row for row in api.store.all(blueprints.TASKS) if asked in (None, row["rel_obj_id"])]
    found.sort(key=lambda row: str(row["mtime"]), reverse=True)
    block, shown = lists.page(found, dict(call.query))
    return Answer(200, lists.answer(block, list(shown)))


VIEWS: dict[tuple[str, str], Action] = {
    ("GET", "/providers/oauth2/{id}/setup_urls/"): setup_urls,
    ("GET", "/providers/saml/{id}/metadata/"): saml_metadata,
    ("GET", "/tasks/tasks/"): tasks,
    ("GET", "/managed/blueprints/available/"): blueprint_files,
    ("POST", "/managed/blueprints/"): make_blueprint,
    ("POST", "/managed/blueprints/{instance_uuid}/apply/"): apply_blueprint,
    ("PUT", "/core/transactional/applications/"): transactional,
}
