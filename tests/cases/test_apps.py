"""Apps as people want them, brought up on authentik."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from bench.plain import PlainWorld
from components.problems import Problems
from components.settings import parse
from operations.login import log_in
from operations.oidc import Client
from tests.operations.client import BenchClient
from tests.settings.files import good, laid_over

pytestmark = pytest.mark.engine

FILES = Path(__file__).resolve().parent / "files"
NOWHERE = {
    "server": None, "box": "none", "operators": None, "secrets": None, "network": None, "redis": None, "email": None,
    "authentik": {"version": "2026.8.3", "url": "https://auth.acme.example", "token": {"secure": "t"}},
    "people": None, "objects": None,
}  # fmt: skip
OPENID, EMAIL, PROFILE = (
    f"goauthentik.io/providers/oauth2/scope-{name}" for name in ("openid", "email", "profile")
)


class Apps(BenchClient):
    """A client whose apps are tried one file after the other."""

    def lay(self, case: str, **more: Any) -> str:
        """Bring up a case's file with more laid over its apps; what was said."""
        document = yaml.safe_load((FILES / f"{case}.yaml").read_text())
        given = {name.removeprefix("gatehouse:"): value for name, value in document.items()}
        jane = {
            "username": "jane",
            "name": "Jane Doe",
            "email": "jane@acme.example",
            "groups": given["groups"],
        }
        self.edit(**{"people": [jane], "objects": [], "apps": {}, **given, **more})
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

    def claims(self, app: str) -> Mapping[str, Any]:
        """What an app that jane logs in to is told about her."""
        told = self.told()[app]
        provider = self.provider(app)
        scopes = self.get("propertymappings/provider/scope/?page_size=100")["results"]
        relying = Client(
            issuer=told["issuer"],
            client_id=told["clientId"],
            client_secret=self.told("clientSecrets")[app],
            redirect_uri=provider["redirect_uris"][0]["url"],
            scopes=" ".join(
                each["scope_name"] for each in scopes if each["pk"] in provider["property_mappings"]
            ),
        )
        result = log_in(relying, "jane", self.secrets.value("person/jane/password"))
        assert result.accepted, result.why
        return result.claims

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
    assert client.claims("minio")["policy"] == "consoleAdmin"
    app = yaml.safe_load((FILES / "minio.yaml").read_text())["gatehouse:apps"]["minio"]
    policy = "'consoleAdmin' if ak_is_group_member(request.user, name='infra') else 'readonly'"
    claims = {"policy": {"expression": policy, "scope": "minio"}}
    client.lay("minio", apps={"minio": {**app, "claims": claims}}, objects=[])
    mappings = client.mappings(client.provider("minio"))
    assert {OPENID, EMAIL, PROFILE, "minio: minio"} == mappings.keys()
    assert client.claims("minio")["policy"] == "consoleAdmin"
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
    assert (client.claims("warpgate")["email"], client.claims("warpgate")["email_verified"]) == (
        "jane@acme.example",
        True,
    )
    assert client.claims("grafana")["email_verified"] is False
    assert client.get(f"propertymappings/all/?managed={EMAIL}")["results"][0] == default
    client.quiet()


def refused(case: str, **apps: Any) -> list[str]:
    """The problems of a case's file, as they are told."""
    document = yaml.safe_load((FILES / f"{case}.yaml").read_text())
    given = {
        **laid_over(good(), NOWHERE),
        **{key.removeprefix("gatehouse:"): each for key, each in document.items()},
    }
    if apps:
        given["apps"] = {key: {**given["apps"][key], **more} for key, more in apps.items()}
    with pytest.raises(Problems) as caught:
        parse(given, sealed=True)
    return [str(problem) for problem in caught.value.problems]


def test_a_raw_object_that_is_an_apps_own_is_refused_with_where_to_say_it() -> None:
    provider, application = refused("overlay")
    assert "it is the provider of the app immich" in provider
    assert "redirectUris or postLogoutUris of gatehouse:apps.immich" in provider
    assert "group of gatehouse:apps.immich" in application


