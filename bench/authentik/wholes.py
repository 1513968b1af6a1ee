"""The checks that authentik makes once all fields of a request are good (see `rules`): how fields fit together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bench.authentik import crypto
from bench.authentik.catalog import Schema
from bench.authentik.computed import seconds
from bench.authentik.context import USERS
from bench.authentik.fields import REQUIRED, Invalid
from bench.authentik.hooks import TOKEN_MINUTES
from bench.authentik.policies import person
from bench.authentik.rules import Crash, Request, Rule, as_list
from bench.authentik.source_types import SOURCE_TYPES

LIFETIME = "goauthentik.io/user/token-maximum-lifetime"


def matches(request: Request, rule: Schema, values: Mapping[str, Any] | None = None) -> bool:
    """Whether the `when` of a rule holds, with the defaults that the server assumes."""
    found = {**rule.get("assume", {}), **(request.sent if values is None else values)}
    return all(found.get(name) in as_list(wanted) for name, wanted in rule.get("when", {}).items())


REQUIRED_IF = {
    "internal_host": ("internal_host", "Internal host cannot be empty when forward auth is disabled."),
    "basic_auth_user_attribute": (
        "basic_auth_enabled",
        "User and password attributes must be set when basic auth is enabled.",
    ),
    "webhook_url": ("webhook_url", "Webhook URL may not be empty."),
    "target_static": ("non_field_errors", "Target URL should be present when mode is Static."),
    "target_flow": ("non_field_errors", "Target Flow should be present when mode is Flow."),
}


def required_if(request: Request, rule: Schema) -> None:
    """A field must be set when another has a certain value."""
    if rule.get("when", {}).get("provider_type") == "without_default_urls":
        kind = request.get("provider_type") or (request.before or {}).get("provider_type")
        known = SOURCE_TYPES[str(kind)]
        for name in as_list(rule["f"]):
            if known[name] is None and not request.get(name) and not request.get("oidc_well_known_url"):
                message = f"{name} is required for provider {known['verbose_name']}"
                raise Invalid({"non_field_errors": [message]})
        return
    if matches(request, rule) and not all(request.get(name) for name in as_list(rule["f"])):
        first = as_list(rule["f"])[0]
        field, message = REQUIRED_IF.get(first, (first, REQUIRED))
        raise Invalid({field: [message]})


def subjects(request: Request, names: list[str]) -> list[str]:
    """What may be bound: an entitlement's bindings take no policy."""
    kind = request.kind
    found = (
        request.context.locate(kind.refs["target"], request.get("target")) if "target" in kind.refs else None
    )
    excluded = (
        kind.facts["refs"].get("target", {}).get("exclude_subject", {}).get(found[0].path, [])
        if found
        else []
    )
    return [name for name in names if name not in excluded]


def exactly_one(request: Request, rule: Schema) -> None:
    """One of several references, and only one."""
    names = subjects(request, rule["f"])
    given = sum(request.get(name) is not None for name in names)
    listed = ", ".join(f"'{name}'" for name in sorted(names))
    if given == 0:
        raise Invalid({"non_field_errors": [f"One of {listed} must be set."]})
    if given > 1:
        raise Invalid({"non_field_errors": [f"Only one of {listed} can be set."]})


def any_true(request: Request, rule: Schema) -> None:
    """At least one of several switches must be on."""
    found = {**rule.get("assume", {}), **request.sent}
    if not any(found.get(name) for name in rule["f"]):
        words = {
            "evaluate_on_plan": "Either evaluation on plan or evaluation on run must be enabled",
            "check_ip": "Either IP or Username must be checked",
        }
        raise Invalid({"non_field_errors": [words[rule["f"][0]]]})


def any_true_if(request: Request, rule: Schema) -> None:
    """At least one of several switches must be on when a key pair is chosen."""
    if request.get(rule["when_set"]) and not any(request.get(name) for name in rule["f"]):
        signing = rule["when_set"] == "signing_kp"
        keypair = "signing keypair" if signing else "Verification Certificate"
        labels = (
            "'Sign assertion' and 'Sign Response'"
            if signing
            else "'Verify Assertion Signature' and 'Verify Response Signature'"
        )
        raise Invalid(
            {"non_field_errors": [f"With a {keypair} selected, at least one of {labels} must be selected."]}
        )


def any_not_empty(request: Request, rule: Schema) -> None:
    """At least one of several lists must have an entry."""
    if not any(request.get(name) for name in rule["f"]):
        words = {
            "user_fields": "When no user fields are selected, at least one source must be selected",
            "reviewer_groups": "Either a reviewer group or a reviewer must be set.",
        }
        raise Invalid({"non_field_errors": [words[rule["f"][0]]]})


def any_set(request: Request, rule: Schema) -> None:
    """At least one of several fields must be set; a policy's validator reads them whether they were sent or not."""
    if request.kind.path == "/policies/event_matcher/":
        for name in rule["f"]:
            if name not in request.sent:
                raise Crash
            if request.sent[name] not in ("", None):
                return
        raise Invalid({"non_field_errors": ["At least one criteria must be set."]})
    if not any(request.get(name) for name in rule["f"]):
        raise Invalid({"non_field_errors": ["Either path or content must be set."]})


def not_empty_if(request: Request, rule: Schema) -> None:
    """A list needs an entry when another field has a certain value."""
    if matches(request, rule) and not request.get(rule["f"]):
        if rule["f"] == "configuration_stages":
            message = (
                'When "Not configured action" is set to "Configure", you must set a configuration stage.'
            )
            raise Invalid({"not_configured_action": [message]})
        kind = "group" if rule["f"].startswith("group") else "user"
        raise Invalid(
            {
                rule["f"]: [
                    f"When 'Sync {kind}s' is enabled, '{kind.title()} property mappings' cannot be empty."
                ]
            }
        )


def less_or_equal(request: Request, rule: Schema) -> None:
    """One duration is not longer than another (compared where both are sent)."""
    one, two = request.get(rule["f"]), request.get(rule["to"])
    if one and two and one > two:
        raise Invalid({rule["f"]: ["Grace period must be shorter than the interval."]})


def longest(request: Request, rule: Schema) -> None:
    """An app password does not outlive what its user's attributes, or else a new installation's default, allow."""
    if not matches(request, rule) or request.get(rule["f"]) is None:
        return
    user = request.context.store.get(USERS, request.get("user") or (request.before or {}).get("user"))
    attributes = person(request.context.store, user).group_attributes() if user else {}
    limit = crypto.later(seconds=seconds(attributes.get(LIFETIME, f"minutes={TOKEN_MINUTES}")))
    if datetime.fromisoformat(request.get(rule["f"])) > datetime.fromisoformat(limit):
        raise Invalid({rule["f"]: [f"Token expires exceeds maximum lifetime ({limit} UTC)."]})


def required_undeclared(request: Request, rule: Schema) -> None:
    """A field that the schema calls optional and the database does not."""
    if request.before is None and request.get(rule["f"]) in (None, ""):
        raise Crash


OBJECT_RULES: dict[str, Rule] = {
    "required_if": required_if,
    "exactly_one": exactly_one,
    "any_true": any_true,
    "any_true_if": any_true_if,
    "any_not_empty": any_not_empty,
    "any_set": any_set,
    "not_empty_if": not_empty_if,
    "less_or_equal": less_or_equal,
    "required_undeclared": required_undeclared,
    "may_be_empty_only_if": required_undeclared,
    "max": longest,
}
