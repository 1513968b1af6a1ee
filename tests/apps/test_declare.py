from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from components import release_lines
from components.apps import declare, outputs
from components.identity.plan import Plan
from components.settings import Settings, parse
from components.settings.protocols import PROTOCOLS
from tests.cases.test_apps import EVERYTHING
from tests.settings.files import decrypted, good, laid_over

OAUTH2, PROXY = PROTOCOLS["oidc"].provider, PROTOCOLS["proxy"].provider


WIFI = {
    "protocol": "radius", "url": "https://wifi.acme.example",
    "clients": ["192.0.2.0/28", "198.51.100.7/32"], "mfa": False,
}  # fmt: skip


class Recorded(Plan):
    """A plan that also keeps what was added."""

    def __init__(self, line: str) -> None:
        super().__init__(line)
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.adopted: set[tuple[str, str]] = set()

    def add(self, kind: str, name: str, fields: Any, *, adopt: bool = False, **more: Any) -> None:
        super().add(kind, name, fields, adopt=adopt, **more)
        self.objects[kind, name] = {**fields, **more}
        if adopt:
            self.adopted.add((kind, name))


def settings(**changes: Any) -> Settings:
    return parse(decrypted(laid_over(good(), changes)))


def planned(found: Settings) -> Recorded:
    plan = Recorded(found.authentik.line)
    declare(plan, found, found.derived())
    return plan


@pytest.mark.parametrize("line", release_lines.known_lines())
def test_every_line_takes_what_is_declared(line: str) -> None:
    plan = planned(settings(authentik={"version": f"{line}.0"}))
    assert plan.problems() == []


@pytest.mark.parametrize("line", release_lines.known_lines())
def test_every_line_takes_apps_of_every_protocol_with_all_that_they_may_say(line: str) -> None:
    elsewhere = {"version": f"{line}.0", "url": "https://sso.acme.example", "token": "t" * 40}
    nowhere = dict.fromkeys(("server", "operators", "secrets", "network", "redis", "email"))
    login = {
        "mfa": {"requiredFor": ["staff"]}, "recovery": True,
        "invitations": {"spring": {"group": "staff", "expires": "2099-01-01T00:00:00+00:00"}},
    }  # fmt: skip
    apps = {
        **EVERYTHING,
        "slack": {**EVERYTHING["slack"], "scim": {"url": "https://s.example/v2", "token": "t" * 20}},
        "wifi": {**EVERYTHING["ldap"], **WIFI},
    }
    found = settings(**nowhere, box="none", authentik=elsewhere, apps=apps, login=login)
    plan = planned(found)
    assert plan.problems() == []
    saml = plan.objects[PROTOCOLS["saml"].provider, "nassaml"]
    assert ("issuer_override" if line in {"2026.5", "2026.8"} else "issuer") in saml
    logout = "backchannel_logout_uri" if line == "2025.8" else "logout_uri"
    assert plan.objects[OAUTH2, "outline"][logout] == "https://wiki.acme.example/logout"


@pytest.mark.parametrize("line", ["2025.8", "2025.12"])
def test_an_ldap_app_has_an_account_that_may_use_it_and_search_it(line: str) -> None:
    nas = {"protocol": "ldap", "url": "https://nas.acme.example", "groups": ["staff"]}
    login = {"mfa": "required"}
    found = settings(
        authentik={"version": f"{line}.0"}, apps={"nas": {**nas, "id": "storage"}, "wifi": {**nas, **WIFI}}, login=login
    )  # fmt: skip
    plan = planned(found)
    account = plan.objects["authentik_core.user", "ldap-nas"]
    assert account["password"].get_secret_value() == found.derived().value("app/storage/bind-password")
    assert (account.get("roles"), account["groups"]) == (
        (None, ["ldap-nas"]) if line == "2025.8" else (["ldap-nas"], [])
    )
    assert (("authentik_core.group", "ldap-nas") in plan.objects) is (line == "2025.8")
    assert plan.objects["authentik_policies.policybinding", "nas: ldap-nas"]["user"] == "ldap-nas"
    examined = plan.resolve()
    search = next(each for each in examined.graph.specs.values() if each.kind == "gatehouse.ldap_search")
    assert (search.logical, search.fields) == ("storage", {"provider": "nas", "role": "ldap-nas"})
    # Whoever must have a second factor: everybody but this account.
    spared = plan.objects["authentik_policies_expression.expressionpolicy", "gatehouse-mfa-spared"]
    assert spared["expression"] == "return request.user.username in ['ldap-nas']"
    served = {
        name: each["providers"] for (kind, name), each in plan.objects.items() if kind.endswith(".outpost")
    }
    assert served == {"gatehouse LDAP": ["nas"], "gatehouse RADIUS": ["wifi"]}
    wifi = plan.objects[PROTOCOLS["radius"].provider, "wifi"]
    assert (wifi["client_networks"], wifi["mfa_support"]) == ("192.0.2.0/28, 198.51.100.7/32", False)


