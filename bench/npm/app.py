"""The API as an ASGI application: what is asked is read, handed to its route and answered."""

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

from bench.npm import routes_accounts, routes_nginx
from bench.npm.asked import Asked, Handler
from bench.npm.errors import ApiError, internal, missing
from bench.npm.manager import Manager

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


def build(manager: Manager) -> Starlette:
    """The emulator as an ASGI application."""

    def route(path: str, handlers: dict[str, Handler | tuple[Handler, int]]) -> Route:
        async def endpoint(request: Request) -> Response:
            found = handlers.get(request.method)
            if found is None:
                raise missing(request.url.path.removeprefix("/api"))
            handler, status = found if isinstance(found, tuple) else (found, 200)
            body, files = await _read(request)
            answer = await run_in_threadpool(lambda: handler(Asked(request, manager, body, files)))
            return answer if isinstance(answer, Response) else JSONResponse(answer, status)

        return Route(path, endpoint, methods=["GET", "POST", "PUT", "DELETE", "PATCH"])

    tables = routes_accounts.ROUTES | routes_nginx.ROUTES
    handlers: dict[Any, Callable[[Request, Any], Awaitable[Response]]] = {
        ApiError: _refused,
        HTTPException: _no_route,
        Exception: _broken,
    }
    api = [route(path, by_method) for path, by_method in tables.items()]
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
