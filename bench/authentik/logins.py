"""The end of a login, what brings somebody in by invitation, and how often somebody was wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.authentik import crypto, events
from bench.authentik.computed import seconds
from bench.authentik.context import USERS, Context
from bench.authentik.reputation import note
from bench.authentik.sessions import Plan, Session, Sessions
from bench.authentik.stages import Errors, pending
from bench.authentik.store import Data, Store

LOGIN, INVITATION = "/stages/user_login/", "/stages/invitation/stages/"
INVITATIONS = "/stages/invitation/invitations/"
REMEMBER = "remember_me"


def asks(plan: Plan, stage: Data) -> bool:
    """Whether the person still has to say if they want to be remembered."""
    return seconds(stage.get("remember_me_offset")) > 0 and REMEMBER not in plan.context


def ask(store: Store, plan: Plan, _stage: Data) -> dict[str, Any]:
    """Ask it."""
    return {"component": "ak-stage-user-login", **pending(store, plan)}


def take(_store: Store, plan: Plan, _stage: Data, body: Mapping[str, Any]) -> Errors | None:
    """The stage itself follows, which then asks nothing more."""
    plan.context[REMEMBER] = bool(body.get(REMEMBER))
    plan.stages.insert(1, plan.stages[0])
    return None


def log_in(context: Context, sessions: Sessions, session: Session, plan: Plan, stage: Data) -> str:
    """Log the person in; why not, if they may not be."""
    store = context.store
    user = store.get(USERS, plan.pending) if plan.pending else None
    if user is None:
        return "No pending user to login."
    if not user.get("is_active", True):
        return "Unknown error"
    lasts = seconds(stage.get("session_duration"))
    if plan.context.get(REMEMBER):
        lasts += seconds(stage.get("remember_me_offset"))
    if stage.get("terminate_other_sessions"):
        sessions.end(lambda other: other.user == plan.pending)
    user = {**user, "last_login": crypto.now()}
    store.replace(USERS, user["pk"], user)
    session.log_in(context, user, lasts)
    note(store, str(user["username"]), 1)
    method = plan.context.get("auth_method", "password")
    events.emit(store, "login", "authentik.events.signals", user, {"auth_method": method})
    return ""


def invited(store: Store, plan: Plan, stage: Data) -> str:
    """Take what the invitation says of the person; opening the page uses up one that is for single use."""
    row = store.get(INVITATIONS, plan.query.get("itoken", ""))
    flow = store.find("/flows/instances/", slug=plan.flow) or {}
    over = row is not None and bool(row.get("expires")) and str(row["expires"]) < crypto.now()
    if row is None or over or row.get("flow") not in (None, flow.get("pk")):
        return "" if stage.get("continue_flow_without_invitation") else "Invalid invite/invite not found"
    plan.context["prompt_data"] = dict(row.get("fixed_data") or {})
    if row.get("single_use"):
        store.remove(INVITATIONS, row["pk"])
    return ""


CHALLENGES = {LOGIN: ask}
ANSWERS = {LOGIN: take}