def test_a_preset_becomes_provider_application_and_binding() -> None:
    found = settings()
    plan = planned(found)
    provider = plan.objects[OAUTH2, "grafana"]
    assert provider["redirect_uris"] == [
        {
            "matching_mode": "strict",
            "url": "https://grafana.acme.example/login/generic_oauth",
            "redirect_uri_type": "authorization",
        },
        {
            "matching_mode": "strict",
            "url": "https://grafana.acme.example/login",
            "redirect_uri_type": "logout",
        },
    ]
    assert provider["client_id"] == found.derived().value("app/grafana/client-id")
    assert provider["signing_key"] == "authentik Self-signed Certificate"
    assert provider["property_mappings"][0] == "goauthentik.io/providers/oauth2/scope-openid"
    assert len(provider["property_mappings"]) == 3
    assert provider["grant_types"] == ["authorization_code"]
    assert plan.objects["authentik_core.application", "grafana"]["name"] == "Grafana"
    assert plan.objects["authentik_core.application", "grafana"]["provider"] == "grafana"
    binding = plan.objects["authentik_policies.policybinding", "grafana: engineering"]
    assert (binding["target"], binding["group"]) == ("grafana", "engineering")


def test_where_people_go_after_a_logout() -> None:
    app = {
        "preset": "grafana", "url": "https://grafana.acme.example", "everyone": True,
        "postLogoutUris": ["https://grafana.acme.example/goodbye"],
    }  # fmt: skip
    provider = planned(settings(apps={"grafana": app})).objects[OAUTH2, "grafana"]
    assert [(each["redirect_uri_type"], each["url"]) for each in provider["redirect_uris"]] == [
        ("authorization", "https://grafana.acme.example/login/generic_oauth"),
        ("logout", "https://grafana.acme.example/goodbye"),
    ]


def test_an_older_line_gets_no_field_that_it_does_not_have() -> None:
    provider = planned(settings(authentik={"version": "2026.2.2"})).objects[OAUTH2, "grafana"]
    assert "grant_types" not in provider
    assert provider["redirect_uris"] == [
        {"matching_mode": "strict", "url": "https://grafana.acme.example/login/generic_oauth"}
    ]


def test_an_app_that_stays_logged_in_may_refresh() -> None:
    app = {
        "everyone": True,
        "preset": "grafana",
        "url": "https://grafana.acme.example",
        "scopes": ["openid", "offline_access"],
    }
    provider = planned(settings(apps={"grafana": app})).objects[OAUTH2, "grafana"]
    assert provider["grant_types"] == ["authorization_code", "refresh_token"]
    assert provider["property_mappings"] == [
        "goauthentik.io/providers/oauth2/scope-openid",
        "goauthentik.io/providers/oauth2/scope-offline_access",
    ]


def test_secrets_are_closed_from_the_first() -> None:
    plan = planned(settings())
    assert isinstance(plan.objects[OAUTH2, "grafana"]["client_secret"], SecretStr)
    assert isinstance(plan.objects["authentik_core.user", "jane"]["password"], SecretStr)


def test_a_public_app_has_no_secret() -> None:
    app = {"everyone": True,
        "protocol": "oidc", "url": "https://spa.acme.example", "clientType": "public",
        "redirectUris": ["https://spa.acme.example/cb"],
    }  # fmt: skip
    found = settings(apps={"spa": app})
    assert planned(found).objects[OAUTH2, "spa"]["client_secret"] is None
    assert outputs(found, found.derived())["clientSecrets"] == {}


def test_a_renamed_app_keeps_its_place_in_the_state_and_its_client() -> None:
    old, raw = (
        settings(),
        {"everyone": True, "preset": "grafana", "url": "https://grafana.acme.example", "id": "grafana"},
    )
    root = old.root_secret.get_secret_value()
    before = planned(old).objects[OAUTH2, "grafana"]
    after = planned(settings(rootSecret=root, apps={"metrics": raw})).objects[OAUTH2, "metrics"]
    assert after["logical_name"] == before["logical_name"] == "grafana"
    assert after["client_id"] == before["client_id"]


def test_apps_behind_the_proxy_share_the_embedded_outpost() -> None:
    apps = {
        name: {
            "everyone": True,
            "protocol": "proxy",
            "url": f"https://{name}.acme.example",
            "upstream": f"http://{name}:8080",
        }
        for name in ("one", "two")
    }
    plan = planned(settings(apps=apps))
    assert plan.objects[PROXY, "one"]["internal_host"] == "http://one:8080"
    outpost = ("authentik_outposts.outpost", "authentik Embedded Outpost")
    assert plan.objects[outpost]["providers"] == ["one", "two"]
    assert plan.objects[outpost]["config"] == {"authentik_host": "https://auth.acme.example"}
    assert outpost in plan.adopted
    assert plan.problems() == []
    assert all(kind != outpost[0] for kind, _ in planned(settings(apps=None)).objects)


def test_people_and_groups() -> None:
    plan = planned(settings())
    admins = plan.objects["authentik_core.group", "admins"]
    assert (admins["is_superuser"], admins["origin"]) == (True, "gatehouse:groups[2]")
    jane = plan.objects["authentik_core.user", "jane"]
    assert (jane["name"], jane["email"], jane["groups"]) == (
        "Jane Doe",
        "jane@acme.example",
        ["staff", "engineering"],
    )
    assert plan.objects["authentik_core.user", "max"]["is_active"] is False


