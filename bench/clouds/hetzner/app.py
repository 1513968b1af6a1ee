"""The HTTP side: token, rate limit, routes."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bench.clouds.hetzner import catalog, firewalls, ips, keys, server_actions, servers, views, volumes
from bench.clouds.hetzner.errors import ApiError, missing
from bench.clouds.hetzner.listing import page
from bench.clouds.hetzner.project import FIRST, Project
from bench.clouds.store import Record
from bench.clouds.watch import Fault, Faults, Watch

_CODES = {409: "conflict", 422: "invalid_input", 429: "rate_limit_exceeded", 404: "not_found", 423: "locked"}
_DELETED = Response(status_code=204)


class Limit:
    """The account's budget: `most` requests, which comes back over an hour (headers RateLimit-*)."""

    def __init__(self, most: int) -> None:
        self.most, self.left, self.seen = most, float(most), time.monotonic()

    def headers(self) -> dict[str, str]:
        """Use up one request and say what is left."""
        seen = time.monotonic()
        self.left = min(self.most, self.left + (seen - self.seen) * self.most / 3600)
        self.seen = seen
        if self.left < 1:
            raise ApiError("rate_limit_exceeded", f"limit of {self.most} requests per hour reached")
        self.left -= 1
        reset = int(time.time() + (self.most - self.left) * 3600 / self.most)
        left = {"RateLimit-Limit": str(self.most), "RateLimit-Remaining": str(int(self.left))}
        return left | {"RateLimit-Reset": str(reset)}


class _Resource:
    """One kind of object: its module's functions under the API's routes."""

    def __init__(
        self,
        kind: str,
        singular: str,
        filters: tuple[str, ...],
        show: Callable[[Project, Record], Record],
        create: Callable[[Project, Record], Record],
        delete: Callable[[Project, str], Record | None],
        update: Callable[[Project, str, Record], Record] | None = None,
        actions: dict[str, Callable[[Project, str, Record], Record]] | None = None,
    ) -> None:
        self.kind, self.singular, self.filters, self.show = kind, singular, filters, show
        self.create, self.delete, self.update, self.actions = create, delete, update, actions or {}


def _plain(function: Callable[[Record], Record]) -> Callable[[Project, Record], Record]:
    return lambda _project, record: function(record)


RESOURCES = (
    _Resource("ssh_keys", "ssh_key", ("name", "fingerprint"), _plain(views.ssh_key), keys.create,
              keys.delete),
    _Resource("firewalls", "firewall", ("name",), _plain(views.firewall), firewalls.create, firewalls.delete,
              actions={"set_rules": firewalls.set_rules,
                       "apply_to_resources": firewalls.apply_to_resources,
                       "remove_from_resources": firewalls.remove_from_resources}),
    _Resource("primary_ips", "primary_ip", ("name", "ip"), _plain(views.primary_ip), ips.create, ips.delete,
              ips.update,
              actions={"assign": ips.assign, "unassign": ips.unassign, "change_dns_ptr": ips.change_dns_ptr,
                       "change_protection": ips.change_protection}),
    _Resource("volumes", "volume", ("name", "status"), _plain(views.volume), volumes.create, volumes.delete,
              actions={"attach": volumes.attach, "detach": volumes.detach, "resize": volumes.resize,
                       "change_protection": volumes.change_protection}),
    _Resource("servers", "server", ("name", "status"), views.server, servers.create, servers.delete,
              servers.update, actions=server_actions.ACTIONS),
)  # fmt: skip


