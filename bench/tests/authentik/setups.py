"""State that the recorded conversations rely on but that no recording makes: done by other requests in between."""

from __future__ import annotations

from typing import Any

from httpx import QueryParams

from bench.tests.authentik.replay import Replay, Setup, recordings, restart

APPLICATIONS, BINDINGS, OAUTH2, FLOWS = (
    "/core/applications/",
    "/policies/bindings/",
    "/providers/oauth2/",
    "/flows/instances/",
)
IMPLICIT, LEAVE = "default-provider-authorization-implicit-consent", "default-provider-invalidation-flow"


# Ids of default objects that the recordings use before they show them.
DEFAULT_FLOWS = {
    "87478231-4889-44ff-9749-5270e0230686": IMPLICIT,
    "99f5ffa0-1c75-48d2-a436-9f1ad629e12e": LEAVE,
    "6e5322b2-a7fc-4f26-9dea-6699ba19d9ae": "default-authentication-flow",
}


def known_defaults(replay: Replay) -> None:
    """Tell the replay the recorded ids of flows, of property mappings and of the brand."""
    for recorded, slug in DEFAULT_FLOWS.items():
        replay.ids[recorded] = replay.find(FLOWS, slug=slug)["pk"]
    (listing,) = [entry for entry in recordings("b") if entry["id"] == "b025"]
    mappings = replay.api("GET", "/propertymappings/all/?page_size=100")["results"]
    by_mark = {mapping["managed"]: mapping["pk"] for mapping in mappings}
    for mapping in listing["response"]["body"]["results"]:
        replay.ids[mapping["pk"]] = by_mark[mapping["managed"]]


def provider(
    replay: Replay, name: str, authorization: str = IMPLICIT, leave: str = LEAVE, **more: Any
) -> Any:
    """An OAuth2 provider with these flows."""
    flows = {slug: replay.find(FLOWS, slug=slug)["pk"] for slug in (authorization, leave)}
    return replay.make(
        OAUTH2,
        name=name,
        authorization_flow=flows[authorization],
        invalidation_flow=flows[leave],
        redirect_uris=[],
        **more,
    )


def application_to_delete(replay: Replay) -> None:
    """Application a9 with a provider and a binding."""
    made = provider(replay, "P9")
    application = replay.make(APPLICATIONS, name="A9", slug="a9", provider=made["pk"])
    group = replay.find("/core/groups/", name="app-users")
    replay.make(
        BINDINGS, "c63ad955-5d5a-415b-8c5f-ab559f5356c2", target=application["pk"], group=group["pk"], order=0
    )


def flow(replay: Replay, slug: str, designation: str) -> None:
    """A flow without stages."""
    replay.make(FLOWS, name=slug, slug=slug, title=slug, designation=designation)


def authorization_flow_in_use(replay: Replay) -> None:
    """Flow fx, the authorization flow of a provider."""
    flow(replay, "fx", "authorization")
    provider(replay, "P10", authorization="fx")


def invalidation_flow_in_use(replay: Replay) -> None:
    """Flow fi, the invalidation flow of a provider."""
    flow(replay, "fi", "invalidation")
    provider(replay, "P11", leave="fi")


def group_in_use(replay: Replay) -> None:
    """A group that is bound to an application."""
    group = replay.make("/core/groups/", "2b2e45b9-2ee3-407a-9073-c4d36b7f2623", name="to-delete")
    target = replay.api("GET", f"{APPLICATIONS}grafana-two/")["pk"]
    replay.make(BINDINGS, "2e43981a-7e6e-4401-920e-d502cfa89bea", target=target, group=group["pk"], order=0)


def certificate_in_use(replay: Replay) -> None:
    """A certificate that signs a provider's tokens."""
    body = {"common_name": "to-delete", "validity_days": 90, "alg": "ecdsa"}
    made = replay.api("POST", "/crypto/certificatekeypairs/generate/", body)
    replay.ids["4714d2e9-71a0-42c3-9687-0f3e30e7e68d"] = made["pk"]
    provider(replay, "P12", signing_key=made["pk"])


def worker(alive: bool) -> Setup:
    """The worker stops or is back."""

    def change(replay: Replay) -> None:
        replay.running.store.assume_worker = alive

    return change


