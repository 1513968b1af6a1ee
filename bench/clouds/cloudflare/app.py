"""The HTTP side: token, zones, records."""

from __future__ import annotations

import hmac
import json
import re
import secrets
from collections.abc import Callable, Iterable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bench.clouds.cloudflare.account import Account, token_of_one_zone, zone_id
from bench.clouds.cloudflare.records import CloudflareError, full_name
from bench.clouds.store import Record
from bench.clouds.watch import Fault, Faults, Watch

_CODES = {429: 10429, 403: 10000, 404: 81044, 400: 1004}
_TOKEN = re.compile(r"[A-Za-z0-9_-]{40,}")  # what Cloudflare takes for a token at all


def _zone(zone: Record) -> Record:
    return {
        "id": zone["id"],
        "name": zone["name"],
        "status": "active",
        "paused": False,
        "type": "full",
        "development_mode": 0,
        "name_servers": ["ada.ns.cloudflare.com", "bob.ns.cloudflare.com"],
        "original_name_servers": None,
        "original_registrar": None,
        "original_dnshost": None,
        "modified_on": zone["created_on"],
        "created_on": zone["created_on"],
        "activated_on": zone["created_on"],
        "vanity_name_servers": [],
        "vanity_name_servers_ips": None,
        "meta": {"step": 2, "custom_certificate_quota": 0, "page_rule_quota": 3, "phishing_detected": False},
        "owner": {"id": None, "type": "user", "email": None},
        "account": {"id": zone_id("account"), "name": "Bench"},
        "tenant": {"id": None, "name": None},
        "tenant_unit": {"id": None},
        "permissions": ["#zone:read", "#dns_records:read", "#dns_records:edit"],
        "plan": {
            "id": zone_id("free plan"),
            "name": "Free Website",
            "price": 0,
            "currency": "USD",
            "frequency": "",
            "is_subscribed": False,
            "can_subscribe": False,
            "legacy_id": "free",
            "legacy_discount": False,
            "externally_managed": False,
        },
    }


def _record(record: Record) -> Record:
    return {k: v for k, v in record.items() if k != "zone"}


def _reply(result: Any, status: int = 200, **more: Any) -> JSONResponse:
    return JSONResponse({"result": result, "success": True, "errors": [], "messages": []} | more, status)


