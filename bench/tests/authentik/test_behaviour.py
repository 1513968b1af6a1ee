"""What surprises clients of authentik, as far as the recordings don't hold it already."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from bench.authentik.testing import serve
from bench.tests.authentik.conftest import Client


def test_one_of_several_simultaneous_creates_wins() -> None:
    with serve(latency=True) as running:
        client = Client(running)
        with ThreadPoolExecutor(8) as pool:
            answers = list(
                pool.map(
                    lambda _: client.http.post("/core/groups/", json={"name": "same"}).status_code, range(8)
                )
            )
    # Who comes while the first one is being written gets authentik's error of the database; who comes later, a reason.
    assert answers.count(201) == 1
    assert set(answers) <= {201, 400, 405}


def test_oauth2_lists_proxy_providers_too_and_deletes_them(shared: Client) -> None:
    proxy = shared.provider(
        "listed", "proxy", mode="forward_single", external_host="https://listed.example.test"
    )
    listed = shared("GET", "/providers/oauth2/?name=listed", 200)["results"]
    assert [(one["pk"], one["meta_model_name"]) for one in listed] == [
        (proxy["pk"], "authentik_providers_oauth2.oauth2provider")
    ]
    shared("DELETE", f"/providers/oauth2/{proxy['pk']}/", 204)
    shared("GET", f"/providers/proxy/{proxy['pk']}/", 404)


def test_names_are_unique_over_all_providers_and_over_all_stages(shared: Client) -> None:
    shared.provider("one-name")
    body = {"name": "one-name", "url": "https://scim.example.test", "token": "t"}
    assert shared("POST", "/providers/scim/", 400, **body) == {
        "name": ["provider with this name already exists."]
    }
    shared("POST", "/stages/dummy/", 201, name="one-stage")
    assert "name" in shared("POST", "/stages/deny/", 400, name="one-stage")
    shared("POST", "/stages/deny/", 201, name="ONE-stage")


def test_connectors_and_invitations_may_share_a_name(shared: Client) -> None:
    for _ in range(2):
        shared("POST", "/endpoints/agents/connectors/", 201, name="twice")
        shared("POST", "/stages/invitation/invitations/", 201, name="twice")


def test_a_proxy_provider_cannot_lose_the_default_scopes(shared: Client) -> None:
    proxy = shared.provider("scopes", "proxy", mode="forward_single", external_host="https://s.example.test")
    body = {"mode": "forward_single", "property_mappings": []}
    assert len(shared("PATCH", f"/providers/proxy/{proxy['pk']}/", 200, **body)["property_mappings"]) == 5
    assert shared("PATCH", f"/providers/proxy/{proxy['pk']}/", 400, property_mappings=[])


def test_a_back_channel_provider_belongs_to_one_application(shared: Client) -> None:
    provider = shared("POST", "/providers/scim/", 201, name="stolen", url="https://s.example.test", token="t")
    for slug in ("first", "second"):
        shared(
            "POST", "/core/applications/", 201, name=slug, slug=slug, backchannel_providers=[provider["pk"]]
        )
    assert shared("GET", "/core/applications/first/", 200)["backchannel_providers"] == []
    shared("DELETE", "/core/applications/first/", 204)
    shared("GET", f"/providers/scim/{provider['pk']}/", 200)
    shared("DELETE", "/core/applications/second/", 204)
    shared("GET", f"/providers/scim/{provider['pk']}/", 404)


def test_a_deleted_certificate_leaves_providers_without_one(shared: Client) -> None:
    certificate = shared(
        "POST", "/crypto/certificatekeypairs/generate/", 200, common_name="short", validity_days=1
    )
    provider = shared.provider("signed", signing_key=certificate["pk"])
    shared("DELETE", f"/crypto/certificatekeypairs/{certificate['pk']}/", 204)
    assert shared("GET", f"/providers/oauth2/{provider['pk']}/", 200)["signing_key"] is None


def test_enterprise_fields_need_a_licence(shared: Client) -> None:
    certificate = shared(
        "POST", "/crypto/certificatekeypairs/generate/", 200, common_name="radius", validity_days=1
    )
    flow = shared.flow("default-invalidation-flow")
    body = {"name": "radius", "authorization_flow": flow, "invalidation_flow": flow}
    refused = shared("POST", "/providers/radius/", 400, **body, certificate=certificate["pk"])
    assert refused == {"non_field_errors": ["Enterprise is required to create/update this object."]}
    shared("POST", "/providers/radius/", 201, **body)


def test_users_and_groups_are_one_relation(shared: Client) -> None:
    group = shared("POST", "/core/groups/", 201, name="both")
    users = [
        shared("POST", "/core/users/", 201, username=f"both-{n}", name="Both", groups=[group["pk"]])
        for n in "ab"
    ]
    assert shared("GET", f"/core/groups/{group['pk']}/", 200)["users"] == [user["pk"] for user in users]
    shared("PATCH", f"/core/groups/{group['pk']}/", 200, users=[users[1]["pk"]])
    assert shared("GET", f"/core/users/{users[0]['pk']}/", 200)["groups"] == []
    shared("PATCH", f"/core/groups/{group['pk']}/", 200, parents=[group["pk"]])


def test_a_login_as_a_superuser_group_makes_superusers_of_the_groups_below(shared: Client) -> None:
    admins = shared("GET", "/core/groups/?name=authentik Admins", 200)["results"][0]
    below = shared("POST", "/core/groups/", 201, name="below", parents=[admins["pk"]])
    user = shared("POST", "/core/users/", 201, username="below", name="Below", groups=[below["pk"]])
    assert user["is_superuser"] is True


def test_patches_that_must_repeat_fields(shared: Client) -> None:
    stage = shared("POST", "/stages/identification/", 201, name="ident", user_fields=["email"])
    shared("PATCH", f"/stages/identification/{stage['pk']}/", 400, name="ident-2")
    policy = shared("POST", "/policies/event_matcher/", 201, name="ev", action="login", client_ip=None)
    assert shared("PATCH", f"/policies/event_matcher/{policy['pk']}/", 405, name="ev-2") == ""
    shared("PATCH", f"/policies/event_matcher/{policy['pk']}/", 200, action="logout")


def test_outposts_bring_a_user_and_a_token_and_take_them_along(shared: Client) -> None:
    provider = shared.provider("ldap-1", "ldap")
    body = {
        "name": "out",
        "type": "ldap",
        "providers": [provider["pk"]],
        "config": {"refresh_interval": "soon"},
    }
    assert "config" in shared("POST", "/outposts/instances/", 400, **body)
    outpost = shared("POST", "/outposts/instances/", 201, **{**body, "config": {}})
    name = f"ak-outpost-{outpost['pk'].replace('-', '')}"
    assert shared("GET", f"/core/users/?username={name}", 200)["pagination"]["count"] == 1
    shared("DELETE", f"/outposts/instances/{outpost['pk']}/", 204)
    assert shared("GET", f"/core/users/?username={name}", 200)["pagination"]["count"] == 0
    shared("GET", f"/core/tokens/{outpost['token_identifier']}/", 404)


def test_grant_types_are_empty_unless_sent_since_2026_5(shared: Client) -> None:
    assert shared.provider("grants")["grant_types"] == []
    sent: dict[str, Any] = {
        "grant_types": ["authorization_code"],
        "redirect_uris": [{"matching_mode": "strict", "url": "https://a/"}],
    }
    made = shared.provider("grants-2", **sent)
    assert made["grant_types"] == ["authorization_code"]
    assert made["redirect_uris"][0]["redirect_uri_type"] == "authorization"


def test_secrets_turn_write_only_in_2026_8(shared: Client) -> None:
    assert "token" not in shared(
        "POST", "/providers/scim/", 201, name="s", url="https://s.example.test", token="t"
    )


def test_groups_have_one_parent_up_to_2025_10() -> None:
    with serve(version="2025.8.6") as running:
        client = Client(running)
        parent = client("POST", "/core/groups/", 201, name="parent")
        child = client("POST", "/core/groups/", 201, name="child", parent=parent["pk"])
        assert (child["parent"], child["parent_name"]) == (parent["pk"], "parent")
        client("DELETE", f"/core/groups/{parent['pk']}/", 204)
        assert client("GET", f"/core/groups/{child['pk']}/", 200)["parent"] is None
        assert client("POST", "/stages/deny/", 405, name="x", flow_set=[]) == ""


def test_lists_hide_applications_from_those_who_may_not_use_them(shared: Client) -> None:
    group = shared("POST", "/core/groups/", 201, name="insiders")
    application = shared("POST", "/core/applications/", 201, name="Inside", slug="inside")
    shared("POST", "/policies/bindings/", 201, target=application["pk"], group=group["pk"], order=0)
    slugs = [one["slug"] for one in shared("GET", "/core/applications/", 200)["results"]]
    everything = shared("GET", "/core/applications/?superuser_full_list=true", 200)["results"]
    assert "inside" not in slugs
    assert "inside" in [one["slug"] for one in everything]


def test_an_entitlement_takes_no_policy(shared: Client) -> None:
    application = shared("POST", "/core/applications/", 201, name="Entitled", slug="entitled")
    entitlement = shared("POST", "/core/application_entitlements/", 201, name="e", app=application["pk"])
    policy = shared("POST", "/policies/dummy/", 201, name="dummy")
    body = {"target": entitlement["pbm_uuid"], "policy": policy["pk"], "order": 0}
    refused = shared("POST", "/policies/bindings/", 400, **body)
    assert refused == {"non_field_errors": ["One of 'group', 'user' must be set."]}


def test_sources_with_urls_of_their_own_must_repeat_them(shared: Client) -> None:
    urls = dict.fromkeys(
        ("authorization_url", "access_token_url", "profile_url"), "https://idp.example.test/"
    )
    body = {
        "name": "idp",
        "slug": "idp",
        "provider_type": "openidconnect",
        "consumer_key": "k",
        "consumer_secret": "s",
    }
    assert "authorization_url" in str(shared("POST", "/sources/oauth/", 400, **body))
    made = shared("POST", "/sources/oauth/", 201, **body, **urls)
    assert "consumer_secret" not in made
    shared("PATCH", "/sources/oauth/idp/", 400, name="IdP")
    shared("PATCH", "/sources/oauth/idp/", 200, name="IdP", **urls)
    assert "consumer_secret" in shared("PUT", "/sources/oauth/idp/", 400, **{**body, "consumer_secret": None})


def test_tenants_are_switched_off_and_devices_are_not_made_by_hand(shared: Client) -> None:
    shared("GET", "/tenants/tenants/", 404)
    assert shared("POST", "/authenticators/admin/totp/", 405, name="x") == ""


def test_what_the_bench_does_not_do_it_refuses(shared: Client) -> None:
    answer = shared.http.get("/flows/instances/default-authentication-flow/diagram/")
    assert answer.status_code == 501
    assert "does not do" in answer.json()["detail"]


def test_health_and_a_missing_slash(shared: Client) -> None:
    base = shared.running.url
    assert httpx.get(f"{base}/-/health/live/").status_code == 200
    assert httpx.get(f"{base}/-/health/ready/").status_code == 200
    assert httpx.get(f"{base}/nothing").headers["content-type"].startswith("text/html")


def test_only_trusted_proxies_are_believed_since_2026_8() -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "auth.example.test"}
    seen = {}
    for version, networks in [
        ("2026.8.3", "127.0.0.0/8"),
        ("2026.8.3", "10.0.0.0/8"),
        ("2026.2.2", "10.0.0.0/8"),
    ]:
        with serve(version=version, trusted_proxies=networks) as running:
            client = Client(running)
            answer = client.http.get("/outposts/instances/default_settings/", headers=headers)
            seen[version, networks] = answer.json()["config"]["authentik_host"]
    assert seen["2026.8.3", "127.0.0.0/8"] == "https://auth.example.test/"
    assert seen["2026.8.3", "10.0.0.0/8"].startswith("http://127.0.0.1:")
    assert seen["2026.2.2", "10.0.0.0/8"] == "https://auth.example.test/"
