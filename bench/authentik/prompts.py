"""Stages that ask for values, and the one that writes them to a person."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from bench.authentik import crypto
from bench.authentik.access import NOBODY
from bench.authentik.context import GROUPS, USERS
from bench.authentik.passwords import hashed
from bench.authentik.policies import PolicyError, evaluate, person
from bench.authentik.sessions import Plan
from bench.authentik.stages import Errors
from bench.authentik.store import Data, Store

PROMPT, WRITE = "/stages/prompt/stages/", "/stages/user_write/"
PROMPTS = "/stages/prompt/prompts/"
SHOWN = ("field_key", "label", "type", "required", "placeholder", "initial_value", "order", "sub_text")
SILENT_TYPES = {"static", "separator"}
FAILED = "Failed to update user. Please try again later."


def fields_of(store: Store, stage: Data) -> list[Data]:
    """The questions in their order."""
    found = [store.get(PROMPTS, pk) for pk in stage.get("fields") or []]
    return sorted((each for each in found if each), key=lambda each: int(each.get("order") or 0))


def ask(store: Store, _plan: Plan, stage: Data) -> dict[str, Any]:
    """Ask for the values."""
    rows = [
        {**{name: each.get(name, "") for name in SHOWN}, "choices": None} for each in fields_of(store, stage)
    ]
    return {"component": "ak-stage-prompt", "fields": rows}


def take(store: Store, plan: Plan, stage: Data, body: Mapping[str, Any]) -> Errors | None:
    """The values, which the policies of the stage have to like."""
    errors: Errors = {}
    data: dict[str, Any] = {}
    for each in fields_of(store, stage):
        key = str(each["field_key"])
        if each["type"] in SILENT_TYPES:
            value: Any = each.get("initial_value") or ""
        elif each["type"] == "checkbox":
            value = body.get(key) in (True, "true", "on")  # what is left out is "not ticked", required or not
        else:
            value = str(body.get(key) or "")
            if each.get("required") and not value:
                errors[key] = "This field may not be blank." if key in body else "This field is required."
        nest(data, key, value)
    if errors:
        return errors
    typed = {
        str(body.get(str(each["field_key"])))
        for each in fields_of(store, stage)
        if each["type"] == "password"
    }
    if len(typed) > 1:
        return {"non_field_errors": "Passwords don't match."}
    user = store.get(USERS, plan.pending) if plan.pending else None
    context = {**plan.context, "prompt_data": data, **({"pending_user": person(store, user)} if user else {})}
    for pk in stage.get("validation_policies") or []:
        try:
            verdict = evaluate(store, pk, user or NOBODY, context)
        except PolicyError as error:
            return {"non_field_errors": str(error)}
        if not verdict.passing:
            return {"non_field_errors": ", ".join(verdict.messages) or "Policy denied"}
    plan.context["prompt_data"] = {**plan.context.get("prompt_data", {}), **data}
    return None


def nest(data: dict[str, Any], key: str, value: Any) -> None:
    """Dots in a key are nested keys."""
    *folders, last = key.split(".")
    for folder in folders:
        data = data.setdefault(folder, {})
    data[last] = value


def write(store: Store, plan: Plan, stage: Data) -> str:
    """Write the values to the person, or make one; what is wrong, in authentik's words."""
    values = dict(plan.context.get("prompt_data") or {})
    user = store.get(USERS, plan.pending) if plan.pending else None
    mode = stage.get("user_creation_mode") or "create_when_required"
    taken = store.find(USERS, username=values["username"]) if values.get("username") else None
    if taken is not None and (user is None or taken["pk"] != user["pk"]):
        return FAILED
    if mode == "always_create" or (user is None and mode == "create_when_required"):
        user = new_user(store, stage, values)
        plan.pending = str(user["pk"])
    if user is None:
        return "No user found and can't create new user."
    changed = {name: values[name] for name in ("username", "name", "email") if name in values}
    attributes = {**user.get("attributes", {}), **values.get("attributes", {})}
    if password := values.get("password"):
        changed |= {"_password": hashed(str(password)), "password_change_date": crypto.now()}
    store.replace(USERS, user["pk"], {**user, **changed, "attributes": attributes})
    return ""


def new_user(store: Store, stage: Data, values: Mapping[str, Any]) -> Data:
    """Somebody who made an account for themselves."""
    pk = store.next_int(USERS)
    group = store.get(GROUPS, stage.get("create_users_group"))
    row: Data = {
        "pk": pk,
        "username": values.get("username") or "",
        "name": values.get("name") or "",
        "email": values.get("email") or "",
        "is_active": not stage.get("create_users_as_inactive"),
        "last_login": None,
        "groups": [group["pk"]] if group else [],
        "roles": [],
        "attributes": {},
        "path": stage.get("user_path_template") or "users",
        "type": stage.get("user_type") or "external",
        "uuid": str(uuid.uuid4()),
        "date_joined": crypto.now(),
        "password_change_date": crypto.now(),
        "last_updated": crypto.now(),
        "_password": "",
    }
    store.insert(USERS, pk, row)
    return row