def test_what_the_files_say_otherwise_is_told_by_name() -> None:
    assert any("acsUrl: a saml app needs it" in each for each in refused("proxies"))
    said = refused("opts")
    assert any("clientSecret: this secret is in clear" in each for each in said)
    assert any("adminGroups: whom an app makes an administrator is set in the app" in each for each in said)


EVERYTHING: dict[str, Any] = {
    "outline": {
        "protocol": "oidc", "url": "https://wiki.acme.example", "groups": ["staff"],
        "redirectUris": ["https://wiki.acme.example/auth/oidc.callback", {"regex": r"https://wiki\.acme\.example/.*"}],
        "subMode": "user_email", "accessTokenValidity": "hours=4", "logoutUri": "https://wiki.acme.example/logout",
        "description": "The wiki", "group": "Office", "openInNewTab": True, "signingKey": "none",
        "authorizationFlow": "default-provider-authorization-explicit-consent", "clientId": "outline",
        "scopes": ["openid", "email", "profile", "groups"], "policies": ["office-hours"], "users": ["jane"],
        "fields": {"provider": {"issuer_mode": "global"}, "application": {"meta_publisher": "Acme"}},
    },
    "photos": {
        "protocol": "oidc", "url": "https://photos.acme.example", "groups": ["staff"], "group": "Media",
        "redirectUris": ["app.immich:///oauth-callback"],
    },
    "sonarr": {
        "protocol": "proxy", "url": "https://sonarr.acme.example", "upstream": "http://sonarr:8989",
        "skipPathRegex": ["^/api", "^/feed"], "groups": ["staff"],
    },
    "radarr": {
        "protocol": "proxy", "mode": "forward_single", "url": "https://radarr.acme.example", "groups": ["staff"],
    },
    "movies": {
        "protocol": "proxy", "mode": "forward_domain", "url": "https://login.acme.example",
        "cookieDomain": "acme.example", "groups": ["staff"],
    },
    "tautulli": {
        "protocol": "proxy", "url": "https://tautulli.acme.example", "upstream": "https://tautulli:8181",
        "basicAuth": True, "verifyUpstream": False, "groups": ["staff"],
    },
    "nassaml": {
        "protocol": "saml", "url": "https://gitlab.acme.example", "groups": ["staff"],
        "acsUrl": "https://gitlab.acme.example/users/auth/saml/callback", "audience": "https://gitlab.acme.example",
        "nameId": "email", "attributes": ["email", "name", "groups"],
    },
    "ldap": {"protocol": "ldap", "url": "https://nas.acme.example", "groups": ["staff"]},
    "slack": {
        "protocol": "oidc", "url": "https://acme.slack.example", "redirectUris": ["https://acme.slack.example/sso/cb"],
        "groups": ["staff"],
    },
}  # fmt: skip