def managed_scope(replay: Replay) -> None:
    """The scope mapping that the next recording deletes by its id."""
    found = replay.find("/propertymappings/provider/scope/", scope_name="email")
    replay.ids["7113f61b-dd27-4ad9-930e-d4703286ccbe"] = found["pk"]


def confidential_again(replay: Replay) -> None:
    """The provider is no longer public."""
    replay.api("PATCH", f"{OAUTH2}1/", {"client_type": "confidential"})


def second_installation(replay: Replay) -> None:
    """Where series d starts: alice in a group that may use Grafana, and mallory, who may not."""
    group = replay.make("/core/groups/", "8a6a6f17-515a-4070-a0eb-2b83cab5a310", name="app-users")
    people: dict[str, dict[str, Any]] = {
        "alice": {"name": "Alice", "email": "alice@example.test", "groups": [group["pk"]]},
        "mallory": {"name": "Mallory"},
    }
    for name, body in people.items():
        user = replay.make("/core/users/", username=name, **body)
        replay.api("POST", f"/core/users/{user['pk']}/set_password/", {"password": f"{name}-pass-0123"})
    scopes = replay.api("GET", "/propertymappings/provider/scope/")["results"]
    certificate = replay.find("/crypto/certificatekeypairs/", name="authentik Self-signed Certificate")
    made = provider(replay, "Grafana", client_id="grafana-client", client_secret="grafana-secret-0123")
    changes = {
        "property_mappings": [s["pk"] for s in scopes if s["scope_name"] in ("openid", "email", "profile")],
        "signing_key": certificate["pk"],
        "redirect_uris": [{"matching_mode": "strict", "url": "https://grafana.example.test/cb"}],
        "include_claims_in_id_token": True,
    }
    replay.api("PATCH", f"{OAUTH2}{made['pk']}/", changes)
    target = replay.make(
        APPLICATIONS,
        "93a6613b-913e-4047-a9e6-091f76c1fccd",
        name="Grafana",
        slug="grafana",
        provider=made["pk"],
        meta_launch_url="https://grafana.example.test",
    )
    replay.make(
        BINDINGS, "67be4bdb-8c1f-413d-a687-6c479b089a7c", target=target["pk"], group=group["pk"], order=0
    )
    outpost = replay.find("/outposts/instances/", name__iexact="authentik Embedded Outpost")
    replay.ids["73692e72-a3f3-45db-ac89-162f165aaeac"] = outpost["pk"]


def many_groups(replay: Replay) -> None:
    """A good number of groups, made between series d and e."""
    listing = next(entry for entry in recordings("e") if entry["id"] == "e015")["response"]["body"]
    names = [group["name"] for group in listing["results"]]
    for name in [*names, *(f"z-{number}" for number in range(listing["pagination"]["count"] - len(names)))]:
        if not replay.api("GET", f"/core/groups/?{QueryParams(name=name)}")["results"]:
            replay.make("/core/groups/", name=name)


def without_email_scope(replay: Replay) -> None:
    """Series f runs after the email scope and the outpost were deleted, and a restart made the latter again."""
    for name in ("alice", "mallory", "carol"):
        replay.make("/core/users/", username=name, name=name)
    outpost = replay.find("/outposts/instances/", name__iexact="authentik Embedded Outpost")
    replay.api("DELETE", f"/outposts/instances/{outpost['pk']}/")
    restart(replay)
    found = replay.find("/propertymappings/provider/scope/", scope_name="email")
    replay.api("DELETE", f"/propertymappings/provider/scope/{found['pk']}/")


def back_channel(replay: Replay) -> None:
    """A SCIM provider and one to log in with."""
    replay.make("/providers/scim/", name="bcS", url="http://127.0.0.1:9/scim", token="t")
    provider(replay, "bcP")


BEFORE: dict[str, Setup] = {
    "c048": worker(alive=False),
    "c052": worker(alive=True),
    "c065": application_to_delete,
    "c068": authorization_flow_in_use,
    "c070": invalidation_flow_in_use,
    "c072": group_in_use,
    "c076": certificate_in_use,
    "c094": confidential_again,
    "c096": managed_scope,
    "d001": second_installation,
    "e001": many_groups,
    "f001": without_email_scope,
    "g001": back_channel,
    "h001": worker(alive=False),
}
