"""What a second run against a real 2026.2.2 answered where this emulator once answered something else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bench.authentik.testing import serve
from bench.tests.authentik.conftest import Client

KUBERNETES, TOKENS = "/outposts/service_connections/kubernetes/", "/core/tokens/"
KUBECONFIG = {
    "current-context": "acme",
    "contexts": [{"name": "acme", "context": {"cluster": "acme", "user": "acme"}}],
    "clusters": [{"name": "acme", "cluster": {"server": "https://k8s.acme.example"}}],
    "users": [{"name": "acme", "user": {"token": "t"}}],
}


@pytest.fixture(scope="module")
def real() -> Iterator[Client]:
    """The version that was run."""
    with serve(version="2026.2.2") as running:
        yield Client(running)


def from_now(**span: float) -> str:
    return (datetime.now(UTC) + timedelta(**span)).isoformat()


def minutes_left(token: Any) -> float:
    return (datetime.fromisoformat(token["expires"]) - datetime.now(UTC)).total_seconds() / 60


def test_a_kubernetes_connection_wants_a_kubeconfig(real: Client) -> None:
    assert real("POST", KUBERNETES, 405, name="k1", local=True) == ""
    real("POST", KUBERNETES, 201, name="k2", local=True, kubeconfig={})
    refused = real("POST", KUBERNETES, 400, name="k3", local=False, kubeconfig={})
    only = "You can only use an empty kubeconfig when connecting to a local cluster."
    assert refused == {"kubeconfig": [only]}
    refused = real("POST", KUBERNETES, 400, name="k4", local=False, kubeconfig={"clusters": []})
    assert refused == {"kubeconfig": ["Invalid kubeconfig"]}
    made = real("POST", KUBERNETES, 201, name="k5", local=False, kubeconfig=KUBECONFIG)
    assert made["verbose_name"] == "Kubernetes Service-Connection"


def test_an_app_password_has_a_longest_life(real: Client) -> None:
    wanted = {"intent": "app_password", "expires": from_now(days=365)}
    refused = real("POST", TOKENS, 400, identifier="far", **wanted)
    assert refused["expires"][0].startswith("Token expires exceeds maximum lifetime")
    attributes = {"goauthentik.io/user/token-maximum-lifetime": "days=400"}
    user = real("POST", "/core/users/", 201, username="far", name="far", attributes=attributes)
    real("POST", TOKENS, 201, identifier="far", user=user["pk"], **wanted)


def test_authentik_sets_the_end_of_an_api_token(real: Client) -> None:
    made = real("POST", TOKENS, 201, identifier="api", intent="api", expires=from_now(days=365))
    assert 29 < minutes_left(made) < 31
    changed = real("PATCH", f"{TOKENS}api/", 200, intent="api", expires=from_now(days=365))
    assert 29 < minutes_left(changed) < 31


def test_an_enrolment_token_that_stays_has_no_end(real: Client) -> None:
    connector = real("POST", "/endpoints/agents/connectors/", 201, name="agents")
    assert connector["component"] == "ak-endpoints-connector-agent-form"
    wanted = {"connector": connector["connector_uuid"], "name": "t", "expiring": False}
    assert real("POST", "/endpoints/agents/enrollment_tokens/", 201, **wanted)["expires"] is None
    stage = real("POST", "/stages/endpoints/", 201, name="e", connector=connector["connector_uuid"])
    assert stage["component"] == "ak-endpoints-stage-form"


def test_a_redirect_stage_wants_its_target(real: Client) -> None:
    for mode in ("static", "flow"):
        refused = real("POST", "/stages/redirect/", 400, name=mode, mode=mode)
        assert list(refused) == ["non_field_errors"]


def test_sources_are_called_by_their_type(real: Client) -> None:
    body = {"slug": "s", "name": "s", "consumer_key": "k", "consumer_secret": "s"}
    refused = real("POST", "/sources/oauth/", 400, provider_type="openidconnect", **body)
    assert refused == {"non_field_errors": ["authorization_url is required for provider OpenID Connect"]}
    made = real("POST", "/sources/oauth/", 201, provider_type="discord", **body)
    assert made["type"]["authorization_url"] == "https://discord.com/api/oauth2/authorize"
    assert made["type"]["urls_customizable"] is False
    types = real("GET", "/sources/oauth/source_types/", 200)
    assert {"discord", "google", "openidconnect"} < {each["name"] for each in types}


def test_access_of_somebody_who_is_not_there(real: Client) -> None:
    real("POST", "/core/applications/", 201, name="who", slug="who")
    path = "/core/applications/who/check_access/?for_user="
    assert real("GET", path + "99999", 400) == {"for_user": "User not found"}


def test_options_and_head(real: Client) -> None:
    assert real("OPTIONS", "/core/groups/", 200)["name"] == "Group List"
    real("HEAD", "/core/groups/", 200)


def test_the_policies_that_can_be_made(real: Client) -> None:
    types = [each["model_name"] for each in real("GET", "/policies/all/types/", 200)]
    assert len(types) == 7
    assert "dummypolicy" not in types


@pytest.mark.parametrize(
    "path", ["/flows/instances/", "/stages/all/", "/providers/all/", "/rbac/permissions/"]
)
def test_lists_carry_completions(real: Client, path: str) -> None:
    assert real("GET", path, 200)["autocomplete"] == {}


def test_words(real: Client) -> None:
    docker = {"name": "d", "url": "http://docker:2375"}
    made = real("POST", "/outposts/service_connections/docker/", 201, **docker)
    assert made["verbose_name"] == "Docker Service-Connection"
    mail = real("POST", "/events/transports/", 201, name="mail", mode="email")
    assert mail["mode_verbose"] == "Email"
    refused = real("POST", TOKENS, 400, identifier="no slug")
    assert refused == {
        "identifier": ['Enter a valid "slug" consisting of letters, numbers, underscores or hyphens.']
    }
    query = "?codename=view_user&content_type__app_label=authentik_core"
    (permission,) = real("GET", f"/rbac/permissions/{query}", 200)["results"]
    assert permission["app_label_verbose"] == "authentik Core"
