"""`gatehouse rehearse`: a backup is brought up beside the living authentik, compared with it, and logged in to."""

from __future__ import annotations

import dataclasses
import json
import secrets as random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from components import ssh
from components.settings import App, Settings
from components.settings.apps import AppContext, OidcLogin
from operations.asking import address
from operations.backups import Backups, Snapshot
from operations.errors import OperatorError
from operations.login import log_in
from operations.login_check import oidc_client
from operations.relay import Plainly, relay

KINDS: Mapping[str, tuple[str, str, tuple[str, ...]]] = {
    "people": ("/core/users/", "username", ("name", "email", "is_active", "type", "groups", "uid")),
    "groups": ("/core/groups/", "name", ("is_superuser", "users", "parent")),
    "apps": ("/core/applications/", "slug", ("name", "provider", "group", "policy_engine_mode")),
    "providers": ("/providers/all/", "name", ("component", "authorization_flow")),
    "clients of OpenID Connect": (
        "/providers/oauth2/",
        "name",
        ("client_id", "client_secret", "signing_key", "sub_mode", "redirect_uris"),
    ),
    "flows": ("/flows/instances/", "slug", ("designation", "authentication")),
    "steps of flows": ("/flows/bindings/", "pk", ("target", "stage", "order")),
    "who may use what": (
        "/policies/bindings/",
        "pk",
        ("target", "group", "user", "policy", "enabled", "negate", "order"),
    ),
    "keys and certificates": ("/crypto/certificatekeypairs/", "name", ("fingerprint_sha256",)),
}
"""What is compared: where authentik lists it, what it is called by, and what must be the same. The copy has the same
primary keys, so that references are compared as they are."""
VISITOR = "gatehouse-rehearsal"
"""Who is made in the copy to log in there."""
LOGIN = "/flows/-/default/authentication/?next=/api/v3/core/users/me/"
"""Where a browser is sent that has no session, and what authentik then says of who has come."""
PORT = 9000
"""Where an authentik listens in its container."""
APPS = 5
"""Apps that are logged in to at most."""


@dataclass(frozen=True)
class Compared:
    """One kind of object on the box and in the copy; names only, no values."""

    what: str
    count: int
    """How many there are on the box."""
    lost: tuple[str, ...]
    changed: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether the copy has all of them as they are."""
        return not self.lost and not self.changed


@dataclass(frozen=True)
class Login:
    """One login in the copy."""

    where: str
    who: str
    accepted: bool
    why: str


@dataclass(frozen=True)
class Rehearsal:
    """What a rehearsal found."""

    snapshot: Snapshot
    compared: tuple[Compared, ...]
    logins: tuple[Login, ...]
    seconds: float
    """From the beginning until somebody was logged in."""

    @property
    def ok(self) -> bool:
        """Whether nothing is missing, and everybody got in."""
        return all(each.ok for each in self.compared) and all(each.accepted for each in self.logins)


def rehearse(backups: Backups, wanted: str | None) -> Rehearsal:
    """Rehearse the restore of a snapshot, the newest unless one is named; the copy is gone in the end.

    Raises:
        OperatorError: it did not come up; what is wrong with it is said.
    """
    began = time.monotonic()
    snapshot = backups.one(wanted)
    settings = backups.box.settings
    token = settings.derived().value("authentik/service-token")
    try:
        host = backups.bring_up_copy(snapshot)
        with relay(backups.box.command, host, PORT) as path:
            copy = Server(settings.issuer_base, token, path)
            backups.say("comparing it with what is on the box")
            living = Server(settings.issuer_base, token, _socket(backups))
            with living.client() as here, copy.client() as there:
                compared = tuple(compare(what, here, there) for what in KINDS)
            backups.say("logging in")
            logins = tuple(_logins(settings, copy))
            seconds = time.monotonic() - began
    finally:
        backups.say("taking the copy away")
        backups.remove_copy()
    return Rehearsal(snapshot, compared, logins, seconds)


@dataclass(frozen=True)
class Server:
    """An authentik behind a socket."""

    url: str
    """What it is called in the world."""
    token: str = field(repr=False)
    socket: Path

    def client(self) -> httpx.Client:
        """An administrator of it."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=self.url, headers=headers, transport=self.transport(), timeout=60)

    def transport(self) -> httpx.BaseTransport:
        """A way to it, for whoever comes without a token."""
        return Plainly(self.socket)


