"""A request as the routes see it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request

from bench.npm import auth, schema
from bench.npm.auth import Caller
from bench.npm.errors import missing
from bench.npm.manager import Manager

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

    def someone(self) -> Caller:
        """The caller, whoever it is."""
        if self.caller is None:
            raise missing(self.path)
        return self.caller

    def administrator(self) -> Caller:
        """The caller, who must be an administrator."""
        caller = self.someone()
        if not caller.admin:
            raise missing(self.path)
        return caller
