"""What outposts that run beside authentik are told, and the permissions that roles are given on single objects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bench.tests.authentik.conftest import Client

LDAP = "authentik_providers_ldap"


def as_outpost(shared: Client, outpost: dict[str, Any], key: str) -> Client:
    """The outpost, after its token was given a value."""
    shared("POST", f"/core/tokens/{outpost['token_identifier']}/set_key/", 204, key=key)
    return Client(replace(shared.running, token=key))


def test_an_outpost_sees_itself_and_what_it_serves(shared: Client) -> None:
    served, other = (shared.provider(name, "ldap", base_dn=f"dc={name}") for name in ("served", "other"))
    for each in (served, other):
        shared("POST", "/core/applications/", 201, name=each["name"], slug=each["name"], provider=each["pk"])
    lonely = shared.provider("lonely", "ldap")  # it has no application
    outposts = [
        shared("POST", "/outposts/instances/", 201, name=name, type="ldap", providers=providers, config={})
        for name, providers in (("first", [served["pk"], lonely["pk"]]), ("second", [other["pk"]]))
    ]
    own = as_outpost(shared, outposts[0], "a-key-of-the-outpost")
    assert [each["name"] for each in own("GET", "/outposts/instances/", 200)["results"]] == ["first"]
    (told,) = own("GET", "/outposts/ldap/", 200)["results"]
    assert (told["name"], told["application_slug"], told["base_dn"]) == ("served", "served", "dc=served")
    assert told["bind_flow_slug"] == "default-provider-authorization-implicit-consent"
    own("GET", "/core/users/", 200)
    own("GET", "/core/tokens/", 403)


def test_a_role_is_given_a_permission_on_one_object_and_loses_it(shared: Client) -> None:
    provider = shared.provider("searched", "ldap")
    role = shared("POST", "/rbac/roles/", 201, name="searchers")
    place = f"/rbac/permissions/assigned_by_roles/{role['pk']}"
    body = {"model": f"{LDAP}.ldapprovider", "object_pk": str(provider["pk"])}
    search = [f"{LDAP}.search_full_directory"]
    for _ in range(2):  # twice is as good as once
        shared("POST", f"{place}/assign/", 200, permissions=search, **body)
    (given,) = shared("GET", f"/rbac/permissions/roles/?uuid={role['pk']}", 200)["results"]
    assert (given["codename"], given["object_pk"]) == ("search_full_directory", str(provider["pk"]))
    shared("POST", f"{place}/assign/", 400, permissions=[f"{LDAP}.do_anything"], **body)
    shared("POST", f"{place}/assign/", 501, permissions=search)  # for all objects of a kind: not here
    shared("PATCH", f"{place}/unassign/", 204, permissions=search, **body)
    assert shared("GET", f"/rbac/permissions/roles/?uuid={role['pk']}", 200)["results"] == []