def _socket(backups: Backups) -> Path:
    """The tunnel's, to the living authentik."""
    place = address(backups.box.deployment.get("resources", []))
    way = ssh.tunnel(place) if place else None
    if way is None or way.socket is None:
        raise OperatorError(
            f"{backups.name} has no authentik yet.", f"Bring it up first: ./gatehouse up {backups.name}"
        )
    return Path(way.socket)


def compare(what: str, living: httpx.Client, copy: httpx.Client) -> Compared:
    """Hold one kind against each other."""
    path, name, fields = KINDS[what]
    there = {str(each["pk"]): each for each in _all(copy, path)}
    here = list(_all(living, path))
    lost = [str(each[name]) for each in here if str(each["pk"]) not in there]
    changed = [
        str(each[name])
        for each in here
        if str(each["pk"]) in there
        and any(
            _settled(each.get(field)) != _settled(there[str(each["pk"])].get(field))
            for field in (name, *fields)
        )
    ]
    return Compared(what, len(here), tuple(sorted(lost)), tuple(sorted(changed)))


def _settled(value: Any) -> Any:
    """A list without its order, which means nothing here, whatever order the members' own fields come in."""
    return sorted(json.dumps(each, sort_keys=True) for each in value) if isinstance(value, list) else value


def _all(client: httpx.Client, path: str) -> Iterator[dict[str, Any]]:
    page = 1
    while page:
        answer = client.get(
            f"/api/v3{path}", params={"page": page, "page_size": 100, "superuser_full_list": "true"}
        )
        if answer.is_error:
            raise OperatorError(
                f"authentik answers {answer.status_code} to {path}", "See its log, and run this again."
            )
        found = answer.json()
        yield from found["results"]
        page = int(found["pagination"]["next"] or 0)


def _logins(settings: Settings, copy: Server) -> Iterator[Login]:
    password = random.token_urlsafe(24)
    with copy.client() as api:
        visitor = {"username": VISITOR, "name": VISITOR, "is_active": True, "groups": []}
        made = api.post("/api/v3/core/users/", json=visitor)
        if made.is_error:
            raise OperatorError(
                f"Nobody can be made in the copy: authentik answers {made.status_code}",
                "See its log, and run this again.",
            )
        api.post(f"/api/v3/core/users/{made.json()['pk']}/set_password/", json={"password": password})
    result = log_in(f"{copy.url}{LOGIN}", VISITOR, password, transport=copy.transport())
    known = result.claims.get("user", {}).get("username") == VISITOR
    yield Login("authentik", "somebody made for it", result.accepted and known, result.why)
    context = AppContext(settings, settings.derived())
    ways = [(app, way) for app in settings.apps if isinstance(way := app.login(context), OidcLogin)]
    for app, way in ways[:APPS]:
        yield _app_login(context, app, way, copy)


def _app_login(context: AppContext, app: App, way: OidcLogin, copy: Server) -> Login:
    """Log the first person in who gets in, by the app's client and the person's first password."""
    with copy.client() as api:
        told = api.get(f"/application/o/{app.key}/.well-known/openid-configuration")
    if told.is_error:
        return Login(app.key, "", accepted=False, why=f"authentik answers {told.status_code} for it")
    # What it calls itself follows from how it was reached, where its line does not know its own address.
    client = dataclasses.replace(oidc_client(way), issuer=str(told.json()["issuer"]))
    why = "nobody of gatehouse:people may use it"
    for person in context.settings.people:
        if person.active and not person.adopt:
            password = context.secrets.value(f"person/{person.id}/password")
            result = log_in(client, person.username, password, transport=copy.transport())
            if result.accepted:
                return Login(app.key, person.username, accepted=True, why="")
            why = result.why
    return Login(app.key, "", accepted=False, why=why)
