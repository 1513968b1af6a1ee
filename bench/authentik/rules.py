"""What authentik checks beyond its schema: one function a rule, called with the row of the relations table.

A rule sees only what the request sent (and the defaults that the server assumes), as the real server does: that is
why a PATCH may have to repeat fields. Those here are reported field by field; `wholes` has those that follow. A
rule raises `Invalid` with the answer, or `Crash` where the real server fails.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from bench.authentik.catalog import Kind, Schema
from bench.authentik.context import Context
from bench.authentik.fields import Invalid
from bench.authentik.store import Data

TEMPLATES = {
    "email/account_confirmation.html",
    "email/password_reset.html",
    "email/event_notification.html",
    "email/account_exists.html",
    "email/email_otp.html",
    "email/invitation.html",
}
DURATION = re.compile(r"^(microseconds|milliseconds|seconds|minutes|hours|days|weeks)=-?\d+(\.\d+)?$")


class Crash(Exception):  # noqa: N818 (an answer, too)
    """The real server fails here and answers 405 with an empty body."""


@dataclass
class Request:
    """A write under way: the kind, what was sent (checked), the object as it was (None for a create)."""

    context: Context
    kind: Kind
    sent: dict[str, Any]
    before: Data | None
    partial: bool

    def get(self, name: str) -> Any:
        """A field as sent, None if it was not."""
        return self.sent.get(name)

    def other(self, name: str, value: Any) -> bool:
        """Whether another object of this kind has this value."""
        own = self.before and self.before[self.kind.pk_field]
        return any(
            data.get(name) == value and data[self.kind.pk_field] != own
            for data in self.context.store.all(self.kind.path)
        )


Rule = Callable[[Request, Schema], None]


def as_list(value: Any) -> list[Any]:
    """A list of what may be one or several."""
    return value if isinstance(value, list) else [value]


def reserved(request: Request, rule: Schema) -> None:
    """Values that an application's slug can't have."""
    value = request.get(rule["f"])
    if value in rule["v"]:
        raise Invalid({rule["f"]: [f"The slug '{value}' is reserved and cannot be used for applications."]})


def at_most_one_true(request: Request, rule: Schema) -> None:
    """Only one object of the kind may set this."""
    name = rule["f"]
    if request.get(name) and request.other(name, True):
        words = {
            "default": "Only a single brand can be set as default.",
            "sync_users_password": "Only a single LDAP Source with password synchronization is allowed",
        }
        raise Invalid({name: [words[name]]})


def python(request: Request, rule: Schema) -> None:
    """An expression must be the body of a Python function."""
    text = request.get(rule["f"])
    if not text:
        return
    try:
        ast.parse("def handler():\n" + "\n".join("  " + line for line in str(text).split("\n")))
    except SyntaxError as error:
        where = "temp-policy" if request.kind.path.startswith("/policies/") else "None"
        message = f"Expression Syntax Error: {error.msg} ({where}, line {error.lineno})"
        raise Invalid({rule["f"]: [message]}) from None


def python_fields(request: Request) -> list[Schema]:
    """The rules for fields that hold Python."""
    return [{"rule": "python", "f": name} for name in request.kind.facts.get("code", [])]


def no_space(request: Request, rule: Schema) -> None:
    """A scope's name is one word."""
    if " " in (request.get(rule["f"]) or ""):
        raise Invalid({rule["f"]: ["Value must not contain spaces."]})


def regex_if(request: Request, _rule: Schema) -> None:
    """Redirect URIs of mode regex must compile."""
    for entry in request.get("redirect_uris") or []:
        if entry["matching_mode"] == "regex":
            try:
                re.compile(entry["url"])
            except re.error:
                raise Invalid({"redirect_uris": [f"Invalid Regex Pattern: {entry['url']}"]}) from None


def not_empty(request: Request, rule: Schema) -> None:
    """A list needs an entry, except for the object that `unless` names."""
    for name, wanted in rule.get("unless", {}).items():
        if request.before is not None and request.before.get(name) == wanted:
            return
    if rule["f"] in request.sent and not request.sent[rule["f"]]:
        raise Invalid({rule["f"]: ["This list may not be empty."]})


def target_kind_by(request: Request, rule: Schema) -> None:
    """An outpost takes providers of its own type only; unchecked when the type is not sent."""
    wanted = rule["map"].get(request.get(rule["by"]))
    for pk in (request.get(rule["f"]) or []) if wanted else []:
        found = request.context.group("any_provider", pk)
        if found and found[0].path != wanted:
            message = (
                f"Outpost type {request.get('type')} can't be used with {found[0].class_name} providers."
            )
            raise Invalid({rule["f"]: [message]})


def duration_in(request: Request, rule: Schema) -> None:
    """A duration inside a free object."""
    outer, inner = rule["f"].split(".")
    value = (request.get(outer) or {}).get(inner)
    if value is not None:
        try:
            duration(str(value))
        except Invalid as error:
            raise Invalid({outer: error.detail}) from None


def duration(text: str) -> None:
    """authentik's notation of a time span."""
    if not all(DURATION.match(part.strip()) for part in text.replace(",", ";").split(";") if part.strip()):
        raise Invalid([f"{text} is not in the correct format of 'hours=3;minutes=1'."])


