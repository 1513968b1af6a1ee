"""Cloudflare's emulator over plain HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.clouds.cloudflare.account import token_of_one_zone, zone_id
from bench.clouds.serving import Clouds
from bench.clouds.testing import make
from bench.tests.clouds.test_hetzner import Side

ZONE = zone_id("demo.example")
RECORDS = f"/zones/{ZONE}/dns_records"


def error_of(reply: httpx.Response) -> tuple[int, int, str]:
    body = reply.json()
    assert body["success"] is False
    assert body["result"] is None
    return reply.status_code, body["errors"][0]["code"], body["errors"][0]["message"]


def record(**fields: Any) -> dict[str, Any]:
    return {"type": "A", "name": "auth", "content": "203.0.113.10", "ttl": 60} | fields


def test_the_token_is_checked_in_cloudflares_ways(clouds: Clouds, cloudflare: httpx.Client) -> None:
    base, wrong = clouds.cloudflare_base_url, {"Authorization": "Bearer " + "x" * 40}
    assert error_of(httpx.get(f"{base}/zones", headers={"Authorization": "Bearer no"}))[:2] == (400, 6003)
    assert error_of(httpx.get(f"{base}/zones")) == (400, 6003, "Invalid request headers")
    assert error_of(httpx.get(f"{base}/zones", headers=wrong)) == (403, 10000, "Authentication error")
    assert error_of(httpx.get(f"{base}/user/tokens/verify", headers=wrong)) == (
        401,
        1000,
        "Invalid API Token",
    )
    verified = cloudflare.get("/user/tokens/verify").json()
    assert verified["result"]["status"] == "active"
    assert verified["messages"][0]["message"] == "This API Token is valid and active"


def test_zones_are_found_by_name_and_end_with_an_empty_page(cloudflare: httpx.Client) -> None:
    found = cloudflare.get("/zones", params={"name": "demo.example", "match": "all"}).json()
    assert [(z["id"], z["status"]) for z in found["result"]] == [(ZONE, "active")]
    assert found["result_info"]["total_count"] == 1
    assert cloudflare.get("/zones", params={"name": "demo.example", "page": 2}).json()["result"] == []
    assert cloudflare.get("/zones", params={"name": "other.example"}).json()["result"] == []
    assert cloudflare.get(f"/zones/{ZONE}").json()["result"]["name"] == "demo.example"
    assert error_of(cloudflare.get(f"/zones/{'0' * 32}"))[:2] == (403, 9109)
    assert error_of(cloudflare.get("/zones/demo.example"))[:2] == (400, 7003)


def test_a_token_of_one_zone_sees_no_other(clouds: Clouds, cloudflare: httpx.Client) -> None:
    clouds.account.declare("other.example")
    everything = [zone["name"] for zone in cloudflare.get("/zones").json()["result"]]
    assert everything == ["demo.example", "other.example"]
    cloudflare.headers["Authorization"] = (
        f"Bearer {token_of_one_zone(clouds.tokens.cloudflare, 'other.example')}"
    )
    assert [zone["name"] for zone in cloudflare.get("/zones").json()["result"]] == ["other.example"]
    assert cloudflare.get("/zones", params={"name": "demo.example"}).json()["result"] == []
    assert error_of(cloudflare.get(RECORDS))[:2] == (403, 9109)
    assert cloudflare.get("/user/tokens/verify").json()["result"]["status"] == "active"


def test_a_record_lives(cloudflare: httpx.Client) -> None:
    made = cloudflare.post(RECORDS, json=record(comment="by gatehouse")).json()["result"]
    assert made["name"] == "auth.demo.example"
    assert len(made["id"]) == 32
    where = f"{RECORDS}/{made['id']}"
    assert cloudflare.get(where).json()["result"] == made
    changed = cloudflare.put(where, json=record(content="203.0.113.11", comment="by gatehouse")).json()[
        "result"
    ]
    assert (changed["content"], changed["created_on"]) == ("203.0.113.11", made["created_on"])
    assert changed["comment_modified_on"] == made["comment_modified_on"]
    patched = cloudflare.patch(where, json={"ttl": 300}).json()["result"]
    assert (patched["ttl"], patched["content"]) == (300, "203.0.113.11")
    assert cloudflare.delete(where).json()["result"] == {"id": made["id"]}
    for gone in (cloudflare.get(where), cloudflare.put(where, json=record()), cloudflare.delete(where)):
        assert error_of(gone) == (404, 81044, "Record does not exist.")


def test_records_are_listed_with_filters_and_pages(cloudflare: httpx.Client) -> None:
    for number in range(5):
        cloudflare.post(RECORDS, json=record(name=f"host{number}", content=f"203.0.113.{number + 10}"))
    cloudflare.post(RECORDS, json=record(type="TXT", name="host1", content="hello"))

    def listed(**query: Any) -> list[str]:
        return [f"{r['type']} {r['content']}" for r in cloudflare.get(RECORDS, params=query).json()["result"]]

    assert listed(name="host1.demo.example") == ["A 203.0.113.11", "TXT hello"]
    assert listed(**{"name.exact": "host1.demo.example"}, type="TXT") == ["TXT hello"]
    assert listed(content="203.0.113.12") == ["A 203.0.113.12"]
    assert listed(per_page=4, page=2) == ["A 203.0.113.14", "TXT hello"]


def test_mistakes_have_cloudflares_codes(cloudflare: httpx.Client) -> None:
    cloudflare.post(RECORDS, json=record())
    cloudflare.post(RECORDS, json=record(type="CNAME", name="alias", content="auth.demo.example"))
    for body, code in [
        (record(name="bad", content="nope"), 9005),
        (record(name="bad", type="AAAA"), 9006),
        (record(name="bad", type="CNAME", content="two words"), 9007),
        (record(name="bad", type="SRV"), 1004),
        (record(name="bad", ttl=5), 9021),
        (record(name="bad", type="TXT", content="x", proxied=True), 9004),
        (record(), 81058),
        (record(type="CNAME", content="elsewhere.example"), 81053),
        (record(name="alias"), 81054),
    ]:
        reply = cloudflare.post(RECORDS, json=body)
        assert error_of(reply)[:2] == (400, code), body
    assert cloudflare.get(RECORDS).json()["result_info"]["total_count"] == 2
    assert error_of(cloudflare.post(RECORDS, content=b"{"))[:2] == (400, 9207)
    assert error_of(cloudflare.get("/accounts"))[:2] == (404, 7000)


def test_faults_and_state(cloudflare: httpx.Client, side: Side) -> None:
    order = {"method": "POST", "path": "dns_records", "status": 429, "headers": {"Retry-After": "1"}}
    side("POST", "cloudflare", "faults", json=order)
    limited = cloudflare.post(RECORDS, json=record())
    assert error_of(limited)[:2] == (429, 10429)
    assert limited.headers["Retry-After"] == "1"
    side("POST", "cloudflare", "faults", json={"method": "POST", "cut": "after"})
    with pytest.raises(httpx.RemoteProtocolError):
        cloudflare.post(RECORDS, json=record())
    assert side("GET", "cloudflare", "state").json() == {"demo.example": ["A auth.demo.example"]}
    assert side("GET", "cloudflare", "journal").json()["statuses"] == {"429": 1, "cut": 1}


def test_records_survive_a_restart_that_declares_another_zone(tmp_path: Path) -> None:
    def ask(clouds: Clouds, method: str, path: str, **options: Any) -> Any:
        headers = {"Authorization": f"Bearer {clouds.tokens.cloudflare}"}
        return httpx.request(method, clouds.cloudflare_base_url + path, headers=headers, **options).json()[
            "result"
        ]

    with make(tmp_path).running() as clouds:
        made = ask(clouds, "POST", RECORDS, json=record())
    with make(tmp_path, zones={"acme.example": None}).running() as clouds:
        assert [z["name"] for z in ask(clouds, "GET", "/zones")] == ["demo.example", "acme.example"]
        assert ask(clouds, "GET", RECORDS) == [made]
