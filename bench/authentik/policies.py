"""What a policy says of a person. Expressions are run as Python, as authentik runs them; what would need a database of
places or the internet is refused.

An expression is its operator's own code and runs with the emulator's rights, like the rest of that operator's program.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from bench.authentik import crypto, devices, reputation
from bench.authentik.context import BINDINGS, ENTITLEMENTS, USERS, groups_of, is_superuser
from bench.authentik.store import Data, Store

EXPRESSION, DUMMY = "/policies/expression/", "/policies/dummy/"
# Names that authentik gives to every expression and the bench can't.
MISSING = {"ak_create_event", "ak_create_jwt", "ak_send_email", "ak_call_policy",
           "geoip", "asn", "requests", "resolve_dns", "reverse_dns"}  # fmt: skip


class NotEmulatedError(Exception):
    """Something that the emulator would have to guess; it refuses instead."""


class PolicyError(Exception):
    """A policy failed: its binding's `failure_result` counts."""


@dataclass(frozen=True)
class Verdict:
    """What came out, and what the person is told."""

    passing: bool
    messages: list[str] = field(default_factory=list)


class Rows(list[Any]):
    """Objects as an expression reaches them through authentik's ORM: the few ways that examples use."""

    def all(self) -> Rows:
        """All of them."""
        return self

    def filter(self, **wanted: Any) -> Rows:
        """Those whose attributes are as wanted."""
        return Rows(row for row in self if all(compared(row, name, value) for name, value in wanted.items()))

    def exclude(self, **wanted: Any) -> Rows:
        """The others."""
        matching = self.filter(**wanted)
        return Rows(row for row in self if row not in matching)

    def exists(self) -> bool:
        """Whether there is one."""
        return bool(self)

    def first(self) -> Any:
        """The first one, or None."""
        return self[0] if self else None


def compared(row: object, name: str, wanted: Any) -> bool:
    """One condition of a filter: `name=…` or `name__in=…`."""
    attribute, _, how = name.partition("__")
    if how not in ("", "in"):
        raise NotEmulatedError(f"the bench's expressions filter by equality and `__in` only, not by {name}")
    found = getattr(row, attribute)
    return bool(found in wanted if how else found == wanted)


def person(store: Store, user: Data) -> SimpleNamespace:
    """A user as an expression sees it; the anonymous one has no pk."""
    known = user.get("pk") is not None
    groups = Rows(SimpleNamespace(**group) for group in groups_of(store, user)) if known else Rows()
    shown = {name: value for name, value in user.items() if not name.startswith("_")}
    usual = {"username": "AnonymousUser", "name": "", "email": "", "is_active": True, "attributes": {}}
    made = SimpleNamespace(**{**usual, **shown})
    made.is_authenticated = known
    if joined := shown.get("date_joined"):
        made.date_joined = datetime.fromisoformat(str(joined))
    made.is_superuser = known and is_superuser(store, user)
    made.groups = made.ak_groups = groups
    made.all_groups = lambda: groups
    made.app_entitlements = lambda app: entitlements(store, user, app)
    made.group_attributes = lambda *_: merged([*(group.attributes for group in groups), made.attributes])
    return made


def entitlements(store: Store, user: Data, app: Any) -> Rows:
    """What a person is entitled to in an application: by a binding to them or to one of their groups."""
    mine = {user.get("pk"), *(group["pk"] for group in groups_of(store, user))}
    bound = {
        binding["target"]
        for binding in store.all(BINDINGS)
        if binding["enabled"] and binding["negate"] != bool(mine & {binding["user"] or binding["group"]})
    }
    found = [each for each in store.all(ENTITLEMENTS) if app and each["app"] == app.pk]
    return Rows(
        SimpleNamespace(**each)
        for each in sorted(found, key=lambda each: str(each["name"]))
        if each["pbm_uuid"] in bound
    )