def forbidden_value(request: Request, rule: Schema) -> None:
    """Values that can't be set by hand."""
    if request.get(rule["f"]) in rule["v"] and not (
        rule.get("on") == "create" and request.before is not None
    ):
        words = {"internal_service_account": "Can't modify internal service account users"}
        raise Invalid({rule["f"]: [words.get(request.get(rule["f"]), "This value is reserved.")]})


def immutable_if(request: Request, rule: Schema) -> None:
    """Objects of the server's own."""
    before = request.before
    if before is None or not all(before.get(name) == wanted for name, wanted in rule["when"].items()):
        return
    if request.kind.path == "/core/users/":
        raise Invalid({"non_field_errors": ["Can't modify internal service account users"]})
    for name in rule["f"]:
        if name in request.sent and request.sent[name] != before[name]:
            raise Invalid({name: ["Embedded outpost's name cannot be changed"]})


def allowed(request: Request, rule: Schema) -> None:
    """Only these values can be chosen."""
    value = request.get(rule["f"])
    if value is not None and value not in rule["v"]:
        raise Invalid({rule["f"]: [f"Invalid intent {value}"]})


def pem_cert(request: Request, rule: Schema) -> None:
    """A certificate in PEM."""
    text = request.get(rule["f"])
    if text is not None:
        try:
            x509.load_pem_x509_certificate(text.encode())
        except ValueError:
            raise Invalid({rule["f"]: ["Unable to load certificate."]}) from None


def pem_key(request: Request, rule: Schema) -> None:
    """A private key in PEM, not encrypted."""
    text = request.get(rule["f"])
    if text:
        try:
            load_pem_private_key(text.encode(), None)
        except (ValueError, TypeError):
            raise Invalid({rule["f"]: ["Unable to load private key (possibly encrypted?)."]}) from None


def existing_file(request: Request, rule: Schema) -> None:
    """A template or a blueprint that the image holds."""
    text = request.get(rule["f"])
    if text and rule["f"] != "path" and text not in TEMPLATES:
        raise Invalid({rule["f"]: [f"Invalid template '{text}' specified."]})


def path_edges(request: Request, rule: Schema) -> None:
    """A user's path has no slash at its ends."""
    text = request.get(rule["f"]) or ""
    if text.startswith("/") or text.endswith("/"):
        raise Invalid({rule["f"]: ["No leading or trailing slashes allowed."]})


def path_segments(request: Request, rule: Schema) -> None:
    """A user's path has no empty segments."""
    if "//" in (request.get(rule["f"]) or ""):
        raise Invalid({rule["f"]: ["No empty segments in user path allowed."]})


def blueprint_yaml(request: Request, rule: Schema) -> None:
    """A blueprint must be YAML whose models exist."""
    text = request.get(rule["f"])
    if not text:
        return
    found = yaml.load(text, Loader=yaml.BaseLoader) if "!" not in text else None  # noqa: S506 (plain text only)
    for entry in (found or {}).get("entries", []):
        if entry.get("model") not in request.context.line.by_label:
            lines = [
                "Failed to validate blueprint",
                "- App or Model does not exist",
                "- Blueprint validation failed",
            ]
            raise Invalid({rule["f"]: lines})


def kubeconfig(request: Request, rule: Schema) -> None:
    """What Kubernetes' own client can load; empty only where the cluster is the one that authentik runs in."""
    found = request.get(rule["f"])
    if found is None:
        return
    if found == {}:
        if "local" not in request.sent:
            raise Crash
        if not request.sent["local"]:
            message = "You can only use an empty kubeconfig when connecting to a local cluster."
            raise Invalid({rule["f"]: [message]})
    elif not loadable(found):
        raise Invalid({rule["f"]: ["Invalid kubeconfig"]})


def loadable(config: dict[str, Any]) -> bool:
    """Whether a kubeconfig has a current context with its cluster and user."""

    def named(section: str, name: object) -> dict[str, Any] | None:
        rows = config.get(section)
        found = [row for row in rows if row.get("name") == name] if isinstance(rows, list) else []
        return found[0].get(section[:-1]) if found else None

    context = named("contexts", config.get("current-context"))
    return bool(context and named("clusters", context.get("cluster")) is not None
                and named("users", context.get("user")) is not None)  # fmt: skip


FIELD_RULES: dict[str, Rule] = {
    "kubeconfig": kubeconfig,
    "reserved": reserved,
    "at_most_one_true": at_most_one_true,
    "python": python,
    "no_space": no_space,
    "regex_if": regex_if,
    "not_empty": not_empty,
    "target_kind_by": target_kind_by,
    "duration": duration_in,
    "forbidden_value": forbidden_value,
    "immutable_if": immutable_if,
    "allowed": allowed,
    "pem_cert": pem_cert,
    "pem_key_unencrypted": pem_key,
    "existing_file": existing_file,
    "no_leading_trailing_slash": path_edges,
    "no_empty_segments": path_segments,
    "blueprint_yaml": blueprint_yaml,
}
