"""HTTP to an admin API: one connection pool, patience with a server that is away, and errors that hold no body."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import tenacity

from components.objects.errors import ObjectError, UnclearOutcomeError
from components.objects.outage import Outage, patience

# httpx takes 80 ms to import: that is done where a call is made, since a preview makes none.
if TYPE_CHECKING:
    import httpx

BUSY = frozenset({429, 502, 503, 504})


class Endpoint(NamedTuple):
    """How a server is reached from here."""

    url: str
    """Its base URL, without a slash at the end."""
    socket: str | None = None
    """The Unix socket that leads to it, where it is not reached by its URL's host."""


class RefusedError(Exception):
    """The server answered and said no."""

    def __init__(self, status: int, payload: Any) -> None:
        self.status = status
        self.payload = payload
        """The decoded answer, for the dialect's `explain`; never shown as it is."""
        super().__init__(f"HTTP {status}")


class UnavailableError(ObjectError):
    """The server could not be reached for as long as it was worth waiting."""

    __module__, __qualname__ = "builtins", "ObjectError"  # what an operator reads

    def __init__(self, reason: str, seconds: float, call: str, where: str) -> None:
        self.reason = reason
        self.seconds = seconds
        since = f" since {seconds:.0f} s" if seconds else ""
        remedy = "Check that it is running and can be reached, then run the same command again"
        super().__init__(f"{reason}{since} ({call})", where, remedy)


class _RetryError(Exception):
    """Nothing has happened on the server: the same call may be made again."""

    def __init__(self, reason: str, wait: float | None = None, *, silent: bool = True) -> None:
        self.wait = wait
        self.silent = silent
        """Whether nothing answered, so that the address may be a wrong one."""
        super().__init__(reason)


def _pause(state: tenacity.RetryCallState) -> float:
    asked = state.outcome.exception() if state.outcome else None
    wait = getattr(asked, "wait", None)
    return float(wait) if wait is not None else tenacity.wait_random_exponential(0.2, 5)(state)


