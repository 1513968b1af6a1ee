"""What goes wrong on the wire while the API says that all is well; and what a restart keeps."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from bench.npm.testing import ADMIN_EMAIL, serve
from bench.tests.npm.conftest import needs_nginx
from bench.tests.npm.proxying import Proxy, answered, closed, soon

pytestmark = [needs_nginx, pytest.mark.nginx]


def test_a_certificate_request_takes_tls_from_a_host_until_it_is_written_again(proxy: Proxy) -> None:
    name = "victim.example.test"
    number = proxy.host(name)
    soon(lambda: answered(proxy.get(name), 200))
    meta = {
        "dns_challenge": True,
        "dns_provider": "cloudflare",
        "propagation_seconds": 0,
        "dns_provider_credentials": "dns_cloudflare_api_token = TOKEN",
    }
    proxy.write("POST", "/nginx/certificates", provider="letsencrypt", domain_names=[name], meta=meta)
    soon(lambda: answered(proxy.get(name, tls=False), 200))
    soon(lambda: closed(proxy, name))
    row = proxy.api.get(f"/nginx/proxy-hosts/{number}").json()
    assert (row["certificate_id"], row["ssl_forced"], row["meta"]["nginx_online"]) == (
        proxy.certificate,
        True,
        True,
    )
    proxy.write("PUT", f"/nginx/proxy-hosts/{number}", enabled=True)
    soon(lambda: answered(proxy.get(name), 200))


def test_deleting_an_access_list_opens_the_host_and_drops_tls(proxy: Proxy) -> None:
    name = "members.example.test"
    made = proxy.ask(
        "POST",
        "/nginx/access-lists",
        name="members",
        clients=[],
        items=[{"username": "u", "password": "p"}],
    )
    proxy.host(name, access_list_id=made["id"])
    soon(lambda: answered(proxy.get(name), 401))
    answered(proxy.get(name, headers={"Authorization": "Basic dTpw"}), 200)
    answered(proxy.get(name, headers={"Authorization": "Basic dTpx"}), 401)
    proxy.write("DELETE", f"/nginx/access-lists/{made['id']}")
    soon(lambda: answered(proxy.get(name, tls=False), 200))
    soon(lambda: closed(proxy, name))


def test_a_bad_put_is_a_200_and_takes_the_site_down(proxy: Proxy) -> None:
    name = "typo.example.test"
    number = proxy.host(name)
    soon(lambda: answered(proxy.get(name), 200))
    answer = proxy.write("PUT", f"/nginx/proxy-hosts/{number}", advanced_config="nonsense;")
    assert answer["meta"]["nginx_online"] is False
    assert 'unknown directive "nonsense"' in answer["meta"]["nginx_err"]
    soon(lambda: closed(proxy, name))
    proxy.write("PUT", f"/nginx/proxy-hosts/{number}", advanced_config="")
    soon(lambda: answered(proxy.get(name), 200))


def test_enabled_false_does_not_take_a_site_down_and_disable_does(proxy: Proxy) -> None:
    name = "off.example.test"
    number = proxy.host(name)
    soon(lambda: answered(proxy.get(name), 200))
    proxy.ask("PUT", f"/nginx/proxy-hosts/{number}", enabled=False)
    answered(proxy.get(name), 200)
    proxy.write("PUT", f"/nginx/proxy-hosts/{number}", enabled=True)
    proxy.write("POST", f"/nginx/proxy-hosts/{number}/disable")
    soon(lambda: closed(proxy, name))


def test_unknown_hosts(proxy: Proxy) -> None:
    """Over TLS the handshake is refused; over HTTP the default site decides."""
    closed(proxy, "unknown.example.test")
    proxy.write("PUT", "/settings/default-site", value="404")
    soon(lambda: answered(proxy.get("unknown.example.test", tls=False), 404))
    proxy.write("PUT", "/settings/default-site", value="444", meta={})
    soon(lambda: closed(proxy, "unknown.example.test", tls=False))


def test_a_restart_shows_the_same(tmp_path: Path, upstream: int, wildcard: tuple[str, str]) -> None:
    with serve(tmp_path) as served:
        first = Proxy(served, upstream, wildcard)
        number = first.host("kept.example.test")
        before = first.api.get(f"/nginx/proxy-hosts/{number}?expand=owner,certificate").json()
        token = first.api.headers["authorization"]
    later = {"INITIAL_ADMIN_EMAIL": "other@example.test", "INITIAL_ADMIN_PASSWORD": "other"}
    with serve(tmp_path, later, admin=False) as served:
        again = httpx.Client(base_url=f"{served.url}/api", headers={"authorization": token})
        assert again.get(f"/nginx/proxy-hosts/{number}?expand=owner,certificate").json() == before
        assert [user["email"] for user in again.get("/users").json()] == [ADMIN_EMAIL]
        answered(again.post("/tokens", json={"identity": "other@example.test", "secret": "other"}), 400)
