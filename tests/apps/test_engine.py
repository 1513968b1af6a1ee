"""Apps of every sort through the real engine, against an authentik that runs without a box."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bench.plain import PlainWorld
from bench.project import Project
from components.secrets import Secrets, new_root_secret

pytestmark = pytest.mark.engine

APPS: dict[str, Any] = {
    "grafana": {"preset": "grafana", "url": "https://grafana.acme.example", "groups": ["staff"]},
    "files": {"everyone": True, "preset": "nextcloud", "url": "https://files.acme.example"},
    "spa": {
        "protocol": "oidc", "url": "https://spa.acme.example", "clientType": "public",
        "redirectUris": ["https://spa.acme.example/cb"], "groups": ["staff", "board"],
    },
    "dash": {"everyone": True, "protocol": "proxy", "url": "https://dash.acme.example", "upstream": "http://dash:8080"},
}  # fmt: skip
JANE = {"username": "jane", "name": "Jane Doe", "email": "jane@acme.example", "groups": ["staff"]}


class Stack:
    """A stack on an authentik of its own."""

    def __init__(self, folder: Path, world: PlainWorld) -> None:
        self.world, self.secrets = world, Secrets(new_root := new_root_secret())
        self.project = Project(folder)
        settings = {
            "client": "acme", "domain": "acme.example", "box": "none",
            "authentik": {"version": world.version, "url": world.issuer}, "groups": ["staff", "board"],
            "people": [JANE], "apps": APPS,
        }  # fmt: skip
        self.project.stack("acme", settings, {"rootSecret": new_root, "authentik.token": world.token})

    def up(self) -> dict[str, int]:
        """Bring it up; how many resources were created, updated, replaced, deleted."""
        return counts(self.project.pulumi("up", "--yes", "--skip-preview", "--stack", "acme"))

    def preview(self, *options: str) -> dict[str, int]:
        return counts(self.project.pulumi("preview", "--stack", "acme", *options))

    def get(self, path: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.world.token}"}
        answer = httpx.get(f"{self.world.issuer}/api/v3/{path}", headers=headers)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found


def counts(said: str) -> dict[str, int]:
    """The engine's own summary, without what stayed the same."""
    kinds = "create|update|replace|delete|created|updated|replaced|deleted"
    return {kind: int(count) for count, kind in re.findall(rf"(\d+) (?:to )?({kinds})\b", said)}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("apps")
    with PlainWorld(folder / "world", lambda _: None, memory=True).running() as world:
        stack = Stack(folder / "project", world)
        stack.up()
        yield stack


def test_apps_are_there_as_declared(stack: Stack) -> None:
    (provider,) = stack.get("providers/oauth2/?search=grafana")["results"]
    assert provider["client_id"] == stack.secrets.value("app/grafana/client-id")
    assert provider["client_secret"] == stack.secrets.value("app/grafana/client-secret")
    assert provider["redirect_uris"][0]["url"] == "https://grafana.acme.example/login/generic_oauth"
    assert len(provider["property_mappings"]) == 3
    assert provider["signing_key"]
    assert stack.get("core/applications/grafana/")["provider"] == provider["pk"]
    (outpost,) = stack.get("outposts/instances/?name__iexact=authentik%20Embedded%20Outpost")["results"]
    assert [each["name"] for each in outpost["providers_obj"]] == ["dash"]
    discovery = httpx.get(
        f"{stack.world.issuer}/application/o/grafana/.well-known/openid-configuration"
    ).json()
    told = json.loads(stack.project.pulumi("stack", "output", "apps", "--stack", "acme"))
    assert discovery["issuer"] == told["grafana"]["issuer"]


def test_nothing_changes_when_nothing_changed(stack: Stack) -> None:
    assert stack.up() == {}
    assert stack.preview("--refresh") == {}


def test_secrets_are_nowhere_in_clear(stack: Stack) -> None:
    state = json.dumps(stack.project.state("acme"))
    names = ["app/grafana/client-secret", "app/files/client-secret", "person/jane/password"]
    assert [name for name in names if stack.secrets.value(name) in state] == []
    assert stack.world.token not in state


def test_a_renamed_app_is_updated_and_keeps_its_client(stack: Stack) -> None:
    before = stack.get("core/applications/grafana/")
    metrics = {"id": "grafana", **APPS["grafana"]}
    stack.project.edit(
        "acme", {"apps": {**{k: v for k, v in APPS.items() if k != "grafana"}, "metrics": metrics}}
    )
    changed = stack.up()
    assert set(changed) == {"updated"}, changed
    after = stack.get("core/applications/metrics/")
    assert (after["pk"], after["provider"]) == (before["pk"], before["provider"])
    told = json.loads(stack.project.pulumi("stack", "output", "apps", "--stack", "acme"))
    assert told["metrics"]["clientId"] == stack.secrets.value("app/grafana/client-id")
    stack.project.edit("acme", {"apps": APPS})
    stack.up()
    assert stack.preview() == {}


def providers(stack: Stack) -> set[int]:
    """Pks of all that is called grafana; the list has a proxy provider twice, since one is an OAuth2 provider too."""
    return {each["pk"] for each in stack.get("providers/all/")["results"] if each["name"] == "grafana"}


def test_an_app_that_changes_its_protocol_gives_its_old_provider_up_first(stack: Stack) -> None:
    behind = {"protocol": "proxy", "url": APPS["grafana"]["url"], "upstream": "http://grafana:3000"}
    stack.project.edit("acme", {"apps": {**APPS, "grafana": {**behind, "groups": ["staff"]}}})
    planned = stack.preview()
    assert planned["replace"] == 2  # the provider, and the access that is closed meanwhile
    assert stack.up() == {f"{kind}d": count for kind, count in planned.items()}
    (provider,) = stack.get("providers/proxy/?search=grafana")["results"]
    assert stack.get("core/applications/grafana/")["provider"] == provider["pk"]
    assert providers(stack) == {provider["pk"]}
    assert (stack.up(), stack.preview("--refresh")) == ({}, {})
    stack.project.edit("acme", {"apps": APPS})
    stack.up()
    (provider,) = stack.get("providers/oauth2/?search=grafana")["results"]
    assert stack.get("core/applications/grafana/")["provider"] == provider["pk"]
    assert providers(stack) == {provider["pk"]}
    assert (stack.up(), stack.preview("--refresh")) == ({}, {})


def test_the_embedded_outpost_can_be_told_more_in_a_raw_object(stack: Stack) -> None:
    raw = {
        "kind": "authentik_outposts.outpost",
        "name": "authentik Embedded Outpost",
        "fields": {"config": {"log_level": "debug"}},
        "adopt": True,
    }
    stack.project.edit("acme", {"objects": [raw]})
    assert stack.up() == {"updated": 1}
    (outpost,) = stack.get("outposts/instances/?name__iexact=authentik%20Embedded%20Outpost")["results"]
    assert [each["name"] for each in outpost["providers_obj"]] == ["dash"]
    assert outpost["config"]["log_level"] == "debug"
    stack.project.edit("acme", {"objects": []})
    assert stack.up() == {"updated": 1}
    assert stack.preview("--refresh") == {}


def test_an_app_that_goes_takes_its_objects_along(stack: Stack) -> None:
    stack.project.edit("acme", {"apps": {key: APPS[key] for key in ("grafana", "files", "spa")}})
    assert stack.up() == {"deleted": 4}  # application, its access and provider; the outpost is given back
    (outpost,) = stack.get("outposts/instances/?name__iexact=authentik%20Embedded%20Outpost")["results"]
    assert outpost["providers"] == []
    assert outpost["config"]["authentik_host"] == ""
