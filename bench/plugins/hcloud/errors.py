"""What the official plugin makes of the API's errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import requests
from hcloud import APIException
from hcloud.actions.domain import ActionFailedException

from bench.plugins.base import Failed
from bench.plugins.values import Values

# The official plugin crashes at these places (nil pointer), and this is what the engine sees of it.
CRASHED = Failed("error reading from server: EOF", code="UNAVAILABLE")

_INVALID = (
    "Invalid field in API request: An invalid field was encountered during an API request. "
    "The field might not map 1:1 to your terraform resource."
)
_FAILED = "API request failed: An unexpected error was encountered during an API request."


def gone(error: APIException) -> bool:
    """Whether the error says that the object is not there."""
    return error.code == "not_found"


def _text(error: APIException) -> str:
    return f"{error.message} ({error.code}, {error.correlation_id})"


def _fields(error: APIException) -> list[tuple[str, list[str]]]:
    details = error.details if isinstance(error.details, dict) else {}
    if error.code != "invalid_input":
        return []
    return [(field["name"], field.get("messages") or []) for field in details.get("fields") or []]


def _refused(error: requests.exceptions.ConnectionError) -> str:
    """The error in the words of Go, which the official plugin is written in."""
    request = error.request
    if request is None or request.url is None:
        return str(error)
    where = urlsplit(request.url)
    method = (request.method or "").capitalize()
    reason = "connect: connection refused" if "refused" in str(error) else str(error)
    return f'{method} "{request.url}": dial tcp {where.netloc}: {reason}'


def sdk_text(error: Exception) -> str:
    """An error of the older resources, on one line."""
    if isinstance(error, APIException) and isinstance(error.code, int):
        return f"hcloud: server responded with status code {error.code}"
    if isinstance(error, APIException):
        fields = " ".join(f"{name} => [{' '.join(messages)}]" for name, messages in _fields(error))
        return f"{_text(error)}: [{fields}]" if error.code == "invalid_input" else _text(error)
    if isinstance(error, ActionFailedException):
        action = error.action
        reason: Values = dict(action.error or {})
        return f"{reason.get('message')} ({reason.get('code')}, {action.id})"
    if isinstance(error, requests.exceptions.ConnectionError):
        return _refused(error)
    return str(error)


def framework_text(error: Exception) -> str:
    """An error of the newer resources."""
    if not isinstance(error, APIException) or isinstance(error.code, int):
        return f"{_FAILED}\n\n{sdk_text(error)}\n"
    # Hetzner's client keeps the error's code but not the reply's status: what goes with that code.
    status = _STATUS.get(str(error.code), "unknown")
    end = f"Error code: {error.code}\nStatus code: {status}\n"
    fields = _fields(error)
    if fields:
        name, messages = fields[0]
        listed = "".join(f" - {message}\n" for message in messages)
        return f"{_INVALID}\n\n{_text(error)}\n\nField: {name}\nMessages:\n{listed}{end}"
    return f"{_FAILED}\n\n{_text(error)}\n\n{end}"


_STATUS = {
    "invalid_input": 422, "uniqueness_error": 409, "conflict": 409, "unauthorized": 401, "not_found": 404,
    "resource_limit_exceeded": 403, "forbidden": 403, "protected": 423, "locked": 423, "service_error": 500,
    "server_error": 500, "rate_limit_exceeded": 429, "resource_unavailable": 412, "resource_in_use": 422,
}  # fmt: skip


@contextmanager
def framework() -> Iterator[None]:
    """Turn errors into those of the newer resources."""
    try:
        yield
    except (APIException, ActionFailedException, requests.exceptions.RequestException) as error:
        raise Failed(framework_text(error)) from None


@contextmanager
def sdk(what: str = "") -> Iterator[None]:
    """Turn errors into those of the older resources; `what` is "updating URN" once the object exists."""
    try:
        yield
    except (APIException, ActionFailedException, LookupError, requests.exceptions.RequestException) as error:
        raise listed(sdk_text(error), what) from None


def listed(text: str, what: str = "", id: str = "", properties: Values | None = None) -> Failed:
    """The frame that the older resources put around an error."""
    start = f"{what}: " if what else ""
    return Failed(f"{start}1 error occurred:\n\t* {text}\n\n", id=id, properties=properties, reasons=[text])
