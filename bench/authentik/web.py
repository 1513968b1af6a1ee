"""The addresses that browsers and apps use, as against the REST API: flows, sessions, OpenID Connect."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from bench.authentik import break_glass
from bench.authentik.auth import LOOKUPS
from bench.authentik.context import Context
from bench.authentik.executor import Executor
from bench.authentik.grants import Grants
from bench.authentik.oidc import OpenID
from bench.authentik.sessions import Sessions


def routes(context: Context, sessions: Sessions, grants: Grants) -> list[BaseRoute]:
    """All of them, over one set of sessions and grants."""
    LOOKUPS.append(sessions.user_of)
    executor = Executor(context, sessions)
    return [
        Route("/api/v3/flows/executor/{slug}/", executor.handle, methods=["GET", "POST"]),
        Route("/if/flow/{slug}/", executor.interface),
        Route(break_glass.PATH, break_glass.Opening(context, sessions).handle),
        Route("/flows/-/default/authentication/", executor.default),
        Route("/", executor.root),
        *OpenID(context, sessions, executor, grants).routes(),
    ]
