"""What Nginx Proxy Manager answers when it refuses, as recorded."""

from __future__ import annotations

from typing import Any


class ApiError(Exception):
    """Answered as `{"error": {"code", "message"}}`.

    `stack` and `previous` are shown as `debug`, which the real one does below /nginx/certificates only.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        i18n: Any = None,
        stack: list[str] | None = None,
        previous: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.i18n = i18n
        self.stack = stack
        self.previous = previous

    def body(self, *, debug: bool) -> dict[str, Any]:
        """The JSON that goes out."""
        error: dict[str, Any] = {"code": self.status, "message": self.message}
        if self.i18n is not None:
            error["message_i18n"] = self.i18n
        if not debug:
            return {"error": error}
        told: dict[str, Any] = {"stack": self.stack or [f"Error: {self.message}"]}
        if self.previous is not None:
            told["previous"] = self.previous
        return {"error": error, "debug": told}


def internal(*, stack: list[str] | None = None, previous: dict[str, Any] | None = None) -> ApiError:
    """Every failure that the real one did not foresee: 500 without a reason (the reason is in `debug`, if
    anywhere).
    """
    return ApiError(500, "Internal Error", stack=stack or ["Error: Internal Error"], previous=previous)


def missing(what: object) -> ApiError:
    """404. `what` is an id if the thing is not there, a path if there is no such route or no permission
    for it.
    """
    return ApiError(404, f"Not Found - {what}")


def invalid(message: str, *, i18n: Any = None) -> ApiError:
    """400."""
    return ApiError(400, message, i18n=i18n)