class Api:
    """The requests of one project."""

    def __init__(self, project: Project, token: str, limit: int, correlation_id: Callable[[], str]) -> None:
        self.project, self.token, self.limit = project, token, Limit(limit)
        self.correlation_id = correlation_id

    async def answer(self, request: Request, handler: Callable[[Request, Record], Any]) -> Response:
        """Check the request, let the handler act, and give its answer the API's headers."""
        headers = {"X-Correlation-Id": self.correlation_id()}
        try:
            self._authenticate(request)
            headers |= self.limit.headers()
            result = handler(request, await _body(request))
            if request.method != "GET":
                self.project.store.save()
        except ApiError as error:
            return JSONResponse(error.body(), error.status, headers)
        if isinstance(result, Response):
            return Response(status_code=result.status_code, headers=headers)
        created = request.method == "POST"
        return JSONResponse(result, 201 if created else 200, headers)

    def _authenticate(self, request: Request) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.encode(), self.token.encode()):
            raise ApiError("unauthorized", "unable to authenticate")

    def fault(self, fault: Fault) -> Response:
        """The reply of a request that trouble was ordered for."""
        status = fault.status or 500
        headers = fault.headers | {"X-Correlation-Id": self.correlation_id()}
        if fault.text is not None:
            return Response(fault.text, status, headers, "text/html")
        code = fault.code or _CODES.get(status, "service_error")
        message = fault.message or f"{code}, because the bench was asked for it"
        return JSONResponse(ApiError(code, message, fault.details, status).body(), status, headers)

    def routes(self) -> list[Route]:
        """Every route of the API that the bench knows."""
        found = [route for resource in RESOURCES for route in self._resource(resource)]
        for kind, noun, table, filters in (
            ("locations", "location", catalog.LOCATIONS, ("name",)),
            ("server_types", "server_type", catalog.SERVER_TYPES, ("name",)),
            ("images", "image", catalog.IMAGES, ("name", "type", "status", "architecture")),
        ):
            found += self._table(kind, noun, table, filters)
        found.append(self._route("/v1/actions", "GET", self._actions))
        found.append(self._route("/v1/actions/{id}", "GET", self._action))
        return found

    def _route(self, path: str, method: str, handler: Callable[[Request, Record], Any]) -> Route:
        async def endpoint(request: Request) -> Response:
            return await self.answer(request, handler)

        return Route(path, endpoint, methods=[method])

    def _resource(self, r: _Resource) -> list[Route]:
        project, base, one = self.project, f"/v1/{r.kind}", f"/v1/{r.kind}/{{id}}"

        def show(record: Record) -> Record:
            return r.show(project, record)

        def create(request: Request, body: Record) -> Record:
            del request
            return r.create(project, body)

        def one_of(request: Request, body: Record) -> Record:
            del body
            return {r.singular: show(project.get(r.kind, request.path_params["id"]))}

        def delete(request: Request, body: Record) -> Record | Response:
            del body
            return r.delete(project, request.path_params["id"]) or _DELETED

        def update(request: Request, body: Record) -> Record:
            number = request.path_params["id"]
            if r.update is not None:
                return r.update(project, number, body)
            record = project.get(r.kind, number)
            project.rename(r.kind, record, body)
            return {r.singular: show(record)}

        def act(request: Request, body: Record) -> Record:
            name = request.path_params["action"]
            if name not in r.actions:
                raise ApiError("unsupported_error", f"the bench's {r.kind} don't know the action {name}")
            return r.actions[name](project, request.path_params["id"], body)

        def listed(request: Request, body: Record) -> Record:
            del body
            return page(r.kind, project.all(r.kind).values(), request.query_params, r.filters, show)

        def history(request: Request, body: Record) -> Record:
            del body
            one = request.path_params.get("id")
            number = None if one is None else project.get(r.kind, one)["id"]
            rows = [
                action
                for action in project.all("actions").values()
                for resource in action["resources"]
                if resource["type"] == r.singular and number in (None, resource["id"])
            ]
            return page("actions", rows, request.query_params, ("id", "status"), views.action)

        return [
            self._route(base, "GET", listed),
            self._route(base, "POST", create),
            self._route(f"{base}/actions", "GET", history),
            self._route(one, "GET", one_of),
            self._route(one, "PUT", update),
            self._route(one, "DELETE", delete),
            self._route(f"{one}/actions", "GET", history),
            self._route(f"{one}/actions/{{action}}", "POST", act),
        ]

    def _table(self, kind: str, noun: str, rows: list[Record], filters: tuple[str, ...]) -> list[Route]:
        def one(request: Request, body: Record) -> Record:
            del body
            found = next((r for r in rows if str(r["id"]) == request.path_params["id"]), None)
            if found is None:
                raise missing(noun.replace("_", " "), request.path_params["id"])
            return {noun: found}

        def listed(request: Request, body: Record) -> Record:
            del body
            return page(kind, rows, request.query_params, filters, dict)

        return [self._route(f"/v1/{kind}", "GET", listed), self._route(f"/v1/{kind}/{{id}}", "GET", one)]

    def _actions(self, request: Request, body: Record) -> Record:
        del body
        rows = self.project.all("actions").values()
        return page("actions", rows, request.query_params, ("id", "status"), views.action)

    def _action(self, request: Request, body: Record) -> Record:
        del body
        return {"action": views.action(self.project.get("actions", request.path_params["id"]))}


async def _body(request: Request) -> Record:
    raw = await request.body()
    if not raw:
        return {}
    try:
        body = json.loads(raw)
    except ValueError:
        raise ApiError("json_error", "invalid JSON in the request's body") from None
    if not isinstance(body, dict):
        raise ApiError("json_error", "the request's body must be an object")
    return body


async def _unknown(request: Request, error: Exception) -> Response:
    del error
    message = f"the bench's Hetzner has no {request.method} {request.url.path}"
    return JSONResponse(ApiError("not_found", message).body(), 404)


def state(project: Project) -> dict[str, list[str]]:
    """The names of everything that exists in the project, by kind."""
    return {kind: [r["name"] for r in project.all(kind).values()] for kind in FIRST if kind != "actions"}


def build(api: Api, faults: Faults) -> Watch:
    """The app of one project."""
    unknown: dict[Any, Callable[[Request, Exception], Awaitable[Response]]] = {404: _unknown, 405: _unknown}
    unknown[HTTPException] = _unknown
    app = Starlette(routes=api.routes(), exception_handlers=unknown)
    return Watch(app, faults, api.fault, lambda: state(api.project))
