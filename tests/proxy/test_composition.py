from __future__ import annotations

from typing import Any

import pulumi
import pytest

from components import box
from components.plan import plan
from components.problems import Problems
from components.proxy import proxy, routes
from components.proxy.routes import AUTHENTIK, Route
from tests.host.mocks import KEY, Registered, run, secrets, settings

TOKEN = "cf-token-" + "a" * 31
APPS = {
    "dash": {
        "everyone": True,
        "protocol": "proxy",
        "url": "https://dash.acme.example",
        "upstream": "http://dashboard:8080",
    },
    "wiki": {
        "everyone": True,
        "preset": "grafana",
        "url": "https://wiki.acme.example",
        "upstream": "https://wiki.lan",
    },
    "grafana": {"everyone": True, "preset": "grafana", "url": "https://grafana.acme.example"},
}


def declare(preview: bool = False, **more: Any) -> dict[str, Registered]:
    some = settings(**{"cloudflareToken": TOKEN, **more})
    opts = pulumi.ResourceOptions()
    wanted = plan(some, secrets())
    assert wanted.box is not None
    of_the_box = wanted.box
    found = run(lambda: box.declare(wanted, of_the_box, opts), preview=preview)
    return {f"{one.type.rpartition(':')[2]} {one.name}": one for one in found}


@pytest.mark.parametrize("preview", [True, False])
def test_each_served_name_has_a_certificate_and_a_host(preview: bool) -> None:
    found = declare(preview, apps=APPS)
    hosts = [name.partition(" ")[2] for name in found if name.startswith("proxy_host ")]
    assert sorted(hosts) == ["auth.acme.example", "dash.acme.example", "wiki.acme.example"]
    for host in hosts:
        one = found[f"proxy_host {host}"]
        assert one.type == "pulumi-python:dynamic/npm:proxy_host"
        certificate = found[f"certificate {one.inputs['certificate_id']}"]
        assert certificate.inputs["domain_names"] == [host]
        # Natural keys are plain strings, so the edge is said aloud; certificates never change in place.
        assert any(urn.endswith(f"::{certificate.name}") for urn in one.request.dependencies)
        assert certificate.request.ignoreChanges == ["meta"]
        for each in (one, certificate):
            assert any(urn.endswith("Container::npm") for urn in each.request.dependencies)
            assert each.request.deletedWith.endswith("Volume::data") and each.request.deleteBeforeReplace


def test_where_each_name_leads() -> None:
    leads = {
        route.host: (route.scheme, route.forward_host, route.port)
        for route in routes.routes(settings(apps=APPS))
    }
    assert leads == {
        "auth.acme.example": ("http", "172.31.242.253", 9000),
        "dash.acme.example": ("http", "172.31.242.253", 9000),
        "wiki.acme.example": ("https", "wiki.lan", 443),
    }


def test_the_token_is_secret_wherever_it_goes() -> None:
    found = declare()
    for one in found.values():
        assert TOKEN not in one.text, one.name
    assert "meta" in next(one for key, one in found.items() if key.startswith("certificate")).secret
    assert {"gatehouse:secret"} <= found["pulumi-python npm"].secret


def test_the_provider_knows_the_way_and_nothing_more() -> None:
    inputs = declare()["pulumi-python npm"].inputs
    assert inputs["gatehouse:address"] == "ssh:acme@203.0.113.10/127.0.0.1:81"
    assert inputs["gatehouse:identity"] == "gatehouse@acme.example"
    assert {key for key in inputs if key.startswith("gatehouse:")} == {
        "gatehouse:address", "gatehouse:identity", "gatehouse:secret",
    }  # fmt: skip
    box = declare(server=None, box={"host": "198.51.100.7", "hostKey": KEY, "port": 2222})
    assert box["pulumi-python npm"].inputs["gatehouse:address"] == "ssh:acme@198.51.100.7:2222/127.0.0.1:81"


def test_another_token_in_the_stack_file_is_another_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    def named() -> str:
        token, given = proxy.cloudflare_token(some)
        return proxy.certificate_name("auth.acme.example", token if given else None)

    some = settings(cloudflareToken=TOKEN)
    first = named()
    some = settings(cloudflareToken=TOKEN[:-1] + "b")
    assert named() != first and named().startswith("gatehouse auth.acme.example ")
    # One from the environment is each operator's own.
    some = settings()
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "one-operators-token")
    theirs = named()
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "another-operators-token")
    assert named() == theirs == "gatehouse auth.acme.example"


@pytest.mark.parametrize("token", ["", "a token", "x; touch /tmp/pwned", "tok\nen"])
def test_a_token_that_npm_must_not_be_given(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", token)
    with pytest.raises(Problems) as caught:
        proxy.cloudflare_token(settings())
    assert not token or token not in str(caught.value)
    assert "gatehouse:cloudflareToken: " in str(caught.value) and "Cloudflare API token" in str(caught.value)
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", TOKEN)  # copied whole, it is taken
    assert proxy.cloudflare_token(settings()) == (TOKEN, False)


def test_what_npm_writes_into_nginx_is_checked() -> None:
    from components.settings.protocols.oidc import OidcApp

    app = OidcApp.model_construct(
        key="x", id="x", url="https://x.acme.example", upstream="http://evil;host:1", protocol="oidc"
    )
    with pytest.raises(ValueError, match="nginx"):
        routes._route(app, settings())


def test_an_app_keeps_its_own_say_about_framing() -> None:
    own = proxy.advanced_config(Route("x.acme.example", "http", "x", 80))
    ours = proxy.advanced_config(Route("auth.acme.example", *AUTHENTIK, authentik=True))
    assert "Content-Security-Policy" in ours and "X-Frame-Options" in ours
    assert "Content-Security-Policy" not in own and "X-Frame-Options" not in own
    for text in (own, ours):
        assert text == text.strip() and "add_header" not in text and "{%" not in text and "{#" not in text
        assert text.count("{") == text.count("}") == 1


def test_the_bare_domain_speaks_for_itself_alone() -> None:
    apps = {
        "site": {
            "everyone": True,
            "preset": "grafana",
            "url": "https://acme.example",
            "upstream": "http://site:80",
        },
        "wiki": {
            "everyone": True,
            "preset": "grafana",
            "url": "https://wiki.acme.example",
            "upstream": "http://wiki:80",
        },
    }
    told = {
        route.host: proxy.advanced_config(route).splitlines()[0]
        for route in routes.routes(settings(apps=apps))
    }
    header = 'more_set_headers "Strict-Transport-Security: max-age=63072000'
    assert told == {
        "auth.acme.example": f'{header}; includeSubDomains";',
        "acme.example": f'{header}";',
        "wiki.acme.example": f'{header}; includeSubDomains";',
    }


def test_whoever_is_the_first_operator_npm_is_logged_in_to_by_the_same_name() -> None:
    other = [{"name": "kim", "email": "kim@agency.example", "sshKey": KEY}]
    for found in (declare(), declare(operators=other)):
        assert found["pulumi-python npm"].inputs["gatehouse:identity"] == "gatehouse@acme.example"