@pytest.mark.case("opts", "overlay", "proxies", "saml", "scim")
def test_all_that_has_a_setting(client: Apps) -> None:
    """Every protocol at once: what authentik holds, what the apps are told, and that nothing is left to do."""
    jane = {"username": "jane", "name": "Jane Doe", "email": "jane@acme.example"}
    hours: dict[str, Any] = {"kind": "authentik_policies_expression.expressionpolicy", "name": "office-hours"}
    hours["fields"] = {"expression": "return True"}
    client.edit(groups=["staff"], people=[jane], objects=[hours], apps=EVERYTHING)
    secrets = {
        "apps.outline.clientSecret": "outline-secret-0123456789",
        "apps.slack.scim.token": "slack-token-0123456789",
    }
    client.edit(
        apps={
            **EVERYTHING,
            "slack": {**EVERYTHING["slack"], "scim": {"url": "https://api.slack.example/scim/v2"}},
        }
    )
    for path, value in secrets.items():
        client.pulumi("config", "set", "--secret", "--path", f"gatehouse:{path}", value)
    said = client.up()
    state = json.dumps(client.project.state("acme"))
    assert not [value for value in secrets.values() if value in state + said]
    client.quiet()

    outline, application = client.provider("outline"), client.one("application", "outline")
    assert (outline["client_id"], outline["client_secret"]) == (
        "outline",
        secrets["apps.outline.clientSecret"],
    )
    assert outline["sub_mode"] == "user_email"
    assert outline["access_token_validity"] == "hours=4"
    assert outline["signing_key"] is None
    assert outline["issuer_mode"] == "global"
    assert (outline["logout_uri"], outline["logout_method"]) == (
        "https://wiki.acme.example/logout",
        "backchannel",
    )
    flow = client.get("flows/instances/default-provider-authorization-explicit-consent/")
    assert outline["authorization_flow"] == flow["pk"]
    assert ("regex", r"https://wiki\.acme\.example/.*") in uris(outline)
    shown = ("group", "meta_description", "open_in_new_tab", "meta_publisher")
    assert [application[name] for name in shown] == ["Office", "The wiki", True, "Acme"]
    assert client.one("application", "photos")["group"] == "Media"

    sonarr, radarr, movies, tautulli = (
        client.provider(name, "proxy") for name in ("sonarr", "radarr", "movies", "tautulli")
    )
    assert sonarr["skip_path_regex"] == "^/api\n^/feed"
    assert (radarr["mode"], movies["mode"], movies["cookie_domain"]) == (
        "forward_single", "forward_domain", "acme.example",
    )  # fmt: skip
    assert tautulli["basic_auth_enabled"] is True
    assert tautulli["basic_auth_user_attribute"] == "tautulli_username"
    assert tautulli["internal_host_ssl_validation"] is False

    told = client.told()
    nassaml = client.provider("nassaml", "saml")
    assert nassaml["issuer_override"] == told["nassaml"]["issuer"] == told["nassaml"]["metadataUrl"]
    assert told["nassaml"]["metadataUrl"] == f"{client.world.issuer}/application/saml/nassaml/metadata/"
    assert (nassaml["sp_binding"], nassaml["sign_assertion"], nassaml["sign_response"]) == (
        "post",
        True,
        False,
    )
    managed = {f"goauthentik.io/providers/saml/{name}" for name in ("email", "name", "groups")}
    assert client.mappings(nassaml).keys() == managed
    assert told["radarr"]["outpostUrl"] == f"{client.world.issuer}/outpost.goauthentik.io"

    ldap = client.provider("ldap", "ldap")
    assert ldap["base_dn"] == told["ldap"]["baseDn"] == "dc=ldap,dc=acme,dc=example"
    (outpost,) = [each for each in client.get("outposts/instances/")["results"] if each["type"] == "ldap"]
    assert outpost["providers"] == [ldap["pk"]]
    assert "to be run by you" in told["ldap"]["outpost"]

    scim = client.provider("slack: scim", "scim")
    assert client.one("application", "slack")["backchannel_providers"] == [scim["pk"]]
    assert "slack-token" not in json.dumps(client.told())


def test_taking_them_out_again_puts_authentiks_defaults_back(client: Apps) -> None:
    plain = {name: EVERYTHING["outline"][name] for name in ("protocol", "url", "groups", "redirectUris")}
    client.edit(apps={"outline": {**plain, "clientId": "outline"}})
    client.up()
    outline, application = client.provider("outline"), client.one("application", "outline")
    assert (outline["sub_mode"], outline["access_token_validity"]) == ("hashed_user_id", "hours=1")
    assert (outline["logout_uri"], outline["issuer_mode"]) == ("", "per_provider")
    assert outline["signing_key"]
    assert (application["group"], application["open_in_new_tab"]) == ("", False)
    client.quiet()
