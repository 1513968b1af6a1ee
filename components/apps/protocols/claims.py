"""Claims of an app's own: scope mappings that belong to it alone.

authentik merges what all mappings of a scope return, in an order of its own. So where a claim is one that authentik's
own mapping of the scope gives, the app's mapping takes that one's place and gives the rest of it as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from components.apps.protocols.common import since
from components.settings.app_oidc import Claim
from components.settings.apps import App
from components.settings.scopes import scope_of

# What authentik's own mappings give, as a claim -> an expression. Source: its blueprint "System - OAuth2 Provider".
_ENTITLEMENTS = "[each.name for each in request.user.app_entitlements(provider.application)]"
_USUAL: Mapping[str, Mapping[str, str]] = {
    "email": {"email": "request.user.email", "email_verified": "False"},
    "profile": {
        "name": "request.user.name",
        "given_name": "request.user.name",
        "preferred_username": "request.user.username",
        "nickname": "request.user.username",
        "groups": "[group.name for group in request.user.{groups}.all()]",
    },
    "entitlements": {"entitlements": _ENTITLEMENTS, "roles": _ENTITLEMENTS},
}


def scopes(app: App) -> list[str]:
    """Scopes that the app has a mapping of its own for."""
    return list(dict.fromkeys(scope_of(app, claim) for claim in sorted(app.claims)))


def replaces(app: App, scope: str) -> bool:
    """Whether the app's mapping of a scope takes the place of authentik's."""
    return any(claim in _USUAL.get(scope, ()) for claim in _own(app, scope))


def name(app: App, scope: str) -> str:
    """What the app's mapping of a scope is called."""
    return f"{app.key}: {scope}"


def fields(app: App, scope: str, line: str) -> Mapping[str, Any]:
    """The fields of the app's mapping of a scope."""
    usual, own = _USUAL[scope] if replaces(app, scope) else {}, _own(app, scope)
    people = "groups" if since(line, "2025.12") else "ak_groups"
    lines = [
        f"claims[{_quoted(claim)}] = {text.format(groups=people)}"
        for claim, text in usual.items()
        if claim not in own
    ]
    for claim, what in own.items():
        lines += _lines(claim, what)
    return {"scope_name": scope, "expression": "\n".join(["claims = {}", *lines, "return claims"])}


def _own(app: App, scope: str) -> dict[str, Claim]:
    return {claim: what for claim, what in sorted(app.claims.items()) if scope_of(app, claim) == scope}


def _lines(claim: str, what: Claim) -> Iterator[str]:
    key = _quoted(claim)
    if what.expression is not None:
        yield f"claims[{key}] = ({what.expression.strip()}\n)"
    elif what.attribute is not None:
        attribute = _quoted(what.attribute)
        yield f"if {attribute} in request.user.group_attributes(request):"
        yield f"    claims[{key}] = request.user.group_attributes(request)[{attribute}]"
    else:
        yield f"claims[{key}] = {what.value!r}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