def test_somebody_who_is_taken_over_keeps_their_password_unless_it_is_given() -> None:
    jane = {"username": "jane", "name": "Jane Doe", "email": "jane@acme.example", "adopt": True}
    assert planned(settings(people=[jane])).objects["authentik_core.user", "jane"]["password"] is None
    given = {"overrides": {"person/jane/password": {"secure": "correct horse battery"}}}
    plan = planned(settings(people=[jane], secrets=given))
    assert plan.objects["authentik_core.user", "jane"]["password"] is not None


def test_outputs_have_what_an_app_is_told() -> None:
    found = settings()
    told = outputs(found, found.derived())
    assert told["apps"]["grafana"] == {
        "url": "https://grafana.acme.example",
        "issuer": "https://auth.acme.example/application/o/grafana/",
        "clientId": found.derived().value("app/grafana/client-id"),
        "discoveryUrl": "https://auth.acme.example/application/o/grafana/.well-known/openid-configuration",
    }
    assert told["apps"]["dashboard"] == {"url": "https://dash.acme.example"}
    assert sorted(told["clientSecrets"]) == ["files", "grafana", "wiki"]
    assert sorted(told["firstPasswords"]) == ["jane", "max"]
    every = [*told["clientSecrets"].values(), *told["firstPasswords"].values()]
    assert all(isinstance(value, SecretStr) for value in every)


def test_what_is_renamed_keeps_its_place_in_the_state_and_its_first_password() -> None:
    app = {"preset": "grafana", "url": "https://grafana.acme.example", "groups": ["crew"]}
    person = {
        "username": "joan",
        "id": "jane",
        "name": "Joan",
        "email": "joan@acme.example",
        "groups": ["crew"],
    }
    raw = {"kind": "authentik_brands.brand", "name": "new.example", "id": "old.example"}
    found = settings(
        groups=[{"name": "crew", "id": "staff"}], people=[person], apps={"grafana": app}, objects=[raw]
    )
    plan = planned(found)
    logical = {
        key: fields["logical_name"] for key, fields in plan.objects.items() if "logical_name" in fields
    }
    assert logical["authentik_core.group", "crew"] == "staff"
    assert logical["authentik_core.user", "joan"] == "jane"
    assert logical["authentik_policies.policybinding", "grafana: crew"] == "grafana/staff"
    assert logical["authentik_brands.brand", "new.example"] == "old.example"
    told = outputs(found, found.derived())["firstPasswords"]
    assert list(told) == ["joan"]
    assert found.derived().value("person/jane/password")


@pytest.mark.parametrize("fields", [{"providers": 5}, {"providers": {"a": 1}}, {"config": ["x"]}])
def test_nonsense_about_the_embedded_outpost_is_a_finding(fields: dict[str, Any]) -> None:
    raw = {"kind": "authentik_outposts.outpost", "name": "authentik Embedded Outpost", "fields": fields}
    (finding,) = planned(settings(objects=[raw])).problems()
    assert next(iter(fields)) in str(finding)


def test_a_raw_object_may_say_more_of_what_the_login_adopts() -> None:
    kind, name = (
        "authentik_stages_identification.identificationstage",
        "default-authentication-identification",
    )
    raw = {"kind": kind, "name": name, "adopt": True, "fields": {"show_matched_user": False}}
    plan = planned(settings(login={"recovery": True}, objects=[raw]))
    assert plan.objects[kind, name]["recovery_flow"] == "gatehouse-recovery"
    assert plan.objects[kind, name]["show_matched_user"] is False
    assert plan.problems() == []


def test_a_raw_object_does_not_undo_what_the_login_says() -> None:
    raw = {
        "kind": "authentik_brands.brand", "name": "authentik-default", "adopt": True,
        "fields": {"flow_recovery": "default-password-change"},
    }  # fmt: skip
    (finding,) = planned(settings(login={"recovery": True}, objects=[raw])).problems()
    assert (
        "is declared twice (the other: authentik_brands.brand 'authentik-default' (gatehouse:login.recovery))"
        in str(finding)
    )


def test_claims_are_what_they_say() -> None:
    app = {"preset": "grafana", "url": "https://grafana.acme.example", "everyone": True}
    claims = {"who": {"attribute": "wer 'da'"}, "first": {"expression": "request.user.name.split()[0]"}}
    plan = planned(settings(apps={"grafana": {**app, "claims": {**claims, "smile": ["😀", 1, True]}}}))
    expression = plan.objects["authentik_providers_oauth2.scopemapping", "grafana: profile"]["expression"]
    user = SimpleNamespace(name="Jane Doe", group_attributes=lambda _: {"wer 'da'": "ja"})
    names: dict[str, Any] = {"request": SimpleNamespace(user=user)}
    exec("def handler():\n" + "".join(f"    {line}\n" for line in expression.split("\n")), names)
    assert names["handler"]() == {"first": "Jane", "who": "ja", "smile": ["😀", 1, True]}