def _error(status: int, code: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    errors: list[Record] = [{"code": code, "message": message}]
    if code == 6003:
        errors[0]["error_chain"] = [{"code": 6111, "message": "Invalid format for Authorization header"}]
    body = {"result": None, "success": False, "errors": errors, "messages": []}
    return JSONResponse(body, status, headers)


def _page(rows: Iterable[Record], request: Request, size: int) -> JSONResponse:
    found = list(rows)
    try:
        number = int(request.query_params.get("page", 1))
        size = int(request.query_params.get("per_page", size))
    except ValueError:
        number = size = 0
    if number < 1 or size < 1:
        raise CloudflareError(400, 1004, "page and per_page must be positive numbers")
    shown = found[(number - 1) * size : number * size]
    info = {"page": number, "per_page": size, "count": len(shown), "total_count": len(found)}
    return _reply(shown, result_info=info | {"total_pages": -(-len(found) // size)})


class Api:
    """The requests of one account."""

    def __init__(self, account: Account, token: str) -> None:
        self.account, self.token = account, token

    def _authenticate(self, request: Request) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not _TOKEN.fullmatch(given):
            raise CloudflareError(400, 6003, "Invalid request headers")
        if not self._visible(given):
            if request.url.path.endswith("/user/tokens/verify"):
                raise CloudflareError(401, 1000, "Invalid API Token")
            raise CloudflareError(403, 10000, "Authentication error")
        zone = request.path_params.get("zone")
        if zone in self.account.data["zones"] and zone not in self._visible(given):
            raise CloudflareError(403, 9109, "Unauthorized to access requested resource")
        request.state.token = given

    def _visible(self, token: str) -> Record:
        """The zones that a token may be used for, by their ids: all, one, or none if there is no such token."""
        zones: Record = self.account.data["zones"]
        if hmac.compare_digest(token.encode(), self.token.encode()):
            return zones
        return {id_: z for id_, z in zones.items() if token_of_one_zone(self.token, z["name"]) == token}

    def routes(self) -> list[Route]:
        """Every route of the API that the bench knows."""
        base = "/client/v4"
        records = f"{base}/zones/{{zone}}/dns_records"
        table = [
            (f"{base}/user/tokens/verify", "GET", self._verify),
            (f"{base}/zones", "GET", self._zones),
            (f"{base}/zones/{{zone}}", "GET", self._one_zone),
            (records, "GET", self._records),
            (records, "POST", self._create),
            (f"{records}/{{record}}", "GET", self._one_record),
            (f"{records}/{{record}}", "PUT", self._put),
            (f"{records}/{{record}}", "PATCH", self._patch),
            (f"{records}/{{record}}", "DELETE", self._delete),
        ]
        return [Route(path, self._endpoint(handler), methods=[method]) for path, method, handler in table]

    def _endpoint(self, handler: Callable[[Request, Record], JSONResponse]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            try:
                self._authenticate(request)
                reply = handler(request, await _body(request))
            except CloudflareError as error:
                return _error(error.status, error.code, error.message)
            if request.method != "GET":
                self.account.store.save()
            reply.headers["cf-ray"] = f"{secrets.token_hex(8)}-BENCH"
            return reply

        return endpoint

    def _verify(self, request: Request, body: Record) -> JSONResponse:
        del request, body
        valid = [{"code": 10000, "message": "This API Token is valid and active", "type": None}]
        return _reply({"id": zone_id("token"), "status": "active"}, messages=valid)

    def _zones(self, request: Request, body: Record) -> JSONResponse:
        del body
        zones = self._visible(request.state.token).values()
        wanted = request.query_params.get("name")
        return _page((_zone(z) for z in zones if wanted in (None, z["name"])), request, 20)

    def _one_zone(self, request: Request, body: Record) -> JSONResponse:
        del body
        return _reply(_zone(self.account.zone(request.path_params["zone"])))

    def _records(self, request: Request, body: Record) -> JSONResponse:
        del body
        zone = self.account.zone(request.path_params["zone"])
        rows, query = self.account.records(zone["id"]), request.query_params
        for field in ("name", "type", "content"):
            wanted = query.get(field) or query.get(f"{field}.exact")
            if wanted is not None:
                wanted = full_name(wanted, zone["name"]) if field == "name" else wanted
                rows = [r for r in rows if r[field] == wanted]
        return _page(map(_record, rows), request, 100)

    def _create(self, request: Request, body: Record) -> JSONResponse:
        return _reply(_record(self.account.create(request.path_params["zone"], body)))

    def _one_record(self, request: Request, body: Record) -> JSONResponse:
        del body
        return _reply(_record(self.account.record(*_where(request))))

    def _put(self, request: Request, body: Record) -> JSONResponse:
        where = _where(request)
        return _reply(_record(self.account.update(*where, body)))

    def _patch(self, request: Request, body: Record) -> JSONResponse:
        where = _where(request)
        return _reply(_record(self.account.update(*where, self.account.record(*where) | body)))

    def _delete(self, request: Request, body: Record) -> JSONResponse:
        del body
        return _reply(self.account.delete(*_where(request)))


def _where(request: Request) -> tuple[str, str]:
    return request.path_params["zone"], request.path_params["record"]


async def _body(request: Request) -> Record:
    raw = await request.body()
    try:
        body = json.loads(raw or b"{}")
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise CloudflareError(400, 9207, "Request body is invalid.")
    return body


def _fault(fault: Fault) -> Response:
    status = fault.status or 500
    if fault.text is not None:
        return Response(fault.text, status, fault.headers, "text/html")
    code = int(fault.code or _CODES.get(status, 1000))
    return _error(status, code, fault.message or "because the bench was asked for it", fault.headers)


async def _unknown(request: Request, error: Exception) -> Response:
    del error
    return _error(404, 7000, f"No route for that URI: the bench's Cloudflare has no {request.method} "
                             f"{request.url.path}")  # fmt: skip


def build(account: Account, token: str, faults: Faults) -> Watch:
    """The app of one account."""
    handlers: dict[Any, Any] = {404: _unknown, 405: _unknown, HTTPException: _unknown}
    app = Starlette(routes=Api(account, token).routes(), exception_handlers=handlers)

    def state() -> Record:
        zones = account.data["zones"]
        return {z["name"]: [f"{r['type']} {r['name']}" for r in account.records(n)] for n, z in zones.items()}

    return Watch(app, faults, _fault, state)
