"""Which calls are made again, and which are not."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from components.objects import http, outage
from components.objects.errors import ObjectError, UnclearOutcomeError
from components.objects.http import Http, RefusedError


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_pause", lambda state: 0.01)
    monkeypatch.setenv("GATEHOUSE_PATIENCE", "0.5")


def client(answer: Callable[[httpx.Request, int], httpx.Response]) -> tuple[Http, list[httpx.Request]]:
    calls: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        return answer(request, len(calls))

    return Http("http://127.0.0.1:9", "server", transport=httpx.MockTransport(handle)), calls


def broken(request: httpx.Request, number: int) -> httpx.Response:
    raise httpx.ReadError("cut", request=request)


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_busy_answers_are_asked_again(method: str, status: int) -> None:
    web, calls = client(
        lambda request, number: httpx.Response(status if number < 3 else 200, json={"n": number})
    )
    assert web.request(method, "/x") == (200, {"n": 3})
    assert len(calls) == 3


@pytest.mark.parametrize("status", [429, 503])
def test_a_post_that_was_turned_away_is_made_again(status: int) -> None:
    web, calls = client(lambda request, number: httpx.Response(status if number == 1 else 201, json={}))
    web.request("POST", "/x", body={})
    assert len(calls) == 2


@pytest.mark.parametrize(
    "answer", [broken, lambda request, number: httpx.Response(502), lambda r, n: httpx.Response(504)]
)
def test_a_post_with_an_unclear_outcome_is_not_made_again(
    answer: Callable[[httpx.Request, int], httpx.Response],
) -> None:
    web, calls = client(
        lambda request, number: answer(request, number) if number < 3 else httpx.Response(200, json={})
    )
    with pytest.raises(UnclearOutcomeError):
        web.request("POST", "/x", body={})
    assert [call.method for call in calls] == [
        "POST",
        "GET",
        "GET",
    ]  # the server is waited for, and looked at


def test_a_post_that_does_no_harm_is_made_again() -> None:
    web, calls = client(
        lambda request, number: broken(request, number) if number < 3 else httpx.Response(201, json={})
    )
    assert web.request("POST", "/x", body={}, idempotent=True)[0] == 201
    assert [call.method for call in calls] == ["POST", "POST", "POST"]


def test_a_post_that_never_left_is_made_again() -> None:
    def answer(request: httpx.Request, number: int) -> httpx.Response:
        if number < 3:
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(201, json={})

    web, calls = client(answer)
    assert web.request("POST", "/x", body={})[0] == 201
    assert len(calls) == 3


def test_giving_up_says_where_and_what_to_do_and_nobody_waits_again() -> None:
    web, calls = client(broken)
    words = r"(?s)server: the connection broke .* since 0 s \(GET /x\).*run the same command"
    with pytest.raises(ObjectError, match=words):
        web.request("GET", "/x")
    asked = len(calls)
    assert asked > 3
    with pytest.raises(ObjectError, match=words):
        web.request("GET", "/y")
    assert len(calls) == asked


def test_all_calls_wait_together(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """An outage of which many calls hear is one wait, with one word about it, and one that it is over."""
    monkeypatch.setenv("GATEHOUSE_PATIENCE", "20")
    monkeypatch.setattr(outage, "FIRST_WORD", 0.1)
    back = time.monotonic() + 0.5
    web, _ = client(lambda request, number: httpx.Response(502 if time.monotonic() < back else 200, json={}))
    with ThreadPoolExecutor(4) as calls:
        assert [status for status, _ in calls.map(lambda n: web.request("GET", f"/{n}"), range(8))] == [
            200
        ] * 8
    said = capfd.readouterr().err.splitlines()
    waited = [line for line in said if "so far" in line]
    assert 1 <= len(waited) <= 2, "eight calls, one wait (or two, where an old answer comes in late)"
    assert waited[0].startswith("server: answers HTTP 502; waited for ")
    assert "answers again, after" in said[-1]


def test_one_look_does_not_wait() -> None:
    web, calls = client(broken)
    with pytest.raises(ObjectError):
        web.request("GET", "/x", seconds=0.0)
    assert len(calls) == 1


@pytest.mark.case("18")
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_what_is_not_the_api_is_said_to_be_something_else(method: str) -> None:
    page, calls = client(lambda r, n: httpx.Response(200, html="<html>log in, secret-value</html>"))
    with pytest.raises(ObjectError, match=rf"server: answers {method} /x with text/html where JSON is due"):
        page.request(method, "/x")
    to = {"Location": "https://auth.acme.example/x?token=secret-value"}
    moved, more = client(lambda r, n: httpx.Response(301, headers=to))
    with pytest.raises(
        ObjectError, match=r"a redirect \(HTTP 301\) to https://auth\.acme\.example/x,"
    ) as told:
        moved.request(method, "/x")
    assert "secret-value" not in str(told.value)
    assert len(calls) == len(more) == 1


def test_refusals_are_not_asked_again_and_do_not_show_their_body() -> None:
    web, calls = client(lambda request, number: httpx.Response(400, json={"key": ["secret-value is bad"]}))
    with pytest.raises(RefusedError) as caught:
        web.request("PATCH", "/x", body={})
    assert len(calls) == 1
    assert str(caught.value) == "HTTP 400"
    assert caught.value.payload == {"key": ["secret-value is bad"]}


def test_an_empty_or_foreign_body_is_none() -> None:
    web, _ = client(lambda request, number: httpx.Response(405, text="<html>"))
    with pytest.raises(RefusedError) as caught:
        web.request("POST", "/x", body={})
    assert caught.value.payload is None


def test_the_server_may_ask_for_patience() -> None:
    assert http._retry_after(httpx.Response(503, headers={"Retry-After": "5"})) == 5.0
    assert http._retry_after(httpx.Response(503, headers={"Retry-After": "900"})) == 30.0
    assert http._retry_after(httpx.Response(503)) is None


@pytest.mark.parametrize(
    ("base", "verified"), [("https://auth.acme.example", True), ("http://127.0.0.1:9000", False)]
)
def test_certificates_are_read_where_there_are_any(
    base: str, verified: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def client(**settings: object) -> httpx.Client:
        seen.append(settings["verify"])
        raise httpx.ConnectError("not today")

    monkeypatch.setattr(httpx, "Client", client)
    with pytest.raises(ObjectError):
        Http(base, "server").request("GET", "/")
    assert set(seen) == {verified}
