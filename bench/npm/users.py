"""Users: the first one, who needs no permission, and the others."""

from __future__ import annotations

import hashlib

from bench.npm import auth
from bench.npm.auth import Caller
from bench.npm.errors import invalid, missing
from bench.npm.store import Row, Store, public


def is_setup(store: Store) -> bool:
    """Whether there is a user; until then anyone may make the first."""
    return bool(store.all("user"))


def first_start(store: Store, email: str | None, password: str | None) -> None:
    """Make the administrator that the environment names, if there is no user yet."""
    if email and password and not is_setup(store):
        body = {"name": "Administrator", "nickname": "Admin", "email": email, "roles": ["admin"]}
        made = create(store, {**body, "auth": {"type": "password", "secret": password}})
        store.patch("user", made["id"], avatar="")


def create(store: Store, body: Row) -> Row:
    """Add a user; the very first one is an administrator whatever the body says."""
    roles = body.get("roles", []) if is_setup(store) else ["admin"]
    if any(one["email"].lower() == body["email"].lower() for one in store.all("user")):
        raise invalid(f"Email address already in use - {body['email']}")
    user = store.insert(
        "user",
        {
            "is_disabled": body.get("is_disabled", False),
            "email": body["email"],
            "name": body["name"],
            "nickname": body["nickname"],
            "avatar": _avatar(body["email"]),
            "roles": roles,
            "_password": auth.hashed(body["auth"]["secret"]) if "auth" in body else None,
            "_permissions": auth.permissions(admin="admin" in roles),
        },
    )
    return shown(user, expand=("permissions",))


def shown(user: Row, expand: tuple[str, ...] = ()) -> Row:
    """The user as the API shows one."""
    told = public(user)
    return {**told, "permissions": user["_permissions"]} if "permissions" in expand else told


def find(store: Store, caller: Caller | None, key: str, path: str, *, write: bool = False) -> Row:
    """The user a path names (`me` or an id): one's own, or any for an administrator."""
    if caller is None:
        raise missing(path)
    number = caller.user["id"] if key == "me" else int(key) if key.isdigit() else 0
    if number != caller.user["id"] and not caller.admin:
        raise missing(path)
    del write
    user = store.get("user", number)
    if user is None:
        raise missing(key)
    return user


def set_password(store: Store, caller: Caller, user: Row, body: Row) -> bool:
    """Change a password; one's own needs the current one."""
    own = caller.user["id"] == user["id"]
    if own and not auth.verified(body.get("current", ""), user.get("_password")):
        raise invalid("Current password was not supplied" if "current" not in body else "Invalid password")
    store.patch("user", user["id"], _password=auth.hashed(body["secret"]))
    return True


def _avatar(email: str) -> str:
    digest = hashlib.md5(email.strip().lower().encode(), usedforsecurity=False).hexdigest()
    return f"//www.gravatar.com/avatar/{digest}?default=mm"
