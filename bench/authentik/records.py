"""What people's logins leave: the API's view of sessions, codes, access and refresh tokens, consents and connections.

What ends along, as recorded: with the account, by PATCH its sessions, and by any write its codes and tokens; with a
session, its codes and access tokens. Refresh tokens, API tokens, app passwords, consents, connections and devices stay.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from bench.authentik import lists
from bench.authentik.api import Action, Api
from bench.authentik.calls import Answer, Call, NotFoundError
from bench.authentik.catalog import Kind
from bench.authentik.context import APPLICATIONS, OAUTH2, PROXY, USERS
from bench.authentik.grants import Grants
from bench.authentik.policies import NotEmulatedError
from bench.authentik.render import default, render
from bench.authentik.sessions import Session, Sessions
from bench.authentik.store import Data
from bench.authentik.tokens import Grant

SESSIONS = "/core/authenticated_sessions/"
CONSENTS = "/core/user_consent/"
CONNECTIONS = "/sources/user_connections/"
FILTERS = {"user", "user__username", "provider", "application", "page", "page_size", "ordering"}

Row = dict[str, Any]


class Records:
    """Over the sessions and grants of one server."""

    def __init__(self, sessions: Sessions, grants: Grants) -> None:
        self.sessions, self.grants = sessions, grants
        self.kinds: dict[str, dict[str, Grant]] = {
            "/oauth2/authorization_codes/": grants.codes,
            "/oauth2/access_tokens/": grants.access,
            "/oauth2/refresh_tokens/": grants.refresh,
        }

    def actions(self) -> dict[tuple[str, str], Action]:
        """The endpoints, as `Api` has them."""
        found: dict[tuple[str, str], Action] = {
            ("GET", SESSIONS): self.list_sessions,
            ("DELETE", SESSIONS + "{uuid}/"): self.end_session,
            ("DELETE", SESSIONS + "bulk_delete/"): self.end_sessions,
            ("GET", CONSENTS): self.list_consents,
            ("DELETE", CONSENTS + "{id}/"): self.forget_consent,
            ("GET", CONNECTIONS + "all/"): self.list_connections,
            ("DELETE", CONNECTIONS + "all/{id}/"): self.forget_connection,
        }
        for path, kept in self.kinds.items():
            found["GET", path] = self.list_grants(kept)
            found["DELETE", path + "{id}/"] = self.forget_grant(kept)
        return found

    def written(self, call: Call, kind: Kind, data: Data) -> None:
        """Somebody who is no longer active loses tokens and codes; by PATCH the sessions too."""
        if kind.path == USERS and not data.get("is_active", True):
            for kept in self.kinds.values():
                forget(kept, lambda grant: grant.user == str(data["pk"]))
            if call.method == "PATCH":
                self.end(lambda session: session.user == str(data["pk"]))

    def end(self, wanted: Callable[[Session], bool]) -> int:
        """End sessions; how many there were."""
        ended = self.sessions.end(wanted)
        sids = {session.sid for session in ended}
        for kept in (self.grants.codes, self.grants.access):
            forget(kept, lambda grant: grant.sid in sids)
        return len(ended)

    # -- sessions

    def list_sessions(self, api: Api, call: Call) -> Answer:
        """GET /core/authenticated_sessions/"""
        rows = [
            {
                "uuid": session.uuid,
                "user": int(session.user),
                "last_used": moment(session.since),
                "expires": moment(session.ends),
            }
            for session in self.sessions.all()
            if session.user and api.store.get(USERS, session.user)
        ]
        return listed(api, call, rows, lambda row: whole(api, "AuthenticatedSession", row))

    def end_session(self, _api: Api, call: Call) -> Answer:
        """DELETE /core/authenticated_sessions/{uuid}/"""
        if not self.end(lambda session: bool(session.user) and session.uuid == call.arguments["uuid"]):
            raise NotFoundError("No AuthenticatedSession matches the given query.")
        return Answer(204)

    def end_sessions(self, _api: Api, call: Call) -> Answer:
        """DELETE /core/authenticated_sessions/bulk_delete/?user_pks=…"""
        wanted = {value for name, value in call.query if name == "user_pks"}
        return Answer(200, {"deleted": self.end(lambda session: session.user in wanted)})

    # -- codes and tokens

    def list_grants(self, kept: Mapping[str, Grant]) -> Action:
        """GET /oauth2/…/: those that are not used up."""

        def answer(api: Api, call: Call) -> Answer:
            schema = call.operation["answer"].removeprefix("Paginated").removesuffix("List")
            rows = [
                {
                    "pk": grant.pk,
                    "user": int(grant.user),
                    "provider": int(grant.provider),
                    "scope": sorted(grant.scopes),
                    "expires": moment(grant.expires),
                    "is_expired": grant.expires < time.time(),
                }
                for grant in kept.values()
                if api.store.get(USERS, grant.user)
            ]
            return listed(api, call, rows, lambda row: whole(api, schema, nested(api, call, row)))

        return answer

    def forget_grant(self, kept: dict[str, Grant]) -> Action:
        """DELETE /oauth2/…/{id}/"""

        def answer(_api: Api, call: Call) -> Answer:
            if not forget(kept, lambda grant: str(grant.pk) == call.arguments["id"]):
                raise NotFoundError("No token matches the given query.")
            return Answer(204)

        return answer

    # -- consents and connections, which lie in the store

    def list_consents(self, api: Api, call: Call) -> Answer:
        """GET /core/user_consent/"""
        rows = [dict(row) for row in api.store.all(CONSENTS)]
        return listed(api, call, rows, lambda row: whole(api, "UserConsent", nested(api, call, row)))

    def forget_consent(self, api: Api, call: Call) -> Answer:
        """DELETE /core/user_consent/{id}/"""
        if api.store.get(CONSENTS, call.arguments["id"]) is None:
            raise NotFoundError("No UserConsent matches the given query.")
        api.store.remove(CONSENTS, call.arguments["id"])
        return Answer(204)

    def list_connections(self, api: Api, call: Call) -> Answer:
        """GET /sources/user_connections/all/"""
        rows = [dict(row) for kind in connections(api) for row in api.store.all(kind.path)]
        return listed(api, call, rows, lambda row: whole(api, "UserSourceConnection", row))

    def forget_connection(self, api: Api, call: Call) -> Answer:
        """DELETE /sources/user_connections/all/{id}/"""
        for kind in connections(api):
            if api.store.get(kind.path, call.arguments["id"]) is not None:
                api.store.remove(kind.path, call.arguments["id"])
                return Answer(204)
        raise NotFoundError("No UserSourceConnection matches the given query.")


def connections(api: Api) -> list[Kind]:
    """The kinds of connections between people and sources."""
    return [kind for path, kind in api.line.kinds.items() if path.startswith(CONNECTIONS)]


def forget(kept: dict[str, Grant], wanted: Callable[[Grant], bool]) -> int:
    """Drop grants; how many."""
    gone = [token for token, grant in kept.items() if wanted(grant)]
    for token in gone:
        del kept[token]
    return len(gone)


def moment(seconds: float) -> str:
    """A time as the API shows it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def listed(api: Api, call: Call, rows: list[Row], show: Callable[[Row], Row]) -> Answer:
    """A page of rows, filtered by whom and what they are of."""
    known = call.operation.get("query", {})
    for name, value in call.query:
        if name not in known or value == "":
            continue
        if name not in FILTERS:
            raise NotEmulatedError(f"The bench's authentik does not filter {call.path} by {name}.")
        if name == "user__username":
            user = api.store.find(USERS, username=value)
            rows = [row for row in rows if user is not None and row["user"] == user["pk"]]
        elif name in ("user", "provider", "application"):
            rows = [row for row in rows if str(row.get(name)) == value]
    block, shown = lists.page([(None, row) for row in rows], dict(call.query))  # type: ignore[misc]
    return Answer(200, lists.answer(block, [show(dict(row)) for _, row in shown]))


def nested(api: Api, call: Call, row: Row) -> Row:
    """A row with the objects that it names, as the API shows them."""
    paths = {"user": (USERS,), "provider": (OAUTH2, PROXY), "application": (APPLICATIONS,)}
    for name, places in paths.items():
        found = [(path, api.store.get(path, row[name])) for path in places if name in row]
        for path, data in found:
            if data is not None:
                schema = "Provider" if name == "provider" else ""
                row[name] = render(call.context, api.line.kinds[path], data, schema)
    return row


def whole(api: Api, schema: str, row: Row) -> Row:
    """A row with every field of its schema."""
    nodes = api.line.schemas[schema]["properties"]
    return {name: row[name] if name in row else default(api.line, node) for name, node in nodes.items()}
