"""What a new authentik holds: the default objects, the administrator, and how they appear during the first start.

`schema/defaults.json` lists objects as [kind, fields]; references in it are natural keys (a slug, a name; for a policy
binding's target [flow] or [flow, stage]). "first" is there when the token starts to work, "later" comes with the
blueprints, "examples" are made by applying the blueprint file of that name.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench.authentik import crypto, writes
from bench.authentik.catalog import SCHEMAS, Kind, Ref
from bench.authentik.context import GROUPS, OUTPOSTS, USERS, Context
from bench.authentik.passwords import hashed
from bench.authentik.rules import Request
from bench.authentik.store import Data

EMBEDDED = "goauthentik.io/outposts/embedded"
BOOTSTRAP_TOKEN = "authentik-bootstrap-token"  # noqa: S105 (an identifier)
CERTIFICATE = "authentik Self-signed Certificate"
FLOWS, BLUEPRINTS = "/flows/instances/", "/managed/blueprints/"
# The configuration of a new outpost, in the order in which the default settings list it.
OUTPOST_CONFIG: dict[str, Any] = {
    "authentik_host": "",
    "authentik_host_insecure": False,
    "authentik_host_browser": "",
    "log_level": "info",
    "object_naming_template": "ak-outpost-%(name)s",
    "refresh_interval": "minutes=5",
    "container_image": None,
    "docker_network": None,
    "docker_map_ports": True,
    "docker_labels": None,
    "kubernetes_replicas": 1,
    "kubernetes_namespace": "default",
    "kubernetes_ingress_annotations": {},
    "kubernetes_ingress_secret_name": "authentik-outpost-tls",
    "kubernetes_ingress_class_name": None,
    "kubernetes_ingress_path_type": None,
    "kubernetes_httproute_annotations": {},
    "kubernetes_httproute_parent_refs": [],
    "kubernetes_service_type": "ClusterIP",
    "kubernetes_disabled_components": [],
    "kubernetes_image_pull_secrets": [],
    "kubernetes_json_patches": None,
}


@dataclass(frozen=True)
class Bootstrap:
    """The first administrator, from the worker's environment; it counts at the first start only."""

    password: str = ""
    token: str = field(default="", repr=False)
    email: str = ""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Bootstrap:
        """AUTHENTIK_BOOTSTRAP_{PASSWORD,TOKEN,EMAIL}; no other form of them is read."""
        return cls(
            *(environment.get(f"AUTHENTIK_BOOTSTRAP_{name}", "") for name in ("PASSWORD", "TOKEN", "EMAIL"))
        )


def tables() -> dict[str, Any]:
    """The lists of default objects."""
    found: dict[str, Any] = json.loads((SCHEMAS / "defaults.json").read_text())
    return found


def by_key(context: Context, ref: Ref, key: Any) -> Any:
    """The reference value of the object that a natural key names; KeyError when there is none."""
    if isinstance(key, list):
        flow = context.store.find(FLOWS, slug=key[0])
        if flow is None or len(key) == 1:
            return (flow or {})["pk"]
        stages = {
            s["pk"]
            for path in context.line.groups["any_stage"]
            for s in context.store.all(path)
            if s["name"] == key[1]
        }
        bindings = [
            b
            for b in context.store.all("/flows/bindings/")
            if b["target"] == flow["pk"] and b["stage"] in stages
        ]
        return bindings[0]["pk"]
    for path in ref.kinds:
        kind = context.line.kinds.get(path)
        if kind and (data := context.store.find(path, **{kind.facts["key"]["fields"][0]: key})):
            return data[kind.pk_field if ref.by == "pk" else ref.by]
    raise KeyError(f"{ref.field}: nothing is called {key!r}")


def add(context: Context, path: str, fields: Mapping[str, Any], adjust: bool = False) -> Data | None:
    """Make an object from natural keys, without the API's checks; an object of that key stays (or is adjusted)."""
    kind = context.line.kinds.get(path)
    if kind is None:
        return None
    known = context.line.schemas[kind.request]["properties"]
    values: dict[str, Any] = {
        name: value for name, value in fields.items() if name in known or name.startswith("_")
    }
    for name, ref in kind.refs.items():
        if name in values and values[name] is not None:
            keys = values[name] if ref.many else [values[name]]
            found = [by_key(context, ref, key) for key in keys]
            values[name] = found if ref.many else found[0]
    before = existing(context, kind, values)
    if before is not None and not adjust:
        return before
    return writes.apply(Request(context, kind, values, before, partial=before is not None), None)


