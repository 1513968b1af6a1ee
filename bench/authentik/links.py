"""Links that lead into the middle of a flow: in mails, and as an administrator hands them over.

A link carries the key of a token that holds the rest of a plan. One in a mail asks to be confirmed first, since mail
scanners open links; one that is handed over is good for one opening.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from bench.authentik import crypto
from bench.authentik.computed import seconds
from bench.authentik.context import USERS
from bench.authentik.sessions import Plan, Step
from bench.authentik.stages import Errors, pending
from bench.authentik.store import Data, Store

TOKENS, MAILS = "/core/tokens/", "_mails"
EMAIL, CONFIRM = "/stages/email/", "confirm-email"
"""The stage that sends a link, and the page that it begins with; that is no object."""


def make(store: Store, plan: Plan, identifier: str, lasts: object, *, once: bool = False) -> str:
    """A token for the rest of a plan; its key. There is one of each identifier, and a second call prolongs it."""
    rest = {"flow": plan.flow, "stages": [list(each) for each in plan.stages], "pending": plan.pending}
    expires = crypto.later(minutes=max(1, seconds(lasts or "minutes=30") // 60))
    known = store.find(TOKENS, identifier=identifier)
    if known is not None:
        store.replace(TOKENS, known["pk"], {**known, "expires": expires, "_plan": rest, "_once": once})
        return str(known["_key"])
    user = store.get(USERS, plan.pending)
    row = {
        "pk": str(uuid.uuid4()),
        "identifier": identifier,
        "intent": "verification",
        "user": user["pk"] if user else None,
        "description": "",
        "managed": None,
        "expires": expires,
        "expiring": True,
        "_key": crypto.random_text(60),
        "_plan": rest,
        "_once": once,
    }
    store.insert(TOKENS, row["pk"], row)
    return str(row["_key"])


def restored(store: Store, key: str, slug: str) -> Plan | None:
    """The plan of a link to this flow, if its token is still there."""
    token = store.find(TOKENS, _key=key, intent="verification") if key else None
    if token is None or str(token["expires"]) < crypto.now() or token["_plan"]["flow"] != slug:
        return None
    rest = token["_plan"]
    steps = [Step(*each) for each in rest["stages"]]
    if token["_once"]:
        store.remove(TOKENS, token["pk"])
    else:
        steps.insert(0, Step(CONFIRM))
    plan = Plan(slug, steps, pending=rest["pending"], token=key)
    plan.context["is_restored"] = True
    return plan


def confirm(store: Store, plan: Plan, _stage: Data) -> dict[str, Any]:
    """Ask whether it was a person who opened the link."""
    plan.consent = str(uuid.uuid4())
    return {
        "component": "ak-stage-consent",
        **pending(store, plan),
        "header_text": "Continue to confirm this email address.",
        "permissions": [],
        "additional_permissions": [],
        "token": plan.consent,
    }


def take_confirmation(store: Store, plan: Plan, _stage: Data, body: Mapping[str, Any]) -> Errors | None:
    """It was; now the link is used up."""
    if body.get("token") != plan.consent:
        return {}
    token = store.find(TOKENS, _key=plan.token)
    if token is not None:
        store.remove(TOKENS, token["pk"])
    return None


def wait(store: Store, plan: Plan, stage: Data) -> dict[str, Any]:
    """Send the mail, once, and say so, also where there is nobody to send it to."""
    user = store.get(USERS, plan.pending) if plan.pending else None
    if user is not None and not plan.context.get("mail_sent"):
        key = make(store, plan, f"ak-email-stage-{uuid.uuid4()}", stage.get("token_expiry"))
        send(store, stage, user, f"{plan.origin}/if/flow/{plan.flow}/?flow_token={key}")
    plan.context["mail_sent"] = True
    return {"component": "ak-stage-email"}


def take_nothing(_store: Store, _plan: Plan, _stage: Data, _body: Mapping[str, Any]) -> Errors | None:
    """Nothing helps but the link in the mail."""
    return {"non_field_errors": "email-sent"}


def arrived(store: Store, plan: Plan, stage: Data) -> str:
    """Whoever comes by the link goes on, and may be made active by it."""
    user = store.get(USERS, plan.pending)
    if user is not None and stage.get("activate_user_on_success"):
        store.replace(USERS, user["pk"], {**user, "is_active": True})
    return ""


def send(store: Store, stage: Data, user: Data, link: str) -> None:
    """Leave a mail for the worker."""
    pk = str(uuid.uuid4())
    row = {
        "pk": pk,
        "stage": stage["pk"],
        "to": user["email"],
        "link": link,
        "tries": 0,
        "name": user["name"],
    }
    store.insert(MAILS, pk, row)


CHALLENGES = {CONFIRM: confirm, EMAIL: wait}
ANSWERS = {CONFIRM: take_confirmation, EMAIL: take_nothing}
