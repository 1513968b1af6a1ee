"""HTTP to an admin API: one connection pool, careful retries, and errors that hold no body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from components.objects.errors import ObjectError, Unclear

# httpx and tenacity take a tenth of a second to import, in the program and in the provider's process: they are
# imported where a call is made, since a preview makes none.
if TYPE_CHECKING:
    import httpx
    import tenacity

BUSY = frozenset({429, 502, 503, 504})
ATTEMPTS = 5


class Refused(Exception):  # noqa: N818 (the server's decision)
    """The server answered and said no."""

    def __init__(self, status: int, payload: Any) -> None:
        self.status = status
        self.payload = payload
        """The decoded answer, for the dialect's `explain`; never shown as it is."""
        super().__init__(f"HTTP {status}")


class _Again(Exception):  # noqa: N818
    """Nothing has happened on the server: the same call may be made again."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        self.wait = wait
        super().__init__(reason)


def _pause(state: tenacity.RetryCallState) -> float:
    import tenacity  # noqa: PLC0415

    asked = state.outcome.exception() if state.outcome else None
    wait = getattr(asked, "wait", None)
    return float(wait) if wait is not None else tenacity.wait_random_exponential(0.2, 5)(state)


class Http:
    """A client of one base address.

    Retries: GET, PUT, PATCH and DELETE after 429, 502, 503, 504 and broken connections; POST only where it is sure
    that the server did nothing (429, 503, or never connected). Every other broken POST raises `Unclear`: its caller
    looks at the server before it does anything else.
    """

    def __init__(
        self, base: str, where: str, *, timeout: float = 60.0, transport: httpx.BaseTransport | None = None
    ):
        """`base` ends without a slash; `timeout` in seconds for one answer."""
        import httpx  # noqa: PLC0415

        self.where = where
        self._client = httpx.Client(
            base_url=base,
            timeout=httpx.Timeout(timeout, connect=10.0),
            transport=transport,
            # Reading the certificates of all authorities takes 24 ms, and what comes through a tunnel shows none.
            verify=not base.startswith("http://"),
            trust_env=not base.startswith("http://127.0.0.1"),
            headers={"Accept": "application/json"},
        )

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Send one call; returns status (below 400) and decoded JSON (None if empty or no JSON).

        Raises Refused, Unclear, or ObjectError when the server cannot be reached.
        """
        import tenacity  # noqa: PLC0415

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Again),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=_pause,
            reraise=True,
        )
        try:
            return retrying(self._once, method, path, params, body, headers)
        except _Again as again:
            raise ObjectError(
                f"{again} ({method} {path}, {ATTEMPTS} attempts)",
                self.where,
                "Check that it is running and can be reached, then run the same command again",
            ) from None

    def _once(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        body: object,
        headers: Mapping[str, str] | None,
    ) -> tuple[int, Any]:
        import httpx  # noqa: PLC0415

        safe = method != "POST"
        try:
            answer = self._client.request(
                method, path, params=params, json=body if body is not None else None, headers=headers
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise _Again(f"cannot connect ({type(error).__name__})") from None
        except httpx.TransportError as error:
            if safe:
                raise _Again(f"the connection broke ({type(error).__name__})") from None
            raise Unclear(f"{method} {path}: the connection broke ({type(error).__name__})") from None
        if answer.status_code in BUSY:
            if safe or answer.status_code in {429, 503}:
                raise _Again(f"answers HTTP {answer.status_code}", _retry_after(answer))
            raise Unclear(f"{method} {path}: HTTP {answer.status_code}")
        payload = _decoded(answer)
        if answer.status_code >= 400:
            raise Refused(answer.status_code, payload)
        return answer.status_code, payload


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds that the server asks us to wait, at most 30."""
    try:
        return min(30.0, max(0.0, float(answer.headers["Retry-After"])))
    except (KeyError, ValueError):
        return None


def _decoded(answer: httpx.Response) -> Any:
    try:
        return answer.json() if answer.content else None
    except ValueError:
        return None