def existing(context: Context, kind: Kind, values: Mapping[str, Any]) -> Data | None:
    """The object that these values describe."""
    if kind.path in ("/flows/bindings/", "/policies/bindings/"):
        names = [name for name in ("target", "stage", "policy", "order") if name in values]
    else:
        names = [name for name in kind.facts["key"]["fields"] if name in values]
    return context.store.find(kind.path, **{name: values[name] for name in names}) if names else None


def install(context: Context) -> None:
    """What a database holds once it has been migrated: an identity of its own, and users that nobody sees."""
    if context.store.get("_meta", "install") is None:
        context.store.insert("_meta", "install", {"id": str(uuid.uuid4())})
        # Two numbers are taken before the administrator's: the anonymous user and one that migrations delete again.
        for _ in range(2):
            context.store.next_int(USERS)


def bootstrap(context: Context, first: Bootstrap) -> None:
    """The administrator and the groups, once in a database's life."""
    if context.store.get("_meta", "bootstrapped") is not None:
        return
    context.store.insert("_meta", "bootstrapped", {"at": crypto.now()})
    for path, fields in tables()["first"]:
        add(context, path, fields)
    group = context.store.find(GROUPS, name="authentik Admins")
    admin = {
        "username": "akadmin",
        "name": "authentik Default Admin",
        "email": first.email or "root@example.com",
    }
    user = add(context, USERS, {**admin, "groups": [], "path": "users", "type": "internal"})
    assert user is not None
    assert group is not None
    password = hashed(first.password) if first.password else ""
    context.store.replace(USERS, user["pk"], {**user, "groups": [group["pk"]], "_password": password})
    if first.token:
        token = add(
            context, "/core/tokens/", {"identifier": BOOTSTRAP_TOKEN, "intent": "api", "expiring": False}
        )
        assert token is not None
        row = {**token, "user": user["pk"], "_key": first.token, "managed": "goauthentik.io/bootstrap"}
        context.store.replace("/core/tokens/", token["pk"], row)


def embedded_outpost(context: Context) -> None:
    """The embedded outpost: each start of the server makes it again if it is gone."""
    if context.store.find(OUTPOSTS, managed=EMBEDDED) is None:
        fields = {
            "name": "authentik Embedded Outpost",
            "type": "proxy",
            "providers": [],
            "config": OUTPOST_CONFIG,
        }
        outpost = add(context, OUTPOSTS, fields)
        assert outpost is not None
        context.store.replace(OUTPOSTS, outpost["pk"], {**outpost, "managed": EMBEDDED})


def certificate(context: Context, version: str) -> None:
    """The self-signed certificate, with a key pair of this installation's own."""
    if context.store.find("/crypto/certificatekeypairs/", name=CERTIFICATE) is None:
        data, key = crypto.self_signed(CERTIFICATE, 365, "rsa", version, ["*"])
        add(
            context,
            "/crypto/certificatekeypairs/",
            {"name": CERTIFICATE, "certificate_data": data, "key_data": key},
        )


def blueprints(context: Context) -> None:
    """Everything that the default blueprints make, and the blueprints themselves."""
    if context.store.get("_meta", "blueprints") is not None:
        return
    context.store.insert("_meta", "blueprints", {"at": crypto.now()})
    lists = tables()
    for path, fields in lists["later"]:
        add(context, path, fields)
    for file, name, labels in lists["blueprints"]:
        if labels.get("blueprints.goauthentik.io/instantiate") != "false":
            row = add(context, BLUEPRINTS, {"name": name, "path": file, "enabled": True})
            assert row is not None
            applied = {
                "status": "successful",
                "last_applied_hash": "0" * 128,
                "metadata": {"name": name, "labels": labels},
            }
            context.store.replace(BLUEPRINTS, row["pk"], {**row, **applied})
