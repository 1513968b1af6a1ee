"""Errors in the API's shape: {"error": {"code", "message", "details"}}."""

from __future__ import annotations

from typing import Any

STATUS = {
    "invalid_input": 422,
    "json_error": 400,
    "unauthorized": 401,
    "not_found": 404,
    "uniqueness_error": 409,
    "conflict": 409,
    "locked": 423,
    "protected": 423,
    "resource_in_use": 422,
    "firewall_resource_not_found": 422,
    "resource_unavailable": 412,
    "resource_limit_exceeded": 403,
    "unsupported_error": 422,
    "server_not_stopped": 422,
    "volume_already_attached": 422,
    "primary_ip_assigned": 422,
    "primary_ip_already_assigned": 422,
    "rate_limit_exceeded": 429,
    "service_error": 500,
}


class ApiError(Exception):
    """A request that the API refuses."""

    def __init__(
        self, code: str, message: str, details: dict[str, Any] | None = None, status: int | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.details = code, message, details
        self.status = status or STATUS[code]

    def body(self) -> dict[str, Any]:
        """The reply's JSON."""
        return {"error": {"code": self.code, "message": self.message, "details": self.details}}


def invalid(field: str, *messages: str) -> ApiError:
    """A field's value is not acceptable."""
    fields = [{"name": field, "messages": list(messages)}]
    return ApiError("invalid_input", f"invalid input in field '{field}'", {"fields": fields})


def missing(kind: str, identifier: object) -> ApiError:
    """There is no object of this kind (in the words of the API: "server", "SSH key") with this id."""
    return ApiError("not_found", f"{kind} with ID '{identifier}' not found")
