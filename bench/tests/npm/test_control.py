"""The journal and the faults that all emulators have, and how this one behaves without an nginx."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from bench.npm.health import healthy
from bench.npm.testing import ADMIN_EMAIL, ADMIN_PASSWORD, serve

LOGIN = {"identity": ADMIN_EMAIL, "secret": ADMIN_PASSWORD}
HOST = {"domain_names": ["a.example.test"], "forward_scheme": "http", "forward_host": "x", "forward_port": 1}


def test_journal_and_faults(tmp_path: Path) -> None:
    with serve(tmp_path, nginx=False) as served, httpx.Client(base_url=served.url) as api:
        token = api.post("/api/tokens", json=LOGIN).json()["token"]
        api.headers["authorization"] = f"Bearer {token}"
        (entry,) = api.delete("/_bench/journal").json()
        assert (entry["method"], entry["path"], entry["status"], entry["body"]) == (
            "POST",
            "/api/tokens",
            200,
            LOGIN,
        )
        assert api.get("/_bench/journal").json() == []

        fault = {
            "method": "GET",
            "path": "proxy-hosts",
            "status": 503,
            "times": 2,
            "headers": {"Retry-After": "1"},
        }
        api.post("/_bench/faults", json=fault)
        answers = [api.get("/api/nginx/proxy-hosts") for _ in range(3)]
        assert [one.status_code for one in answers] == [503, 503, 200]
        assert answers[0].headers["retry-after"] == "1"

        api.post(
            "/_bench/faults", json=[{"method": "POST", "cut": "before"}, {"method": "POST", "cut": "after"}]
        )
        assert len(api.get("/_bench/faults").json()) == 2
        for expected in ([], ["a.example.test"]):
            with pytest.raises(httpx.RemoteProtocolError):
                api.post("/api/nginx/access-lists", json={"name": "a.example.test"})
            assert [one["name"] for one in api.get("/api/nginx/access-lists").json()] == expected
        assert api.delete("/_bench/faults").json() == []
        assert api.get("/_bench/nothing").status_code == 404


def test_without_control_there_is_no_back_door(tmp_path: Path) -> None:
    with serve(tmp_path, nginx=False) as served:
        served.emulator.app.enabled = False
        assert httpx.get(f"{served.url}/_bench/journal").status_code == 404


def test_without_an_nginx_no_configuration_counts_as_good(tmp_path: Path) -> None:
    with serve(tmp_path, nginx=False) as served, httpx.Client(base_url=f"{served.url}/api") as api:
        api.headers["authorization"] = f"Bearer {api.post('/tokens', json=LOGIN).json()['token']}"
        assert api.post("/nginx/proxy-hosts", json=HOST).status_code == 500
        row = api.get("/nginx/proxy-hosts?query=a.example.test").json()[0]
        assert "nginx_online" not in row["meta"]


def test_health(tmp_path: Path) -> None:
    with serve(tmp_path, nginx=False, admin=False) as served:
        port = int(served.url.rpartition(":")[2])
        assert healthy(port)
        assert httpx.get(f"{served.url}/api/").json()["setup"] is False
    assert not healthy(port)


def test_what_is_not_emulated_says_so(tmp_path: Path) -> None:
    with serve(tmp_path, nginx=False) as served:
        answer = httpx.get(f"{served.url}/api/audit-log")
        assert answer.status_code == 501
        assert "does not stand in for GET /audit-log" in answer.json()["error"]["message"]