def merged(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Attributes of groups and of the person, the last one winning."""
    found: dict[str, Any] = {}
    for part in parts:
        found |= part
    return found


def evaluate(store: Store, pk: object, user: Data, plan: dict[str, Any] | None = None) -> Verdict:
    """What a policy says of this person; `plan` is the context of the flow under way. Raises PolicyError."""
    if policy := store.get(DUMMY, pk):
        return Verdict(bool(policy["result"]), ["dummy"])
    for kind, rule in RULES.items():
        if policy := store.get(kind, pk):
            return rule(store, policy, user, plan or {})
    policy = store.get(EXPRESSION, pk)
    if policy is None:
        raise NotEmulatedError(f"the bench does not evaluate policies of this kind (policy {pk})")
    messages: list[str] = []
    result = returned(policy, {**helpers(store, messages), **asked(store, user, plan)})
    return Verdict(bool(result), messages)


def reputation_of(store: Store, policy: Data, user: Data, _plan: Mapping[str, Any]) -> Verdict:
    """Whether somebody was wrong too often."""
    return Verdict(reputation.passes(store, policy, str(user.get("username") or "")))


def age_of_password(store: Store, policy: Data, user: Data, _plan: Mapping[str, Any]) -> Verdict:
    """Passes while the password is young enough; with `deny_only: false` an old one is made unusable."""
    changed = str(user.get("password_change_date") or "9")
    if changed > crypto.later(days=-int(policy["days"])):
        return Verdict(passing=True)
    if not policy.get("deny_only"):
        held = store.get(USERS, user["pk"])
        assert held is not None
        store.replace(USERS, user["pk"], {**held, "_password": ""})
    return Verdict(False, ["Password expired. Please update your password."])


def rules_of_passwords(_store: Store, policy: Data, _user: Data, plan: Mapping[str, Any]) -> Verdict:
    """Whether a new password is good. What zxcvbn and haveibeenpwned would say of a few passwords is a stand-in."""
    given = plan.get("prompt_data", {}).get(policy["password_field"])
    if given is None:
        return Verdict(False, ["Password not set in context"])
    text = str(given)
    counts = {
        "length_min": len(text),
        "amount_digits": sum(each.isdigit() for each in text),
        "amount_uppercase": sum(each.isupper() for each in text),
        "amount_lowercase": sum(each.islower() for each in text),
        "amount_symbols": sum(each in policy["symbol_charset"] for each in text),
    }
    if policy.get("check_static_rules") and any(
        count < int(policy.get(name) or 0) for name, count in counts.items()
    ):
        return Verdict(False, [str(policy.get("error_message") or "")])
    if policy.get("check_have_i_been_pwned") and text in PWNED:
        return Verdict(False, ["Password exists on 1000 online lists."])
    if policy.get("check_zxcvbn") and (len(set(text)) < 6 or "password" in text.lower()):
        return Verdict(False, ["Password is too weak."])
    return Verdict(passing=True)


PWNED = {"correct horse battery staple"}
"""Stands for the lists of haveibeenpwned, which the bench does not ask."""
RULES: dict[str, Callable[[Store, Data, Data, Mapping[str, Any]], Verdict]] = {
    reputation.POLICY: reputation_of,
    "/policies/password_expiry/": age_of_password,
    "/policies/password/": rules_of_passwords,
}


def returned(held: Data, names: dict[str, Any]) -> Any:
    """What the expression of a policy or a mapping returns. Raises PolicyError."""
    lines = ["def handler():", *("    " + line for line in str(held["expression"]).split("\n"))]
    try:
        exec(compile("\n".join(lines), held["name"], "exec"), names)  # noqa: S102 (see the module's head)
        return names["handler"]()
    except NotEmulatedError:
        raise
    except Exception as error:
        if isinstance(error, NameError) and error.name in MISSING:
            raise NotEmulatedError(f"the bench's expressions have no {error.name}") from None
        if isinstance(error, ImportError) and str(error.name).startswith("authentik"):
            raise NotEmulatedError(f"the bench's expressions can't import {error.name}") from None
        raise PolicyError(str(error)) from None


def asked(store: Store, user: Data, plan: dict[str, Any] | None) -> dict[str, Any]:
    """`request` and `context`."""
    context = dict(plan or {})
    if plan is not None:
        context["flow_plan"] = SimpleNamespace(context=plan)
    request = SimpleNamespace(user=person(store, user), context=context, http_request=None, obj=None)
    return {"request": request, "context": context, "ak_is_sso_flow": False, "ak_client_ip": LOCALHOST}


LOCALHOST = ipaddress.ip_address("127.0.0.1")


def helpers(store: Store, messages: list[str]) -> dict[str, Any]:
    """The functions that every expression may call."""

    def member(user: Any, **wanted: Any) -> bool:
        return Rows(user.groups).filter(**wanted).exists()

    def by(**wanted: Any) -> Any:
        return Rows(person(store, each) for each in store.all(USERS)).filter(**wanted).first()

    def has_device(user: Any, device_type: str | None = None) -> bool:
        kinds = [device_type] if device_type else devices.TYPES
        return bool(devices.of(store, {"pk": user.pk}, kinds)) if user.is_authenticated else False

    return {
        "ak_message": messages.append,
        "ak_is_group_member": member,
        "ak_user_by": by,
        "ak_user_has_authenticator": has_device,
        "ak_logger": logging.getLogger("bench.authentik.expression"),
        "regex_match": lambda value, regex: re.match(regex, value) is not None,
        "regex_replace": lambda value, regex, repl: re.sub(regex, repl, value),
        "list_flatten": lambda value: (value[0] if value else None) if isinstance(value, list) else value,
        "ip_address": ipaddress.ip_address,
        "ip_network": ipaddress.ip_network,
    }
