"""What people are in an app, and until when they may use it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bench.plain import PlainWorld
from operations.login import log_in
from operations.oidc import Client
from tests.cases.test_apps import Apps

pytestmark = pytest.mark.engine

WIKI: dict[str, Any] = {
    "protocol": "oidc", "url": "https://wiki.acme.example", "redirectUris": ["https://wiki.acme.example/cb"],
    "groups": ["staff", "platform"],
}  # fmt: skip
SHELF = {"url": "https://shelf.acme.example", "redirectUris": ["https://shelf.acme.example/cb"]}
GITLAB: dict[str, Any] = {
    "protocol": "saml", "url": "https://gitlab.acme.example", "acsUrl": "https://gitlab.acme.example/acs",
    "groups": ["staff"],
}  # fmt: skip
PEOPLE = [
    {"username": name, "name": name, "email": f"{name}@acme.example", "groups": groups}
    for name, groups in (("jane", ["staff"]), ("ada", ["staff", "platform"]), ("otto", []))
]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apps]:
    folder = tmp_path_factory.mktemp("roles")
    with PlainWorld(folder / "world", lambda _: None, memory=True).running() as world:
        client = Apps(folder / "project", world)
        client.edit(groups=["staff", "platform"], people=PEOPLE, objects=[])
        yield client
        client.end()


def log_in_to(client: Apps, app: str, person: str) -> Any:
    told = client.told()[app]
    relying = Client(
        issuer=told["issuer"], client_id=told["clientId"], client_secret=client.told("clientSecrets")[app],
        redirect_uri=client.provider(app)["redirect_uris"][0]["url"], scopes="openid profile",
    )  # fmt: skip
    return log_in(relying, person, client.secrets.value(f"person/{person}/password"))


def entitlements(client: Apps) -> list[str]:
    found = client.get("core/application_entitlements/?page_size=100")["results"]
    return sorted(each["name"] for each in found)


@pytest.mark.case("roles")
def test_an_app_is_told_what_people_are_in_it(client: Apps) -> None:
    roles = {"Admin": ["platform"], "Editor": ["staff"]}
    client.edit(
        apps={
            "wiki": {**WIKI, "roles": roles},
            "shelf": {**WIKI, **SHELF, "roles": roles, "rolesClaim": "groups"},
            "gitlab": {**GITLAB, "roles": {"Owner": ["platform"]}, "rolesAttribute": "urn:role"},
        }
    )
    assert "platform is not among the groups that may use the app" in client.up()
    client.quiet()
    assert log_in_to(client, "wiki", "ada").claims["roles"] == ["Admin", "Editor"]
    assert log_in_to(client, "wiki", "jane").claims["roles"] == ["Editor"]
    assert log_in_to(client, "wiki", "jane").claims["groups"] == ["staff"]
    assert log_in_to(client, "shelf", "ada").claims["groups"] == ["Admin", "Editor"]
    assert entitlements(client) == ["Admin", "Admin", "Editor", "Editor", "Owner"]
    (mapping,) = client.get("propertymappings/provider/saml/?search=gitlab")["results"]
    assert mapping["saml_name"] == "urn:role"
    assert mapping["pk"] in client.provider("gitlab", "saml")["property_mappings"]
    # A role that goes, and a group that has one no longer, take it from those who had it.
    client.edit(apps={"wiki": {**WIKI, "roles": {"Admin": []}}})
    client.up()
    client.quiet()
    assert log_in_to(client, "wiki", "ada").claims["roles"] == []
    assert entitlements(client) == ["Admin"]


@pytest.mark.case("until")
def test_nobody_gets_in_after_the_last_day(client: Apps) -> None:
    """However it is said who may use the app: one binding, several, or none."""
    ways: dict[str, dict[str, Any]] = {
        "one": {"groups": ["staff"]},
        "two": {"groups": ["platform", "staff"]},
        "all": {"everyone": True, "groups": []},
    }
    today = datetime.now(UTC).date()

    def bring_up(day: Any) -> str:
        apps = {
            name: {**WIKI, **access, "url": f"https://{name}.acme.example", "until": day and str(day),
                   "redirectUris": [f"https://{name}.acme.example/cb"]}
            for name, access in ways.items()
        }  # fmt: skip
        client.edit(apps=apps)
        return client.up()

    bring_up(today + timedelta(days=1))
    client.quiet()
    for name, access in ways.items():
        assert log_in_to(client, name, "jane").accepted
        assert log_in_to(client, name, "otto").accepted is bool(access.get("everyone"))
    assert "nobody has got in since" in bring_up(today - timedelta(days=1))
    assert not [name for name in ways if log_in_to(client, name, "jane").accepted]
    bring_up(None)
    client.quiet()
    assert all(log_in_to(client, name, "jane").accepted for name in ways)
