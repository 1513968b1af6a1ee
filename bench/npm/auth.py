"""Who asks: passwords, tokens signed with a key below /data, permissions."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey

from bench.npm.errors import internal, invalid, missing
from bench.npm.store import Row, Store

DAY = 86400
AREAS = ("proxy_hosts", "redirection_hosts", "dead_hosts", "streams", "access_lists", "certificates")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": DAY, "w": 7 * DAY, "M": 30 * DAY, "y": 365 * DAY}


@dataclass(frozen=True)
class Caller:
    """A user who has shown a token."""

    user: Row

    @property
    def admin(self) -> bool:
        """Whether they may do everything."""
        return "admin" in self.user["roles"]

    def may(self, area: str, *, write: bool) -> bool:
        """Whether they may see (or change) what is in an area."""
        if self.admin:
            return True
        allowed = ("manage",) if write else ("manage", "view")
        return self.user["_permissions"].get(area) in allowed

    def sees(self, row: Row) -> bool:
        """Whether a row is theirs to see."""
        everything = self.admin or self.user["_permissions"]["visibility"] == "all"
        return everything or row.get("owner_user_id") == self.user["id"]


def permissions(*, admin: bool) -> Row:
    """What a new user may do."""
    return {"visibility": "all" if admin else "user", **dict.fromkeys(AREAS, "manage")}


class Tokens:
    """Issues and reads bearer tokens."""

    def __init__(self, store: Store, keyfile: Path) -> None:
        self._store = store
        if not keyfile.exists():
            keyfile.parent.mkdir(parents=True, exist_ok=True)
            keyfile.touch(mode=0o600)
            keyfile.write_bytes(RSAKey.generate_key(2048).as_pem(private=True))
        self._key = RSAKey.import_key(keyfile.read_bytes())

    def issue(self, user: int, *, lasts: str = "1d") -> Row:
        """`{token, expires}`. `lasts` as in `1d`, `30d`, `1s`; else 400."""
        found = re.fullmatch(r"(\d+)([smhdwMy])", lasts)
        if found is None:
            raise invalid(f"Invalid expiry time: {lasts}")
        seconds = int(found[1]) * _UNITS[found[2]]
        began = time.time()
        claims = {
            "iss": "api",
            "attrs": {"id": user},
            "scope": ["user"],
            "expiresIn": lasts,
            "jti": base64.b64encode(secrets.token_bytes(12)).decode(),
            "iat": int(began),
            "exp": int(began) + seconds,
        }
        expires = datetime.fromtimestamp(began + seconds, UTC).isoformat(timespec="milliseconds")
        token = jwt.encode({"alg": "RS256", "typ": "JWT"}, claims, self._key)
        return {"token": token, "expires": expires.replace("+00:00", "Z")}

    def caller(self, header: str | None) -> Caller | None:
        """Who the Authorization header names. 500 for what is no token of ours, 400 for an expired one."""
        if not header or not header.startswith("Bearer "):
            return None
        user = self._store.get("user", self.read(header.removeprefix("Bearer ")))
        return Caller(user) if user and not user["is_disabled"] else None

    def read(self, token: str) -> int:
        """The user a token was issued to."""
        try:
            claims = jwt.decode(token, self._key, algorithms=["RS256"]).claims
        except (JoseError, ValueError) as wrong:
            raise internal() from wrong
        if claims["exp"] <= time.time():
            expired = datetime.fromtimestamp(claims["exp"], UTC).isoformat(timespec="milliseconds")
            told = {
                "name": "TokenExpiredError",
                "message": "jwt expired",
                "expiredAt": expired.replace("+00:00", "Z"),
            }
            raise invalid("Token has expired", i18n=told)
        return int(claims["attrs"]["id"])


def permit(
    caller: Caller | None, area: str, path: str, *, write: bool = False, create: bool = False
) -> Caller:
    """The caller, if they may. Otherwise 404 with the path, and 500 for creating a proxy host, as
    recorded.
    """
    if caller is not None and caller.may(area, write=write or create):
        return caller
    raise internal() if create and area == "proxy_hosts" else missing(path)


def hashed(password: str) -> str:
    """A salted hash."""
    salt = secrets.token_bytes(16)
    return f"{salt.hex()}:{_derive(password, salt)}"


def verified(password: str, known: str | None) -> bool:
    """Whether the password is the one that was hashed."""
    if not known:
        return False
    salt, derived = known.split(":")
    return hmac.compare_digest(_derive(password, bytes.fromhex(salt)), derived)


def _derive(password: str, salt: bytes) -> str:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, 20_000).hex()


def login(store: Store, tokens: Tokens, identity: str, secret: str) -> Row:
    """What POST /tokens answers; email addresses are compared in lower case with what was stored as it
    was sent.
    """
    wanted = identity.strip().lower()
    user = next((one for one in store.all("user") if one["email"] == wanted and not one["is_disabled"]), None)
    if user is None:
        raise invalid("Invalid email or password")
    if not verified(secret, user.get("_password")):
        raise invalid("Invalid email or password", i18n="error.invalid-auth")
    return tokens.issue(user["id"])
