"""Who calls: bearer tokens, and whatever else has registered itself (sessions)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bench.authentik import crypto
from bench.authentik.context import OUTPOSTS, USERS
from bench.authentik.defaults import EMBEDDED
from bench.authentik.store import Data, Store

TOKENS = "/core/tokens/"
MISSING = "Authentication credentials were not provided."
WRONG = "Token invalid/expired"
FORBIDDEN = "You do not have permission to perform this action."

# Further ways to be known, asked in turn with the store and the request's headers (names in lower case).
Lookup = Callable[[Store, Mapping[str, str]], "Data | None"]
LOOKUPS: list[Lookup] = []


class DeniedError(Exception):
    """The caller is unknown or may not do this; the text is the answer's detail. Always 403: authentik knows no 401."""


def expired(token: Data) -> bool:
    """Whether a token's time is over."""
    return bool(token.get("expiring")) and str(token.get("expires") or "9") < crypto.now()


def app_password(store: Store, user: Data, given: str) -> bool:
    """Whether somebody's app password is given."""
    rows = [row for row in store.all(TOKENS) if row["user"] == user["pk"] and row["intent"] == "app_password"]
    return any(row["_key"] == given and not expired(row) for row in rows)


def caller(store: Store, headers: Mapping[str, str], secret_key: str) -> Data:
    """The user who calls. The secret key itself works as a token of the embedded outpost's account."""
    kind, _, key = headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not key:
        for lookup in LOOKUPS:
            if (user := lookup(store, headers)) is not None:
                return user
        raise DeniedError(MISSING)
    token = store.find(TOKENS, _key=key, intent="api")
    if token is not None and not expired(token):
        user = store.get(USERS, token["user"])
        if user is not None and user["is_active"]:
            return user
    elif secret_key and key == secret_key:
        outpost = store.find(OUTPOSTS, managed=EMBEDDED)
        account = store.find(USERS, _of=outpost["pk"]) if outpost else None
        if account is not None:
            return account
    raise DeniedError(WRONG)
