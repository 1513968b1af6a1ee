"""Makes a small valid body for any kind of object, from the emulator's own tables and objects that are there."""

from __future__ import annotations

from typing import Any

from bench.authentik import crypto
from bench.authentik.catalog import Kind, Line, Schema

NAMES = iter(range(10**9))
_PEM = crypto.self_signed("test", 30, "ecdsa", "test", [])[0]
# Where a value must mean something.
SPECIAL: dict[str, Any] = {
    "certificate_data": _PEM,
    "expression": "return True",
    "countries": ["DE"],
    "user_fields": ["username"],
    "content": "version: 1\nentries: []\n",
    "action": "login",
    "check_ip": True,
    "internal_host": "http://inside:80",
    "mode": None,
    "webhook_url": "https://hook.example.test/",
    "redirect_uris": [],
    "config": {},
    "template": "email/password_reset.html",
    "backends": ["authentik.core.auth.InbuiltBackend"],
    "device_classes": ["totp"],
    "realm": None,
    "target_static": "https://target.example.test/",
    "issuer": "https://issuer.example.test/",
    "authorization_url": "https://a.example.test/",
    "access_token_url": "https://b.example.test/",
    "profile_url": "https://c.example.test/",
    "kubeconfig": {},
}
# Optional fields that a rule wants.
ALSO = {
    "/providers/proxy/": ["internal_host"],
    "/policies/event_matcher/": ["action", "client_ip", "app", "model"],
    "/policies/reputation/": ["check_ip"],
    "/managed/blueprints/": ["content"],
    "/stages/identification/": ["user_fields"],
    "/events/transports/": ["webhook_url"],
    "/stages/redirect/": ["target_static"],
    "/sources/oauth/": ["authorization_url", "access_token_url", "profile_url"],
    "/sources/saml/": ["issuer"],
    "/outposts/service_connections/kubernetes/": ["local", "kubeconfig"],
    "/sources/ldap/": ["user_property_mappings", "group_property_mappings"],
}


def value(line: Line, kind: Kind, name: str, node: Schema) -> Any:
    """A value that a field's schema takes."""
    schema = line.schema(node)
    if SPECIAL.get(name) is not None:
        return SPECIAL[name]
    if "enum" in schema or "oneOf" in schema:
        values = schema.get("enum") or line.schema(schema["oneOf"][0])["enum"]
        return next(choice for choice in values if choice)
    number = next(NAMES)
    if schema.get("type") == "array":
        return []
    if schema.get("type") == "string":
        texts = {
            "uri": f"https://u{number}.example.test/",
            "email": f"u{number}@example.test",
            "date-time": "2030-01-01T00:00:00Z",
            "uuid": f"00000000-0000-4000-8000-{number:012d}",
        }
        return texts.get(schema.get("format", ""), f"{name}-{number}".replace("_", "-"))
    return {"integer": number % 1000, "number": 1.0, "boolean": True, "object": {}}.get(
        schema.get("type", "")
    )


def body(line: Line, kind: Kind, existing: dict[str, Any]) -> dict[str, Any]:
    """A body for a kind. `existing` has one object of each kind that can be named; KeyError tells the missing kind."""
    schema = line.schemas[kind.request]
    wanted = [
        *schema.get("required", []),
        *(name for name in ALSO.get(kind.path, []) if name in schema["properties"]),
    ]
    if kind.path in ("/policies/bindings/", "/endpoints/device_bindings/"):
        wanted.append("group")
    made: dict[str, Any] = {}
    for name in dict.fromkeys(wanted):
        if ref := kind.refs.get(name):
            narrow = line.expand(kind.facts["refs"][name]["to"])
            found = next((existing[path] for path in narrow if path in existing), None)
            if found is None:
                raise KeyError(narrow[0])
            key = found[
                line.kinds[next(p for p in narrow if p in existing)].pk_field if ref.by == "pk" else ref.by
            ]
            made[name] = [key] if ref.many else key
        else:
            made[name] = value(line, kind, name, schema["properties"][name])
    if kind.path == "/outposts/instances/":
        made["type"] = next(
            path.split("/")[2] for path in kind.facts["refs"]["providers"]["to"] if path in existing
        )
    return made
