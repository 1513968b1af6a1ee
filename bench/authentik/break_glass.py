"""`ak create_recovery_key`, and the link that it prints: logs one person in, past password and second factor, once."""

from __future__ import annotations

import re
import uuid

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from bench.authentik import crypto, events
from bench.authentik.context import USERS, Context
from bench.authentik.pages import NOT_FOUND_PAGE
from bench.authentik.sessions import Sessions
from bench.authentik.store import Store

TOKENS, PATH = "/core/tokens/", "/recovery/use-token/{key}/"


def make(store: Store, minutes: int, username: str) -> str | None:
    """The link's path; None where nobody is called so."""
    with store.writing():
        user = store.find(USERS, username=username)
        if user is None:
            return None
        key, pk = crypto.random_text(60), str(uuid.uuid4())
        row = {
            "pk": pk,
            "identifier": f"ak-recovery-{username}-{re.sub('[^0-9]', '', crypto.now())}",
            "intent": "recovery",
            "user": user["pk"],
            "description": "Recovery token",
            "managed": None,
            "expires": crypto.later(minutes=minutes),
            "expiring": True,
            "_key": key,
        }
        store.insert(TOKENS, pk, row)
    return PATH.format(key=key)


class Opening:
    """GET /recovery/use-token/<key>/"""

    def __init__(self, context: Context, sessions: Sessions) -> None:
        self.context, self.sessions = context, sessions

    async def handle(self, request: Request) -> Response:
        """Log the person in; 404 for what was used, ended or is over."""
        return await run_in_threadpool(self.open, request)

    def open(self, request: Request) -> Response:
        """The same, on the store."""
        store = self.context.store
        with store.writing():
            token = store.find(TOKENS, _key=request.path_params["key"], intent="recovery")
            if token is None or str(token["expires"]) < crypto.now():
                return Response(NOT_FOUND_PAGE, 404, media_type="text/html")
            store.remove(TOKENS, token["pk"])
            session, user = self.sessions.of(request), store.get(USERS, token["user"])
            if user is not None:
                session.log_in(self.context, user)
                told = {"http_request": {"path": request.url.path}}
                events.emit(store, "login", "authentik.events.signals", user, told)
        response = Response(None, 302, {"location": "/"}, media_type="text/html")
        return self.sessions.keep(session, request, response)
