"""The routes that are not about nginx: health, tokens, users, settings."""

from __future__ import annotations

from typing import Any

from bench.npm import auth, settings, users
from bench.npm.asked import Answer, Asked, Handler
from bench.npm.errors import ApiError

VERSION = {"major": 2, "minor": 15, "revision": 1}


def _health(asked: Asked) -> Answer:
    return {"status": "OK", "setup": users.is_setup(asked.manager.store), "version": VERSION}


def _login(asked: Asked) -> Answer:
    body = asked.checked("POST /tokens")
    return auth.login(asked.manager.store, asked.manager.tokens, body["identity"], body["secret"])


def _refresh(asked: Asked) -> Answer:
    caller = asked.someone()
    return asked.manager.tokens.issue(caller.user["id"], lasts=asked.query.get("expiry", "1d"))


def _users(asked: Asked) -> Answer:
    asked.administrator()
    return [users.shown(one, tuple(asked.expand)) for one in asked.manager.store.all("user")]


def _create_user(asked: Asked) -> Answer:
    body = asked.checked("POST /users")
    if users.is_setup(asked.manager.store):
        asked.administrator()
    return users.create(asked.manager.store, body)


def _named(asked: Asked) -> dict[str, Any]:
    return users.find(asked.manager.store, asked.caller, asked.params["who"], asked.path)


def _user(asked: Asked) -> Answer:
    return users.shown(_named(asked), tuple(asked.expand))


def _update_user(asked: Asked) -> Answer:
    body = asked.checked("PUT /users/{userID}")
    user = _named(asked)
    if body.keys() & {"roles", "is_disabled"}:
        asked.administrator()
    return users.shown(asked.manager.store.patch("user", user["id"], **body))


def _delete_user(asked: Asked) -> Answer:
    caller, user = asked.administrator(), _named(asked)
    if caller.user["id"] == user["id"]:
        raise ApiError(400, "You cannot delete yourself")
    asked.manager.store.remove("user", user["id"])
    return True


def _password(asked: Asked) -> Answer:
    body = asked.checked("PUT /users/{userID}/auth")
    return users.set_password(asked.manager.store, asked.someone(), _named(asked), body)


def _permissions(asked: Asked) -> Answer:
    body = asked.checked("PUT /users/{userID}/permissions")
    asked.administrator()
    user = _named(asked)
    asked.manager.store.patch("user", user["id"], _permissions={**user["_permissions"], **body})
    return True


def _settings(asked: Asked) -> Answer:
    asked.administrator()
    return [settings.get(asked.manager, settings.NAME)]


def _setting(asked: Asked) -> Answer:
    asked.administrator()
    return settings.get(asked.manager, asked.params["name"])


def _put_setting(asked: Asked) -> Answer:
    body = asked.checked("PUT /settings/{settingID}")
    asked.administrator()
    return settings.put(asked.manager, asked.params["name"], body)


ROUTES: dict[str, dict[str, Handler | tuple[Handler, int]]] = {
    "/": {"GET": _health},
    "/tokens": {"POST": _login, "GET": _refresh},
    "/users": {"GET": _users, "POST": (_create_user, 201)},
    "/users/{who}": {"GET": _user, "PUT": _update_user, "DELETE": _delete_user},
    "/users/{who}/auth": {"PUT": _password},
    "/users/{who}/permissions": {"PUT": _permissions},
    "/settings": {"GET": _settings},
    "/settings/{name}": {"GET": _setting, "PUT": _put_setting},
}
"""The handlers of each path by method, with the status of success if it is not 200."""
