"""The audit log: what was done by whom, newest last in the store."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from bench.authentik import crypto
from bench.authentik.catalog import Kind
from bench.authentik.store import Data, Store

EVENTS = "/events/events/"
# The real server keeps a year; the emulator keeps its database small.
KEPT = 500


def emit(
    store: Store,
    action: str,
    app: str,
    user: Data | None,
    context: Mapping[str, Any],
    client_ip: str = "127.0.0.1",
) -> None:
    """Add an event, e.g. `emit(store, "login", "authentik.events.signals", user, {"auth_method": "password"})`."""
    brand = store.find("/core/brands/", default=True)
    who = {name: user[name] for name in ("pk", "email", "username")} if user else {}
    pk = str(uuid.uuid4())
    row = {
        "pk": pk,
        "user": who,
        "action": action,
        "app": app,
        "context": dict(context),
        "client_ip": client_ip,
        "created": crypto.now(),
        "expires": crypto.later(days=365),
        "brand": reference("authentik_brands.brand", brand["brand_uuid"], "Default brand") if brand else {},
    }
    store.insert(EVENTS, pk, row)
    if store.count(EVENTS) > KEPT:
        store.remove(EVENTS, store.all(EVENTS)[0]["pk"])


def reference(label: str, pk: object, name: str) -> dict[str, str]:
    """An object as an event names it."""
    app, model = label.split(".")
    return {"pk": str(pk).replace("-", ""), "app": app, "name": name, "model_name": model}


def written(store: Store, action: str, kind: Kind, data: Data, user: Data | None) -> None:
    """An object was made, changed or deleted ("model_created", "model_updated", "model_deleted")."""
    name = str(data.get("name") or data.get("slug") or data.get("identifier") or data[kind.pk_field])
    emit(
        store,
        action,
        "authentik.core.middleware",
        user,
        {"model": reference(kind.label, data[kind.pk_field], name)},
    )
