"""The API: routes, permissions, the order in which the real one checks things."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from bench.npm import access_lists, auth, certificates, hosts, schema, settings, users
from bench.npm.auth import Caller
from bench.npm.errors import ApiError, internal, missing
from bench.npm.manager import Manager

VERSION = {"major": 2, "minor": 15, "revision": 1}
NOT_EMULATED = (
    "/audit-log",
    "/reports",
    "/schema",
    "/version",
    "/nginx/redirection-hosts",
    "/nginx/dead-hosts",
    "/nginx/streams",
    "/nginx/certificates/test-http",
)
"""What the real one has and this one refuses with a 501."""

Answer = Any
Handler = Callable[["Asked"], Answer]


class Asked:
    """One request, its body read, its caller known."""

    def __init__(self, request: Request, manager: Manager, body: Any, files: dict[str, str]) -> None:
        self.manager = manager
        self.body = body
        self.files = files
        self.params = request.path_params
        self.query = request.query_params
        self.path = request.url.path.removeprefix("/api")
        self.caller: Caller | None = manager.tokens.caller(request.headers.get("authorization"))

    @property
    def number(self) -> int:
        """The id in the path."""
        return int(self.params["number"])

    @property
    def expand(self) -> set[str]:
        """The relations that were asked for."""
        return {one.strip() for one in self.query.get("expand", "").split(",") if one.strip()}

    def checked(self, route: str) -> dict[str, Any]:
        """The body, checked against the schema of `route`."""
        return schema.check(route, self.body)

    def permitted(self, area: str, *, write: bool = False, create: bool = False) -> Caller:
        """The caller, if they may."""
        return auth.permit(self.caller, area, self.path, write=write, create=create)


def build(manager: Manager) -> Starlette:
    """The emulator as an ASGI application."""

    def route(path: str, **handlers: tuple[Handler, int] | Handler) -> Route:
        async def endpoint(request: Request) -> Response:
            found = handlers.get(request.method)
            if found is None:
                raise missing(request.url.path.removeprefix("/api"))
            handler, status = found if isinstance(found, tuple) else (found, 200)
            body, files = await _read(request)
            answer = await run_in_threadpool(lambda: handler(Asked(request, manager, body, files)))
            return answer if isinstance(answer, Response) else JSONResponse(answer, status)

        return Route(path, endpoint, methods=["GET", "POST", "PUT", "DELETE", "PATCH"])

    api = [
        route("/", GET=_health),
        route("/tokens", POST=_login, GET=_refresh),
        route("/tokens/2fa", POST=_second_factor),
        route("/users", GET=_users, POST=(_create_user, 201)),
        route("/users/{who}", GET=_user, PUT=_update_user, DELETE=_delete_user),
        route("/users/{who}/auth", PUT=_password),
        route("/users/{who}/permissions", PUT=_permissions),
        route("/users/{who}/2fa", POST=_start_2fa),
        route("/users/{who}/2fa/enable", POST=_enable_2fa),
        route("/settings", GET=_settings),
        route("/settings/{name}", GET=_setting, PUT=_put_setting),
        route("/nginx/proxy-hosts", GET=_hosts, POST=(_create_host, 201)),
        route("/nginx/proxy-hosts/{number:int}", GET=_host, PUT=_update_host, DELETE=_delete_host),
        route("/nginx/proxy-hosts/{number:int}/{what}", POST=_switch_host),
        route("/nginx/certificates", GET=_certificates, POST=(_create_certificate, 201)),
        route("/nginx/certificates/dns-providers", GET=_dns_providers),
        route("/nginx/certificates/validate", POST=_validate),
        route("/nginx/certificates/{number:int}", GET=_certificate, DELETE=_delete_certificate),
        route("/nginx/certificates/{number:int}/upload", POST=_upload),
        route("/nginx/certificates/{number:int}/renew", POST=_renew),
        route("/nginx/access-lists", GET=_access_lists, POST=(_create_access_list, 201)),
        route(
            "/nginx/access-lists/{number:int}",
            GET=_access_list,
            PUT=_update_access_list,
            DELETE=_delete_access_list,
        ),
    ]
    handlers: dict[Any, Callable[[Request, Any], Awaitable[Response]]] = {
        ApiError: _refused,
        HTTPException: _no_route,
        Exception: _broken,
    }
    return Starlette(routes=[Mount("/api", routes=api)], exception_handlers=handlers)


async def _read(request: Request) -> tuple[Any, dict[str, str]]:
    kind = request.headers.get("content-type", "")
    if kind.startswith("multipart/form-data"):
        async with request.form() as form:
            sent = {key: part for key, part in form.items() if isinstance(part, UploadFile)}
            return {}, {key: (await part.read()).decode(errors="replace") for key, part in sent.items()}
    data = await request.body()
    try:
        return (json.loads(data) if data and "json" in kind else {}), {}
    except ValueError as wrong:
        raise ApiError(400, "Internal Error") from wrong


async def _refused(request: Request, error: ApiError) -> Response:
    return JSONResponse(error.body(debug="nginx/certificates" in request.url.path), error.status)


async def _no_route(request: Request, error: HTTPException) -> Response:
    path = request.url.path.removeprefix("/api")
    if error.status_code == 404 and path.startswith(NOT_EMULATED):
        return await _refused(
            request, ApiError(501, f"The bench does not stand in for {request.method} {path}")
        )
    return await _refused(request, missing(path))


async def _broken(request: Request, error: Exception) -> Response:
    return await _refused(request, internal(stack=[f"Error: {error}"]))


def _health(asked: Asked) -> Answer:
    return {"status": "OK", "setup": users.is_setup(asked.manager.store), "version": VERSION}


def _login(asked: Asked) -> Answer:
    body = asked.checked("POST /tokens")
    return auth.login(asked.manager.store, asked.manager.tokens, body["identity"], body["secret"])


def _refresh(asked: Asked) -> Answer:
    caller = _someone(asked)
    return asked.manager.tokens.issue(caller.user["id"], lasts=asked.query.get("expiry", "1d"))


def _second_factor(asked: Asked) -> Answer:
    body = asked.checked("POST /tokens/2fa")
    manager = asked.manager
    return auth.second_factor(manager.store, manager.tokens, body["challenge_token"], body["code"])


def _someone(asked: Asked) -> Caller:
    if asked.caller is None:
        raise missing(asked.path)
    return asked.caller


def _administrator(asked: Asked) -> Caller:
    caller = _someone(asked)
    if not caller.admin:
        raise missing(asked.path)
    return caller


def _users(asked: Asked) -> Answer:
    _administrator(asked)
    return [users.shown(one, tuple(asked.expand)) for one in asked.manager.store.all("user")]


def _create_user(asked: Asked) -> Answer:
    body = asked.checked("POST /users")
    if users.is_setup(asked.manager.store):
        _administrator(asked)
    return users.create(asked.manager.store, body)


def _named(asked: Asked) -> dict[str, Any]:
    return users.find(asked.manager.store, asked.caller, asked.params["who"], asked.path)


def _user(asked: Asked) -> Answer:
    return users.shown(_named(asked), tuple(asked.expand))


def _update_user(asked: Asked) -> Answer:
    body = asked.checked("PUT /users/{userID}")
    user = _named(asked)
    if body.keys() & {"roles", "is_disabled"}:
        _administrator(asked)
    return users.shown(asked.manager.store.patch("user", user["id"], **body))


def _delete_user(asked: Asked) -> Answer:
    caller, user = _administrator(asked), _named(asked)
    if caller.user["id"] == user["id"]:
        raise ApiError(400, "You cannot delete yourself")
    asked.manager.store.remove("user", user["id"])
    return True


def _password(asked: Asked) -> Answer:
    body = asked.checked("PUT /users/{userID}/auth")
    return users.set_password(asked.manager.store, _someone(asked), _named(asked), body)


def _permissions(asked: Asked) -> Answer:
    body = asked.checked("PUT /users/{userID}/permissions")
    _administrator(asked)
    user = _named(asked)
    asked.manager.store.patch("user", user["id"], _permissions={**user["_permissions"], **body})
    return True


def _start_2fa(asked: Asked) -> Answer:
    return users.start_second_factor(asked.manager.store, _named(asked))


def _enable_2fa(asked: Asked) -> Answer:
    body = asked.checked("POST /users/{userID}/2fa/enable")
    return users.enable_second_factor(asked.manager.store, _named(asked), body["code"])


def _settings(asked: Asked) -> Answer:
    _administrator(asked)
    return [settings.get(asked.manager, settings.NAME)]


def _setting(asked: Asked) -> Answer:
    _administrator(asked)
    return settings.get(asked.manager, asked.params["name"])


def _put_setting(asked: Asked) -> Answer:
    body = asked.checked("PUT /settings/{settingID}")
    _administrator(asked)
    return settings.put(asked.manager, asked.params["name"], body)


def _hosts(asked: Asked) -> Answer:
    caller = asked.permitted("proxy_hosts")
    return hosts.listed(asked.manager, caller, asked.query.get("query", ""), asked.expand)


def _create_host(asked: Asked) -> Answer:
    body = asked.checked("POST /nginx/proxy-hosts")
    return hosts.create(asked.manager, asked.permitted("proxy_hosts", create=True), body)


def _host(asked: Asked) -> Answer:
    caller = asked.permitted("proxy_hosts")
    return hosts.shown(asked.manager, hosts.find(asked.manager, caller, asked.number), asked.expand)


def _update_host(asked: Asked) -> Answer:
    body = asked.checked("PUT /nginx/proxy-hosts/{hostID}")
    return hosts.update(asked.manager, asked.permitted("proxy_hosts", write=True), asked.number, body)


def _delete_host(asked: Asked) -> Answer:
    return hosts.remove(asked.manager, asked.permitted("proxy_hosts", write=True), asked.number)


def _switch_host(asked: Asked) -> Answer:
    what = asked.params["what"]
    if what not in ("enable", "disable"):
        raise missing(asked.path)
    caller = asked.permitted("proxy_hosts", write=True)
    return hosts.switch(asked.manager, caller, asked.number, on=what == "enable")


def _certificates(asked: Asked) -> Answer:
    caller = asked.permitted("certificates")
    rows = [row for row in asked.manager.store.all("certificate") if caller.sees(row)]
    ordered = sorted(rows, key=lambda row: str(row["nice_name"]))
    return [certificates.shown(asked.manager, row, asked.expand) for row in ordered]


def _create_certificate(asked: Asked) -> Answer:
    body = asked.checked("POST /nginx/certificates")
    return certificates.create(asked.manager, asked.permitted("certificates", create=True), body)


def _dns_providers(asked: Asked) -> Answer:
    _someone(asked)
    return certificates.DNS_PROVIDERS


def _certificate(asked: Asked) -> Answer:
    caller = asked.permitted("certificates")
    row = certificates.find(asked.manager, caller, asked.number)
    return certificates.shown(asked.manager, row, asked.expand)


def _delete_certificate(asked: Asked) -> Answer:
    return certificates.remove(asked.manager, asked.permitted("certificates", write=True), asked.number)


def _validate(asked: Asked) -> Answer:
    asked.permitted("certificates")
    if "certificate" not in asked.files:
        return JSONResponse({"error": "No files were uploaded"}, 400)
    return certificates.validate(asked.files["certificate"], asked.files.get("certificate_key"))


def _upload(asked: Asked) -> Answer:
    if "certificate" not in asked.files:
        return JSONResponse({"error": "No files were uploaded"}, 400)
    caller = asked.permitted("certificates", write=True)
    return certificates.upload(asked.manager, caller, asked.number, asked.files)


def _renew(asked: Asked) -> Answer:
    return certificates.renew(asked.manager, asked.permitted("certificates", write=True), asked.number)


def _access_lists(asked: Asked) -> Answer:
    caller = asked.permitted("access_lists")
    rows = [row for row in asked.manager.store.all("access_list") if caller.sees(row)]
    ordered = sorted(rows, key=lambda row: str(row["name"]))
    return [access_lists.shown(asked.manager, row, asked.expand) for row in ordered]


def _create_access_list(asked: Asked) -> Answer:
    body = asked.checked("POST /nginx/access-lists")
    return access_lists.create(asked.manager, asked.permitted("access_lists", create=True), body)


def _access_list(asked: Asked) -> Answer:
    caller = asked.permitted("access_lists")
    row = access_lists.find(asked.manager, caller, asked.number)
    return access_lists.shown(asked.manager, row, asked.expand)


def _update_access_list(asked: Asked) -> Answer:
    body = asked.checked("PUT /nginx/access-lists/{listID}")
    caller = asked.permitted("access_lists", write=True)
    return access_lists.update(asked.manager, caller, asked.number, body)


def _delete_access_list(asked: Asked) -> Answer:
    return access_lists.remove(asked.manager, asked.permitted("access_lists", write=True), asked.number)
