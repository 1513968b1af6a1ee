"""What authentik holds of a person: what lets somebody in, or would again, and what an app was granted.

Each kind of it is a row of `TRACES`. authentik ignores filters that it does not know and then lists everybody's, so
that what a row is of is looked at before anything is deleted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from components.identity.dialect import Authentik
from components.objects.http import RefusedError

Item = Mapping[str, Any]
NOT_FOUND = 404


@dataclass(frozen=True)
class Trace:
    """One kind: where it is listed, by what of the person, and which field names one of it."""

    what: str
    path: str
    by: str = "user"
    key: str = "pk"


TRACES = (
    Trace("session", "/core/authenticated_sessions/", "user__username", "uuid"),
    Trace("authorization code", "/oauth2/authorization_codes/"),
    Trace("access token", "/oauth2/access_tokens/"),
    Trace("refresh token", "/oauth2/refresh_tokens/"),
    Trace("API token or app password", "/core/tokens/", "user__username", "identifier"),
    Trace("consent", "/core/user_consent/"),
    Trace("invitation", "/stages/invitation/invitations/", "created_by__username"),
)
"""All but the devices, in the order in which they are ended: first what is in use."""
GRANTS = tuple(trace for trace in TRACES if trace.path.startswith("/oauth2/"))
"""What an app was given, by which it goes on without asking whether the person may still use it."""
LINKS = Trace("account at a login source", "/sources/user_connections/all/")
"""Never ended: by the link, a login of that account comes to the closed one, and is refused. Without it, the source
would make a new one for whoever comes."""
DEVICES, DEVICE = "/authenticators/admin/all/", "second factor"
_DEVICE_TYPE = re.compile(r"authenticator_(\w+?)(?:_gdtc)?\.")


@dataclass(frozen=True)
class Found:
    """One thing of a person."""

    what: str
    path: str
    """Where it is deleted."""
    name: str
    app: str | None = None
    """The provider that it belongs to."""


def found(server: Authentik, user: Item, provider: int | None = None) -> Iterator[Found]:
    """Everything of a person; with a provider, what its app was granted."""
    for trace in GRANTS if provider is not None else TRACES:
        yield from (each for each, _ in _rows(server, trace, user, provider))
    if provider is None:
        yield from _devices(server, user)


def links(server: Authentik, user: Item) -> Iterator[str]:
    """The sources (by pk) at which somebody has an account that is linked to theirs."""
    for _, row in _rows(server, LINKS, user, None):
        yield str(row["source"])


def delete(server: Authentik, each: Found) -> None:
    """End one of it; what is gone by itself meanwhile is no error."""
    try:
        server.request("DELETE", each.path)
    except RefusedError as refused:
        if refused.status != NOT_FOUND:
            raise


def _rows(server: Authentik, trace: Trace, user: Item, provider: int | None) -> Iterator[tuple[Found, Item]]:
    about = {trace.by: str(user["username" if trace.by.endswith("username") else "pk"])}
    if provider is not None:
        about["provider"] = str(provider)
    for row in server.rows(trace.path, **about):
        of = row.get("provider")
        if _owner(row) != user["pk"] or (provider is not None and _pk(of) != provider):
            continue
        key = row[trace.key]
        name = str(row.get("identifier") or row.get("name") or key)
        yield Found(_title(trace, row), f"{trace.path}{key}/", name, of["name"] if of else None), row


def _title(trace: Trace, row: Item) -> str:
    return {"api": "API token", "app_password": "app password"}.get(str(row.get("intent")), trace.what)


def _owner(row: Item) -> Any:
    return _pk(row["created_by"] if "created_by" in row else row.get("user"))


def _pk(value: Any) -> Any:
    return value.get("pk") if isinstance(value, dict) else value


def _devices(server: Authentik, user: Item) -> Iterator[Found]:
    """Their list names nobody, so that each is asked for whose it is."""
    for row in server.request("GET", DEVICES, params={"user": str(user["pk"])}):
        kind = _DEVICE_TYPE.search(str(row["type"]))
        path = f"/authenticators/admin/{kind[1] if kind else row['type']}/{row['pk']}/"
        try:
            whose = server.request("GET", path).get("user", user)
        except RefusedError as refused:
            if refused.status == NOT_FOUND:
                continue
            raise
        if _pk(whose) == user["pk"]:
            yield Found(DEVICE, path, str(row["name"]))