class Http:
    """A client of one server, with one patience for all calls: see `Outage`.

    GET, PUT, PATCH and DELETE are repeated after 429, 502, 503, 504 and broken connections; POST only where the server
    cannot have done anything (429, 503, or never connected). Every other broken POST raises `UnclearOutcomeError` once
    the server answers again, and its caller looks before it does anything else.
    """

    def __init__(
        self,
        base: str | Callable[[], Endpoint],
        where: str,
        *,
        alive: str = "/",
        timeout: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ):
        """`base`: a URL, or what opens the way, called before each attempt; it raises ConnectionError if it cannot.

        `alive`: a path whose answer shows that the server is there. `timeout` in seconds for one answer.
        """
        self.where = where
        self._endpoint = base if callable(base) else lambda: Endpoint(base)
        self._alive = alive
        self._timeout = timeout
        self._transport = transport
        self._outage = Outage(where)
        self._unavailable: UnavailableError | None = None
        self._opened: tuple[Endpoint, httpx.Client] | None = None
        self._opening = threading.Lock()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool = False,
        timeout: float | None = None,
        seconds: float | None = None,
        silence: float | None = None,
    ) -> tuple[int, Any]:
        """Send one call; returns status (below 300) and decoded JSON (None for an empty body).

        `idempotent`: a POST that may be made twice. `timeout` in seconds for this one answer. `seconds` that the
        server may be away, instead of the usual patience; 0 for one look without waiting. `silence`: the same
        while nothing answers at all, if that is less.

        Raises RefusedError, UnclearOutcomeError, UnavailableError, or ObjectError if this is not the API.
        """
        if self._unavailable:
            raise self._unavailable  # others have waited for this server in vain: nobody has to do so again
        usual = patience() if seconds is None else seconds

        def most(again: BaseException | None) -> float:
            if silence is not None and isinstance(again, _RetryError) and again.silent:
                return min(usual, silence)
            return usual

        def enough(state: tenacity.RetryCallState) -> bool:
            again = state.outcome.exception() if state.outcome else None
            limit = most(again)
            return (
                self._outage.seconds_left(str(again), limit) <= 0
                or (state.seconds_since_start or 0.0) >= limit
            )

        def attempt() -> tuple[int, Any]:
            return self._attempt(method, path, params, body, headers, timeout, idempotent or method != "POST")

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_RetryError), stop=enough, wait=_pause, reraise=True
        )
        try:
            return retrying(attempt)
        except _RetryError as again:
            away = UnavailableError(str(again), most(again), f"{method} {path}", self.where)
        except UnclearOutcomeError:
            self._wait_until_alive(seconds)
            raise
        if seconds is None:
            self._unavailable = away
        raise away from None

    @property
    def has_waited(self) -> bool:
        """Whether the server was away, if only for a moment."""
        return self._outage.happened

    def _wait_until_alive(self, seconds: float | None) -> None:
        with contextlib.suppress(RefusedError):  # which shows that it is there, too
            self.request("GET", self._alive, seconds=seconds)

    def _attempt(
        self,
        method: str,
        path: str,
        params: Mapping[str, str] | None,
        body: object,
        headers: Mapping[str, str] | None,
        timeout: float | None,
        safe: bool,
    ) -> tuple[int, Any]:
        import httpx  # noqa: PLC0415

        try:
            client = self._client()
            answer = client.request(
                method,
                path,
                params=params,
                json=body if body is not None else None,
                headers=headers,
                timeout=httpx.Timeout(timeout or self._timeout, connect=10.0),
            )
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise _RetryError(f"cannot connect ({type(error).__name__})") from None
        except ConnectionError as error:
            raise _RetryError(str(error)) from None
        except httpx.TransportError as error:
            if safe:
                raise _RetryError(f"the connection broke ({type(error).__name__})") from None
            raise UnclearOutcomeError(
                f"{method} {path}: the connection broke ({type(error).__name__})"
            ) from None
        if answer.status_code in BUSY:
            if safe or answer.status_code in {429, 503}:
                raise _RetryError(f"answers HTTP {answer.status_code}", _retry_after(answer), silent=False)
            raise UnclearOutcomeError(f"{method} {path}: HTTP {answer.status_code}")
        self._outage.end()
        return self._parse(answer, method, path)

    def _parse(self, answer: httpx.Response, method: str, path: str) -> tuple[int, Any]:
        try:
            payload = answer.json() if answer.content else None
        except ValueError:
            if answer.is_success:
                kind = answer.headers.get("Content-Type", "no type").partition(";")[0]
                raise ObjectError(
                    f"answers {method} {path} with {kind} where JSON is due, which its API does not",
                    self.where,
                    "Look what is at this address or stands before it (a login page, a proxy), and correct it",
                ) from None
            payload = None
        if answer.has_redirect_location or 300 <= answer.status_code < 400:
            to = urlsplit(answer.headers.get("Location", ""))
            raise ObjectError(
                f"answers {method} {path} with a redirect (HTTP {answer.status_code}) to "
                f"{to.scheme}{'://' if to.netloc else ''}{to.netloc}{to.path or '/'}, which its API does not",
                self.where,
                "If that is where the server is (https instead of http, another name), write that address instead, "
                "without the path; else look what stands before it",
            )
        if answer.status_code >= 400:
            raise RefusedError(answer.status_code, payload)
        return answer.status_code, payload

    def _client(self) -> httpx.Client:
        import httpx  # noqa: PLC0415

        way = self._endpoint()
        with self._opening:
            if self._opened is None or self._opened[0] != way:
                transport = self._transport or (httpx.HTTPTransport(uds=way.socket) if way.socket else None)
                self._opened = (
                    way,
                    httpx.Client(
                        base_url=way.url,
                        transport=transport,
                        # To read the certificates of all authorities takes 24 ms, and a tunnel's end shows none.
                        verify=not way.url.startswith("http://"),
                        trust_env=not way.url.startswith("http://127.0.0.1"),
                        headers={"Accept": "application/json"},
                    ),
                )
            return self._opened[1]


def _retry_after(answer: httpx.Response) -> float | None:
    """Seconds that the server asks us to wait, at most 30."""
    try:
        return min(30.0, max(0.0, float(answer.headers["Retry-After"])))
    except (KeyError, ValueError):
        return None
