"""Which calls are made again, and which are not."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from components.objects import http
from components.objects.errors import ObjectError, Unclear
from components.objects.http import Http, Refused


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "_pause", lambda state: 0.0)


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
    web, calls = client(answer)
    with pytest.raises(Unclear):
        web.request("POST", "/x", body={})
    assert len(calls) == 1


def test_a_post_that_never_left_is_made_again() -> None:
    def answer(request: httpx.Request, number: int) -> httpx.Response:
        if number < 3:
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(201, json={})

    web, calls = client(answer)
    assert web.request("POST", "/x", body={})[0] == 201
    assert len(calls) == 3


def test_giving_up_says_where_and_what_to_do() -> None:
    web, calls = client(broken)
    with pytest.raises(
        ObjectError, match=r"server: the connection broke .*GET /x, 5 attempts.*run the same command"
    ):
        web.request("GET", "/x")
    assert len(calls) == http.ATTEMPTS


def test_refusals_are_not_asked_again_and_do_not_show_their_body() -> None:
    web, calls = client(lambda request, number: httpx.Response(400, json={"key": ["secret-value is bad"]}))
    with pytest.raises(Refused) as caught:
        web.request("PATCH", "/x", body={})
    assert len(calls) == 1
    assert str(caught.value) == "HTTP 400"
    assert caught.value.payload == {"key": ["secret-value is bad"]}


def test_an_empty_or_foreign_body_is_none() -> None:
    web, _ = client(lambda request, number: httpx.Response(405, text="<html>"))
    with pytest.raises(Refused) as caught:
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
    monkeypatch.setattr(httpx, "Client", lambda **settings: seen.append(settings["verify"]))
    Http(base, "server")
    assert seen == [verified]
