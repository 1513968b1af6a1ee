"""Claims of an app's own: scope mappings that belong to it alone.

authentik merges what all mappings of a scope return, in an order of its own. So where a claim is one that authentik's
own mapping of the scope gives, the app's mapping takes that one's place and gives the rest of it as well.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from components.release_lines import sort_key
from components.settings.base import Model, wrong
from components.settings.forms import Scope
from components.settings.protocols.common import ENTITLED
from components.settings.secret_forms import Plain

# What authentik's own mappings give, as a claim -> an expression. Source: its blueprint "System - OAuth2 Provider".
ENTITLEMENTS = f"[each.name for each in {ENTITLED}]"
"""What a person is in the app."""
_USUAL: Mapping[str, Mapping[str, str]] = {
    "email": {"email": "request.user.email", "email_verified": "False"},
    "profile": {
        "name": "request.user.name",
        "given_name": "request.user.name",
        "preferred_username": "request.user.username",
        "nickname": "request.user.username",
        "groups": "[group.name for group in request.user.{groups}.all()]",
    },
    "entitlements": {"entitlements": ENTITLEMENTS, "roles": ENTITLEMENTS},
}
_SCOPE_OF_CLAIM = {
    "email": "email",
    "email_verified": "email",
    "entitlements": "entitlements",
    "roles": "entitlements",
}


class Claim(Model):
    """What one claim of an app's tokens says; a bare value is said of everybody."""

    value: Plain = None
    """The same for everybody: a text, a number, true or false, a list."""

    attribute: Annotated[str, Field(min_length=1)] | None = None
    """The name of an attribute of the person, or of one of their groups; without it the claim is left out."""

    expression: Annotated[str, Field(min_length=1)] | None = None
    """A Python expression, as in authentik's property mappings: `request.user.name.split(' ')[0]`."""

    scope: Scope | None = None
    """The scope that gives it; defaults to the scope that a claim of this name has in authentik, else to profile."""


def _claim(value: Any) -> Any:
    """A bare value is what the claim says; `{expression: …}` and the like say where it comes from."""
    if isinstance(value, Claim):
        return value
    if not isinstance(value, dict):
        if value is None:
            raise wrong(
                "a claim of nothing is no claim", "Give it a value, or {attribute: …} or {expression: …}"
            )
        return {"value": value}
    given = [name for name in ("value", "attribute", "expression") if value.get(name) is not None]
    if len(given) != 1 and set(value) <= {"value", "attribute", "expression", "scope"}:
        raise wrong(
            f"this says {' and '.join(given) or 'not'} what the claim is",
            "Give one of value, attribute or expression",
        )
    return value


ClaimSetting = Annotated[Claim, BeforeValidator(_claim)]
Claims = Mapping[str, Claim]
"""All claims of one app, by their names."""


def expression_problem(text: str) -> tuple[str, str] | None:
    """What is wrong with the expression of a claim, and what to do."""
    if text.strip().startswith("return "):
        return "it returns by itself", f"Write {text.strip().removeprefix('return ').strip()}"
    try:
        ast.parse(f"({text.strip()}\n)", mode="eval")
    except (SyntaxError, ValueError) as error:
        return (
            f"it is not a Python expression ({getattr(error, 'msg', error)})",
            "Write one expression, without `return` and without assignments",
        )
    return None


def scope_of(name: str, claim: Claim) -> str:
    """The scope that gives a claim."""
    return claim.scope or _SCOPE_OF_CLAIM.get(name, "profile")


def scopes(claims: Claims) -> list[str]:
    """Scopes that the app has a mapping of its own for."""
    return list(dict.fromkeys(scope_of(name, claim) for name, claim in sorted(claims.items())))


def replaces(claims: Claims, scope: str) -> bool:
    """Whether the app's mapping of a scope takes the place of authentik's."""
    return any(name in _USUAL.get(scope, ()) for name in _within(claims, scope))


def fields(claims: Claims, scope: str, line: str) -> Mapping[str, Any]:
    """The fields of the app's mapping of a scope."""
    usual, own = _USUAL[scope] if replaces(claims, scope) else {}, _within(claims, scope)
    people = "groups" if sort_key(line) >= sort_key("2025.12") else "ak_groups"
    lines = [
        f"claims[{_quoted(name)}] = {text.format(groups=people)}"
        for name, text in usual.items()
        if name not in own
    ]
    for name, claim in own.items():
        lines += _lines(name, claim)
    return {"scope_name": scope, "expression": "\n".join(["claims = {}", *lines, "return claims"])}


def _within(claims: Claims, scope: str) -> dict[str, Claim]:
    return {name: claim for name, claim in sorted(claims.items()) if scope_of(name, claim) == scope}


def _lines(name: str, claim: Claim) -> Iterator[str]:
    key = _quoted(name)
    if claim.expression is not None:
        yield f"claims[{key}] = ({claim.expression.strip()}\n)"
    elif claim.attribute is not None:
        attribute = _quoted(claim.attribute)
        yield f"if {attribute} in request.user.group_attributes(request):"
        yield f"    claims[{key}] = request.user.group_attributes(request)[{attribute}]"
    else:
        yield f"claims[{key}] = {claim.value!r}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
