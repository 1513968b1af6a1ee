"""Apps as people want them, brought up on authentik."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from bench.plain import PlainWorld
from tests.operations.client import BenchClient

pytestmark = pytest.mark.engine

FILES = Path(__file__).resolve().parent / "files"
OPENID, EMAIL, PROFILE = (
    f"goauthentik.io/providers/oauth2/scope-{name}" for name in ("openid", "email", "profile")
)


class Apps(BenchClient):
    """A client whose apps are tried one file after the other."""

    def lay(self, case: str, **more: Any) -> str:
        """Bring up a case's file with more laid over its apps; what was said."""
        document = yaml.safe_load((FILES / f"{case}.yaml").read_text())
        given = {name.removeprefix("gatehouse:"): value for name, value in document.items()}
        self.edit(**{"people": [], "objects": [], "apps": {}, **given, **more})
        return self.up()

    def quiet(self) -> None:
        """Nothing is left to do, also by what authentik says."""
        self.pulumi("preview", "--refresh", "--expect-no-changes")

    def get(self, path: str) -> Any:
        answer = self.api.get(f"/api/v3/{path}")
        return answer.raise_for_status().json()

    def provider(self, name: str, kind: str = "oauth2") -> dict[str, Any]:
        """The one provider of that name."""
        (found,) = [
            each for each in self.get(f"providers/{kind}/?search={name}")["results"] if each["name"] == name
        ]
        return dict(found)

    def told(self, output: str = "apps") -> dict[str, Any]:
        return dict(json.loads(self.pulumi("stack", "output", output, "--show-secrets")))

    def mappings(self, provider: dict[str, Any]) -> dict[str, str]:
        """Names of a provider's mappings, or what authentik calls its own -> their expressions."""
        every = self.get("propertymappings/all/?page_size=100")["results"]
        return {
            each["managed"] or each["name"]: each["expression"]
            for each in every
            if each["pk"] in provider["property_mappings"]
        }


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apps]:
    folder = tmp_path_factory.mktemp("apps")
    with PlainWorld(folder / "world", lambda _: None, memory=True).running() as world:
        client = Apps(folder / "project", world)
        yield client
        client.end()


def uris(provider: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["matching_mode"], each["url"]) for each in provider["redirect_uris"]]


@pytest.mark.case("immich")
def test_the_custom_scheme_of_a_mobile_app(client: Apps) -> None:
    client.lay("immich")
    assert uris(client.provider("immich"))[0] == ("strict", "app.immich:///oauth-callback")
    query = {
        "client_id": client.told()["immich"]["clientId"], "response_type": "code", "scope": "openid",
    }  # fmt: skip
    for uri, status in (("app.immich:///oauth-callback", 302), ("app.immich:///elsewhere", 400)):
        answer = httpx.get(
            f"{client.world.issuer}/application/o/authorize/", params={**query, "redirect_uri": uri}
        )
        assert answer.status_code == status
    client.quiet()


@pytest.mark.case("argocd")
def test_command_line_tools_on_localhost(client: Apps) -> None:
    said = client.lay("argocd")
    assert "warning" not in said
    assert uris(client.provider("argocd"))[1] == ("strict", "http://localhost:8085/auth/callback")
    assert len(client.mappings(client.provider("argocd"))) == 4  # groups come with profile
    assert client.provider("argocd")["grant_types"] == ["authorization_code", "refresh_token"]
    assert uris(client.provider("kubelogin")) == [
        ("strict", "http://localhost:8000"),
        ("strict", "http://localhost:18000"),
    ]
    client.quiet()


@pytest.mark.case("minio")
def test_a_claim_of_ones_own_as_a_raw_mapping_or_in_the_app(client: Apps) -> None:
    client.lay("minio")
    assert {OPENID, EMAIL, PROFILE, "minio"} == client.mappings(client.provider("minio")).keys()
    app = yaml.safe_load((FILES / "minio.yaml").read_text())["gatehouse:apps"]["minio"]
    policy = "'consoleAdmin' if ak_is_group_member(request.user, name='infra') else 'readonly'"
    claims = {"policy": {"expression": policy, "scope": "minio"}}
    client.lay("minio", apps={"minio": {**app, "claims": claims}}, objects=[])
    mappings = client.mappings(client.provider("minio"))
    assert {OPENID, EMAIL, PROFILE, "minio: minio"} == mappings.keys()
    assert mappings["minio: minio"] == f'claims = {{}}\nclaims["policy"] = ({policy}\n)\nreturn claims'
    client.quiet()


@pytest.mark.case("emailver")
def test_a_verified_address_for_one_app_alone(client: Apps) -> None:
    default = client.get(f"propertymappings/all/?managed={EMAIL}")["results"][0]
    app = yaml.safe_load((FILES / "emailver.yaml").read_text())["gatehouse:apps"]["warpgate"]
    other = {"preset": "grafana", "url": "https://grafana.acme.example", "groups": ["staff"]}
    claims = {"email_verified": True}
    client.lay("emailver", apps={"warpgate": {**app, "claims": claims}, "grafana": other}, objects=[])
    mappings = client.mappings(client.provider("warpgate"))
    assert {OPENID, PROFILE, "warpgate: email"} == mappings.keys()
    assert 'claims["email_verified"] = True' in mappings["warpgate: email"]
    assert 'claims["email"] = request.user.email' in mappings["warpgate: email"]
    assert EMAIL in client.mappings(client.provider("grafana"))
    assert client.get(f"propertymappings/all/?managed={EMAIL}")["results"][0] == default
    client.quiet()
