"""What the web server in front of an app that stands elsewhere is told: through a real nginx, and as it is read."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from bench.plain import free_port
from components.apps import outputs
from components.containers.specs import all_specs
from components.settings import AppContext, Settings
from components.settings.protocols.forward_auth import APP, HEADERS, PREFIX
from tests.apps.test_declare import planned, settings

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")
WIKI: dict[str, Any] = {
    "protocol": "proxy", "mode": "forward_single", "url": "https://wiki.acme.example", "groups": ["staff"],
}  # fmt: skip
OUTPOST = ("authentik_outposts.outpost", "gatehouse PROXY")
EMBEDDED = ("authentik_outposts.outpost", "authentik Embedded Outpost")


def told(found: Settings, app: str = "wiki") -> dict[str, str]:
    """What the web server of the app is told."""
    return dict(found.app_settings[app].front_server(AppContext(found, found.derived())))


@contextmanager
def serving(answer: Any) -> Iterator[tuple[str, list[Any]]]:
    """A web server that answers each request with (status, headers), and what it was asked."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self)
            status, headers = answer(self)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def fronted(folder: Path, locations: str) -> Iterator[httpx.Client]:
    """A browser at an nginx that has these locations."""
    port = free_port()
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n"
        f"fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n"
        f"server {{ listen 127.0.0.1:{port}; server_name wiki.acme.example;\n{locations}\n}} }}\n"
    )
    assert NGINX
    process = subprocess.Popen([NGINX, "-c", str(folder / "nginx.conf")], stderr=subprocess.PIPE)
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"Host": "wiki.acme.example"}
        ) as browser:
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and process.poll() is None:
                try:
                    browser.get(f"{PREFIX}/ping")
                    break
                except httpx.TransportError:
                    time.sleep(0.1)
            assert process.poll() is None, process.stderr and process.stderr.read()
            yield browser
    finally:
        process.terminate()
        process.wait(30)


def outpost(request: BaseHTTPRequestHandler) -> tuple[int, dict[str, str]]:
    """As authentik's outpost answers: by the session, and 200 with no headers where a path is open."""
    if "session=jane" in request.headers.get("Cookie", ""):
        return 200, {
            "X-authentik-username": "jane",
            "Authorization": "Basic amFuZQ==",
            "Set-Cookie": "renewed=1",
        }
    return (200 if "/api/" in request.headers.get("X-Original-URL", "") else 401), {}


@pytest.mark.nginx
@pytest.mark.skipif(NGINX is None, reason="no nginx on this machine")
@pytest.mark.parametrize("mode", ["forward_single", "forward_domain"])
def test_an_nginx_asks_about_each_request(tmp_path: Path, mode: str) -> None:
    domain = {"cookieDomain": "acme.example"} if mode == "forward_domain" else {}
    found = settings(apps={"wiki": {**WIKI, **domain, "mode": mode, "basicAuth": True}})
    with serving(outpost) as (there, asked), serving(lambda _: (200, {"X-App": "wiki"})) as (app, reached):
        text = told(found)["nginx"].replace(APP, app).replace("http://authentik-proxy:9000", there)
        with fronted(tmp_path, text) as browser:
            reached.clear()
            refused = browser.get("/a?b=c")
            before = "https://wiki.acme.example" if domain else "http://wiki.acme.example"
            assert refused.headers["location"] == f"{before}{PREFIX}/start?rd=http://wiki.acme.example/a?b=c"
            assert (refused.status_code, reached) == (302, [])
            assert asked[-1].headers["X-Original-URL"] == "http://wiki.acme.example/a?b=c"
            assert asked[-1].headers["Host"] == "wiki.acme.example"

            forged = dict.fromkeys((*HEADERS, "Authorization"), "root")
            assert browser.get("/api/x", headers=forged).headers["X-App"] == "wiki"
            (open_,) = reached
            assert not [name for name in forged if open_.headers.get(name)]

            shown = browser.get("/", headers={**forged, "Cookie": "session=jane"})
            assert (shown.status_code, shown.headers["set-cookie"]) == (200, "renewed=1")
            assert reached[-1].headers["X-authentik-username"] == "jane"
            assert reached[-1].headers["Authorization"] == "Basic amFuZQ=="
            assert [name for name in forged if reached[-1].headers.get(name) == "root"] == []


def test_with_a_box_an_outpost_beside_the_app_answers() -> None:
    found = settings(apps={"wiki": WIKI, "dash": {**WIKI, "mode": "proxy", "url": "https://dash.acme.example",
                                                  "upstream": "http://dash:80"}})  # fmt: skip
    plan = planned(found)
    assert [each for each in plan.problems() if each.refuses] == []
    assert plan.objects[OUTPOST]["providers"] == ["wiki"]
    assert plan.objects[OUTPOST]["type"] == "proxy"
    assert plan.objects[EMBEDDED]["providers"] == ["dash"]
    said = outputs(found, found.derived())
    assert "AUTHENTIK_HOST=https://auth.acme.example" in said["apps"]["wiki"]["outpost"]
    assert "ghcr.io/goauthentik/proxy:" in said["apps"]["wiki"]["outpost"]
    assert said["outpostTokens"].keys() == {"proxy"}
    assert not [each for each in all_specs(found, found.derived()) if each.name == "proxy"]
    assert told(found, "dash") == {}


def test_without_a_box_the_embedded_outpost_answers() -> None:
    nowhere = dict.fromkeys(("server", "operators", "secrets", "network", "redis", "email"))
    elsewhere = {"version": "2026.8.3", "url": "https://sso.acme.example", "token": "t" * 40}
    found = settings(**nowhere, box="none", authentik=elsewhere, apps={"wiki": WIKI})
    plan = planned(found)
    assert OUTPOST not in plan.objects
    assert plan.objects[EMBEDDED]["providers"] == ["wiki"]
    nginx, traefik, caddy = told(found).values()
    assert f"proxy_pass https://sso.acme.example{PREFIX};" in nginx
    assert "proxy_set_header Host sso.acme.example;" in nginx
    assert yaml.safe_load(traefik)["http"]["services"]["sso"]["loadBalancer"]["passHostHeader"] is False
    assert caddy.count("header_up Host {upstream_hostport}") == 2


def test_traefik_and_caddy_are_told_the_same() -> None:
    _, traefik, caddy = told(settings(apps={"wiki": WIKI})).values()
    document = yaml.safe_load(traefik)["http"]
    assert document["middlewares"]["sso"]["forwardAuth"]["authResponseHeaders"] == [*HEADERS]
    assert document["routers"]["app"]["middlewares"] == ["sso"]
    assert document["routers"]["sso"]["rule"] == f"Host(`wiki.acme.example`) && PathPrefix(`{PREFIX}/`)"
    for router in document["routers"].values():
        assert router["service"] in document["services"]
    assert caddy.count("{") == caddy.count("}")
    assert caddy.index("request_header -X-Authentik-*") < caddy.index(
        "forward_auth http://authentik-proxy:9000"
    )
    assert "X-Authentik-Username" in caddy
