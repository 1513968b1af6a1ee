"""Apps behind the embedded outpost, as a browser finds them through the proxy in front of authentik."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from bench.tests.authentik.browser import CONTEXT, PASSWORD
from bench.tests.authentik.conftest import Client
from bench.tests.authentik.test_login import person
from operations.browser import Where
from operations.login import log_in, probe_login

AUTH = "auth.acme.example"
APP = "https://dash.acme.example"


class Front(httpx.BaseTransport):
    """A proxy that leads every host to authentik by its name, over http, as Nginx Proxy Manager does on a box."""

    def __init__(self, url: str) -> None:
        self.to = httpx.URL(url)
        self.inside = httpx.HTTPTransport(verify=CONTEXT)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        told = {"host": host, "x-forwarded-host": host, "x-forwarded-proto": "https"}
        url = request.url.copy_with(scheme=self.to.scheme, host=self.to.host, port=self.to.port)
        headers = {**request.headers, **told}
        passed = httpx.Request(request.method, url, headers=headers, content=request.read())
        answer = self.inside.handle_request(passed)
        answer.request = request
        return answer


class Upstream(BaseHTTPRequestHandler):
    """An app without a login of its own; it shows what it is told."""

    def do_GET(self) -> None:
        text = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()


def behind(client: Client, name: str, url: str, **more: Any) -> Any:
    """A proxy app, served by the embedded outpost, for the group `<name>-staff`, with somebody inside and outside."""
    staff = client("POST", "/core/groups/", 201, name=f"{name}-staff")["pk"]
    person(client, f"{name}-in", groups=[staff], email="in@acme.example")
    person(client, f"{name}-out")
    provider = client.provider(name, "proxy", external_host=url, **more)
    app = client("POST", "/core/applications/", 201, name=name, slug=name, provider=provider["pk"])
    client("POST", "/policies/bindings/", 201, target=app["pk"], group=staff, order=0)
    (outpost,) = client("GET", "/outposts/instances/", 200)["results"]
    providers = [*outpost["providers"], provider["pk"]]
    config = {**outpost["config"], "authentik_host": f"https://{AUTH}"}
    body = {"name": outpost["name"], "type": "proxy", "providers": providers, "config": config}
    client("PUT", f"/outposts/instances/{outpost['pk']}/", 200, **body)
    return provider


def test_who_gets_through(shared: Client, upstream: str) -> None:
    behind(shared, "dash", APP, internal_host=upstream, mode="proxy", skip_path_regex="^/api/")
    front = Front(shared.running.url)
    assert probe_login(APP, transport=front).where is Where.LOGIN
    inside = log_in(APP, "dash-in", PASSWORD, transport=front)
    assert inside.accepted
    assert inside.claims["x-authentik-username"] == "dash-in"
    assert inside.claims["x-authentik-groups"] == "dash-staff"
    assert inside.claims["host"] == "dash.acme.example"
    outside = log_in(APP, "dash-out", PASSWORD, transport=front)
    assert (outside.accepted, outside.where) == (False, Where.POLICY)
    assert log_in(APP, "dash-in", "wrong-0123", transport=front).where is Where.IDENTITY
    # What is open is open, and nobody is named there.
    with httpx.Client(transport=front) as http:
        found = http.get(f"{APP}/api/status").json()
        assert "x-authentik-username" not in found
        asked = http.get(f"{APP}/other", headers={"Authorization": "Bearer x"})
        assert asked.status_code == 401, "a client that comes with credentials is not sent anywhere"
        start = http.get(f"{APP}/other").headers["location"]
        assert start == f"{APP}/outpost.goauthentik.io/start?rd=https%3A%2F%2Fdash.acme.example%2Fother"
    # authentik itself is still there, by its own name.
    assert httpx.get(f"{shared.running.url}/-/health/live/", verify=CONTEXT).status_code == 200


def test_an_app_that_is_down(shared: Client) -> None:
    url = "https://down.acme.example"
    behind(shared, "down", url, internal_host="http://127.0.0.1:9", mode="proxy")
    ended = log_in(url, "down-in", PASSWORD, transport=Front(shared.running.url))
    assert (ended.accepted, ended.where) == (False, Where.REACH)
    assert "answers 502: what is behind it is not up (yet)" in ended.why


def test_an_app_whose_door_stands_open(shared: Client, upstream: str) -> None:
    url = "https://open.acme.example"
    behind(shared, "open", url, internal_host=upstream, mode="proxy", skip_path_regex=".*")
    assert probe_login(url, transport=Front(shared.running.url)).accepted


def test_a_web_server_asks(shared: Client) -> None:
    url = "https://single.acme.example"
    behind(shared, "single", url, mode="forward_single")
    front = Front(shared.running.url)
    with httpx.Client(transport=front) as http:
        asked = f"{url}/outpost.goauthentik.io/auth/nginx"
        told = {"X-Original-URL": f"{url}/page"}
        assert http.get(asked, headers=told).status_code == 401
        caddy = http.get(f"{url}/outpost.goauthentik.io/auth/caddy", headers={"X-Forwarded-Uri": "/page"})
        assert caddy.headers["location"].startswith(f"{url}/outpost.goauthentik.io/start?rd=")
        assert http.get(f"{url}/outpost.goauthentik.io/ping").status_code == 204
