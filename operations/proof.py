"""Whether somebody who has left gets in anywhere: what worked before is tried again, and what is left is looked for.

What is tried is what this side can know: the first password, API tokens and app passwords, whose keys authentik shows
an administrator. It shows no key of sessions, codes, access and refresh tokens: that none is left is the proof.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from components.identity.dialect import Authentik
from components.objects.http import RefusedError
from components.settings import Settings
from components.settings.apps import AppContext, OidcLogin
from operations.browser import Browser, LoginError, Where
from operations.leaver import Leaver
from operations.login import TIMEOUT
from operations.traces import found

EMAIL_STAGES = "/stages/email/"


@dataclass(frozen=True)
class Way:
    """One way in, and how it is tried."""

    what: str
    attempt: Callable[[], bool]

    def works(self) -> bool | None:
        """Whether it does; None where authentik's public address is not reached from here."""
        try:
            return self.attempt()
        except httpx.HTTPError:
            return None


@dataclass(frozen=True)
class Tried:
    """A way in, tried before and after."""

    what: str
    before: bool | None
    after: bool | None
    """None where it could not be tried from here."""


def ways(person: Leaver, settings: Settings, server: Authentik) -> list[Way]:
    """The ways in of somebody that can be tried from here."""
    if person.user is None:
        return []
    base, username = settings.issuer_base, person.username
    known: list[Way] = []
    if person.written is not None and not person.written.adopt:
        first = settings.derived().value(f"person/{person.written.id}/password")
        known.append(Way("the first password", lambda: _logs_in(base, username, first)))
    for each in person.found:
        if each.what in ("API token", "app password"):
            try:
                key = str(server.request("GET", f"{each.path}view_key/")["key"])
            except RefusedError:
                continue  # one that is over has no key any more
            known += _by_key(settings, username, each.what, each.name, key)
    return known


def still_open(person: Leaver, server: Authentik) -> Iterator[str]:
    """What is left of a person, and what would let them in again."""
    if person.user is None:
        return
    now = server.request("GET", f"/core/users/{person.user['pk']}/")
    if now.get("is_active", True):
        yield "the account is active"
    if now.get("groups"):
        yield "the account is in groups"
    for each in found(server, person.user):
        yield f"{each.what} {each.name}"
    for stage in server.request("GET", EMAIL_STAGES, params={"activate_user_on_success": "true"})["results"]:
        recovers = any(flow.get("designation") == "recovery" for flow in stage.get("flow_set") or ())
        if stage.get("activate_user_on_success") and recovers:
            yield (
                f"a recovery mail would make the account active again (activate_user_on_success of the e-mail stage "
                f"{stage['name']}); set that to false"
            )


def _by_key(settings: Settings, username: str, what: str, name: str, key: str) -> Iterator[Way]:
    base = settings.issuer_base
    if what == "API token":
        yield Way(f"the API token {name}", lambda: _is_taken(base, key))
        return
    yield Way(f"the app password {name} at the login", lambda: _logs_in(base, username, key))
    context = AppContext(settings, settings.derived())
    logins = ((app, app.login(context)) for app in settings.apps)
    app, login = next(((app, login) for app, login in logins if isinstance(login, OidcLogin)), (None, None))
    if app is not None and login is not None:
        yield Way(f"the app password {name} at {app.key}", lambda: _gets_token(base, login, username, key))


def _logs_in(base: str, username: str, password: str) -> bool:
    """Whether a password is taken at the login; one that a second factor is asked after is."""
    with httpx.Client(timeout=TIMEOUT, follow_redirects=False) as http:
        try:
            Browser(http, username, password, stop_at=f"{base}/if/user/").follow(f"{base}/")
        except LoginError as end:
            return end.where is Where.FACTOR
    return True


def _is_taken(base: str, key: str) -> bool:
    headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}
    return httpx.get(f"{base}/api/v3/core/users/me/", headers=headers, timeout=TIMEOUT).is_success


def _gets_token(base: str, login: OidcLogin, username: str, key: str) -> bool:
    form: dict[str, Any] = {
        "grant_type": "client_credentials",
        "client_id": login.client_id,
        "client_secret": login.client_secret,
        "username": username,
        "password": key,
        "scope": "openid",
    }
    return httpx.post(f"{base}/application/o/token/", data=form, timeout=TIMEOUT).is_success
