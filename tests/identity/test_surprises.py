"""What surprises a client of authentik's API, as found on running servers, and what gatehouse makes of it: 27 tests.

The numbers are those of the list that they were found in.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from bench.authentik.testing import Running
from components.identity.dialect import Authentik
from components.identity.kinds import ReleaseLine
from components.identity.plan import Plan
from components.objects import field_values
from components.objects.errors import ObjectError
from components.objects.reconcile import DesiredObject, ObjectState, Reconciler
from components.objects.store import Store
from tests.identity.samples import pair

APP, BINDING = "authentik_core.application", "authentik_policies.policybinding"
FLOW, GROUP, USER = "authentik_flows.flow", "authentik_core.group", "authentik_core.user"
OAUTH2, PROXY = "authentik_providers_oauth2.oauth2provider", "authentik_providers_proxy.proxyprovider"
RADIUS, SAML_SOURCE = "authentik_providers_radius.radiusprovider", "authentik_sources_saml.samlsource"
CERTIFICATE, BRAND = "authentik_crypto.certificatekeypair", "authentik_brands.brand"
AGENT = "authentik_endpoints_connectors_agent.agentconnector"
WEBAUTHN = "authentik_stages_authenticator_webauthn.authenticatorwebauthnstage"
AUTHORIZATION = "default-provider-authorization-implicit-consent"
FLOWS = {"authorization_flow": AUTHORIZATION, "invalidation_flow": "default-provider-invalidation-flow"}
URIS: list[dict[str, str]] = [{"matching_mode": "strict", "url": "https://x.acme.example/cb"}]
LINES = [ReleaseLine(line) for line in ("2025.8", "2026.2", "2026.8")]
NEWEST = LINES[-1]


class Watched(Authentik):
    """An authentik whose writes are listed, with what was sent."""

    def __init__(self, server: Running) -> None:
        super().__init__(server.url, server.token, None, NEWEST)
        self.writes: list[tuple[str, str, Any]] = []

    def request(self, method: str, path: str, *, params: Any = None, body: Any = None) -> Any:
        if method != "GET":
            self.writes.append((method, path, body))
        return super().request(method, path, params=params, body=body)

    def make(self, kind: str, fields: dict[str, Any], *, adopt: bool = False) -> ObjectState:
        """Create or adopt, in a process of its own."""
        return Reconciler(self).create(DesiredObject(kind, "x", fields, adopt))

    def change(self, kind: str, held: ObjectState, fields: dict[str, Any]) -> ObjectState:
        """Update, in a process of its own."""
        return Reconciler(self).update(held, DesiredObject(kind, "x", fields))

    def delete(self, kind: str, held: ObjectState) -> str:
        """Delete or let go, in a process of its own."""
        return Reconciler(self).delete(self.kind(kind), "x", held)

    def steady(self, kind: str, held: ObjectState) -> bool:
        """Whether a look by another process shows what was declared."""
        return Reconciler(self).read(self.kind(kind), held) == held


@pytest.fixture
def authentik(server: Running) -> Watched:
    return Watched(server)


def findings(*specs: tuple[str, str, dict[str, Any]], line: str = "2026.8") -> str:
    """What a plan says against these objects."""
    plan = Plan(line)
    for kind, name, fields in specs:
        plan.add(kind, name, fields)
    return "\n".join(map(str, plan.problems()))


def test_01_what_another_kinds_list_shows_is_not_adopted_as_such(authentik: Watched) -> None:
    proxy = {"name": "dash", "mode": "forward_single", "external_host": "https://dash.acme.example", **FLOWS}
    authentik.make(PROXY, proxy)
    with pytest.raises(ObjectError, match="is a proxy provider, which the server also lists"):
        authentik.make(OAUTH2, {"name": "dash", "redirect_uris": URIS, **FLOWS}, adopt=True)
    assert (
        "authentik_providers_ws_federation.wsfederationprovider"
        in NEWEST.kind("authentik_providers_saml.samlprovider").shadows
    )
    assert "authentik_endpoints.deviceuserbinding" in NEWEST.kind(BINDING).shadows


def test_02_families_share_one_name_space() -> None:
    deny, dummy = "authentik_stages_deny.denystage", "authentik_stages_dummy.dummystage"
    assert "is declared twice" in findings((deny, "same", {}), (dummy, "same", {}))
    assert len({NEWEST.name_space(label) for label in NEWEST.members("@any_provider")}) == 1


def test_03_names_that_are_not_unique_are_no_keys() -> None:
    assert [str(NEWEST.kind(label).key) for label in (APP, FLOW, SAML_SOURCE)] == ["slug"] * 3
    for label in ("authentik_stages_invitation.invitation", "authentik_providers_rac.endpoint"):
        assert NEWEST.allows_duplicates(label)
    flow = {"flow": "default-source-enrollment"}
    invitation = ("authentik_stages_invitation.invitation", "spring", flow)
    assert "is declared twice" in findings(invitation, invitation)


def test_04_what_only_the_api_keeps_unique_we_look_for_ourselves(
    authentik: Watched, admin: httpx.Client
) -> None:
    assert admin.post("/core/brands/", json={"domain": "x.example"}).status_code == 201
    with pytest.raises(ObjectError, match=r"brand 'x\.example' is there already"):
        authentik.make(BRAND, {"domain": "x.example"})
    assert authentik.writes == []
    assert {str(line.kind(GROUP).key) for line in LINES} == {"name"}


def test_05_of_two_bindings_of_one_group_ours_is_meant(authentik: Watched, admin: httpx.Client) -> None:
    authentik.make(APP, {"slug": "app", "name": "App"})
    fields = {"target": f"{APP}:app", "group": "authentik Admins", "order": 0}
    held = authentik.make(BINDING, fields)
    ours = admin.get(f"/policies/bindings/{held.pk}/").json()
    twin = {name: ours[name] for name in ("target", "group", "order")}
    assert admin.post("/policies/bindings/", json=twin).status_code == 201
    authentik.change(BINDING, held, {**fields, "negate": True})
    assert admin.get(f"/policies/bindings/{held.pk}/").json()["negate"] is True
    assert authentik.delete(BINDING, held) == "deleted"
    assert (
        admin.get("/policies/bindings/", params={"target": ours["target"]}).json()["pagination"]["count"] == 1
    )
    assert "is declared twice" in findings(
        (APP, "app", {"name": "App"}), (BINDING, "a", fields), (BINDING, "b", fields)
    )


def test_06_the_key_in_urls_is_another_than_in_references(authentik: Watched) -> None:
    held = authentik.make(APP, {"slug": "app", "name": "App"})
    authentik.change(APP, held, {"slug": "app", "name": "Other"})
    assert authentik.writes[-1][1] == "/core/applications/app/"
    authentik.make(BRAND, {"domain": "x.example", "default_application": "app"})
    assert authentik.writes[-1][2]["default_application"] == held.pk != "app"
    assert NEWEST.kind("authentik_core.token").url == "identifier"
    assert NEWEST.kind("authentik_lifecycle.lifecyclerule").references["reviewers"].by == "uuid"


def test_07_a_binding_is_sent_the_targets_own_pk(authentik: Watched, admin: httpx.Client) -> None:
    held = authentik.make(
        BINDING, {"target": f"{FLOW}:default-user-settings-flow", "group": "authentik Admins", "order": 0}
    )
    flow = admin.get("/flows/instances/default-user-settings-flow/").json()
    assert authentik.writes[-1][2]["target"] == flow["pk"]
    assert authentik.steady(BINDING, held)


def test_08_no_delete_takes_a_bystander_along(authentik: Watched, admin: httpx.Client) -> None:
    certificate, key = pair(0)
    held = authentik.make(CERTIFICATE, {"name": "agents", "certificate_data": certificate, "key_data": key})
    authentik.make(AGENT, {"name": "laptops", "challenge_key": "agents"})
    with pytest.raises(
        ObjectError, match="agent connector 'laptops' still uses certificate key pair 'agents'"
    ):
        authentik.delete(CERTIFICATE, held)
    assert admin.get(f"/crypto/certificatekeypairs/{held.pk}/").status_code == 200
    lost = {
        (label, name, via) for label in NEWEST.declarable() for name, via, _ in NEWEST.kind(label).dependents
    }
    assert (CERTIFICATE, RADIUS, "certificate") in lost
    assert (FLOW, "@any_provider", "authorization_flow") in lost
    assert (FLOW, SAML_SOURCE, "pre_authentication_flow") in lost
    assert any(name == "authentik_stages_source.sourcestage" for _, name, _ in lost)
    assert any(name == "authentik_endpoints.endpointstage" for _, name, _ in lost)
    assert NEWEST.kind(APP).emptied_first == {"backchannel_providers"}


def test_09_a_flow_that_was_cut_can_be_set_again_and_is_not_cut_again(
    authentik: Watched, admin: httpx.Client
) -> None:
    flow = {"slug": "gone", "name": "gone", "title": "gone", "designation": "invalidation"}
    assert admin.post("/flows/instances/", json=flow).status_code == 201
    fields = {"name": "app", "redirect_uris": URIS, "client_secret": "secret-012345", **FLOWS}
    held = authentik.make(OAUTH2, {**fields, "invalidation_flow": "gone"})
    admin.delete("/flows/instances/gone/")
    assert admin.get(f"/providers/oauth2/{held.pk}/").json()["invalidation_flow"] is None
    ours = authentik.make(OAUTH2, fields, adopt=True)
    assert authentik.steady(OAUTH2, ours)
    assert authentik.delete(OAUTH2, ours).startswith("kept")


def test_10_an_app_takes_no_provider_from_another() -> None:
    ldap = ("authentik_providers_ldap.ldapprovider", "ldap", dict(FLOWS))
    a, b = ((APP, name, {"name": name, "backchannel_providers": ["ldap"]}) for name in "ab")
    assert "'ldap' belongs to" in findings(ldap, a, b)
    both = (APP, "b", {"name": "b", "provider": "ldap"})
    assert "'ldap' belongs to" in findings(ldap, a, both)
    assert findings(ldap, a) == ""


def test_11_members_of_a_group_have_one_owner() -> None:
    assert "declared from its other side" in findings((GROUP, "staff", {"users": ["akadmin"]}))
    assert "in a circle" in findings((GROUP, "staff", {"parents": ["staff"]}))


def test_12_order_counts_where_authentik_keeps_it() -> None:
    oauth2, identification = NEWEST.kind(OAUTH2), "authentik_stages_identification.identificationstage"
    assert field_values.is_same(oauth2, "property_mappings", ["a", "b"], ["b", "a"])
    assert not field_values.is_same(oauth2, "redirect_uris", ["a", "b"], ["b", "a"])
    assert not field_values.is_same(
        NEWEST.kind(identification), "user_fields", ["email", "username"], ["username", "email"]
    )
    countries = Authentik("", "", None, NEWEST).normalize(
        NEWEST.kind("authentik_policies_geoip.geoippolicy"), "countries", ["DE", "AT"]
    )
    assert countries == ["AT", "DE"]


def test_13_mappings_that_authentik_adds_by_itself_are_no_difference(authentik: Watched) -> None:
    proxy = {"name": "dash", "mode": "forward_single", "external_host": "https://dash.acme.example", **FLOWS}
    held = authentik.make(PROXY, {**proxy, "property_mappings": []})
    assert authentik.steady(PROXY, held)
    authentik.writes.clear()
    authentik.change(PROXY, held, {**proxy, "property_mappings": []})
    assert authentik.writes == []


def test_14_an_update_carries_what_authentik_wants_repeated(authentik: Watched) -> None:
    proxy = {"name": "dash", "mode": "proxy", "external_host": "https://d.acme.example", **FLOWS}
    proxy["internal_host"] = "http://dash:80"
    held = authentik.make(PROXY, proxy)
    authentik.change(PROXY, held, {**proxy, "skip_path_regex": "^/health"})
    assert {"mode", "internal_host"} <= set(authentik.writes[-1][2])
    adopted = authentik.make(PROXY, {"name": "dash", "skip_path_regex": "^/up"}, adopt=True)
    assert authentik.writes[-1][2]["mode"] == "proxy"
    assert adopted.adopted


def test_15_no_update_needs_a_secret_again(authentik: Watched) -> None:
    assert {line.kind(label).update for line in LINES for label in line.declarable()} == {"PATCH"}
    captcha = "authentik_stages_captcha.captchastage"
    fields = {"name": "captcha", "public_key": "one", "private_key": "captcha-secret-1"}
    held = authentik.make(captcha, fields)
    authentik.make(captcha, {"name": "captcha", "public_key": "two"}, adopt=True)
    assert authentik.writes[-1][2] == {"name": "captcha", "public_key": "two"}
    assert held.fields == fields


def test_16_a_saml_source_needs_its_issuer_up_to_2026_2() -> None:
    source = {"name": "idp", "sso_url": "https://idp.example/sso"}
    source["pre_authentication_flow"] = "default-source-pre-authentication"
    assert "issuer is missing" in findings((SAML_SOURCE, "idp", source), line="2026.2")
    assert findings((SAML_SOURCE, "idp", {**source, "issuer": "acme"}), line="2026.2") == ""
    assert findings((SAML_SOURCE, "idp", source)) == ""


def test_17_a_blank_at_the_end_is_no_drift(authentik: Watched, admin: httpx.Client) -> None:
    kind = "authentik_events.notificationtransport"
    fields = {"name": "mail", "mode": "email"}
    held = authentik.make(kind, {**fields, "email_subject_prefix": "Acme: "})
    assert authentik.steady(kind, held)
    held = authentik.change(kind, held, fields)
    assert admin.get(f"/events/transports/{held.pk}/").json()["email_subject_prefix"].startswith("authentik")
    assert authentik.steady(kind, held)


def test_18_what_a_source_fetches_by_itself_is_left_alone(authentik: Watched, admin: httpx.Client) -> None:
    kind = "authentik_sources_oauth.oauthsource"
    fields = {
        "name": "idp",
        "slug": "idp",
        "provider_type": "github",
        "consumer_key": "k",
        "consumer_secret": "s-01",
    }
    held = authentik.make(kind, fields)
    admin.patch("/sources/oauth/idp/", json={"oidc_jwks": {"keys": []}, "provider_type": "github"})
    assert authentik.steady(kind, held)
    authentik.writes.clear()
    authentik.change(kind, held, fields)
    assert authentik.writes == []


def test_19_a_date_that_authentik_sets_itself_is_no_drift(authentik: Watched) -> None:
    fields = {"identifier": "robot", "user": "akadmin", "intent": "api", "expiring": True}
    held = authentik.make("authentik_core.token", fields)
    assert authentik.steady("authentik_core.token", held)


def test_20_what_authentik_makes_by_itself_is_not_touched(authentik: Watched, admin: httpx.Client) -> None:
    kind = "authentik_outposts.outpost"
    proxy = {"name": "dash", "mode": "forward_single", "external_host": "https://dash.acme.example", **FLOWS}
    authentik.make(PROXY, proxy)
    held = authentik.make(kind, {"name": "edge", "type": "proxy", "providers": ["dash"], "config": {}})
    before = {each["username"] for each in admin.get("/core/users/").json()["results"]}
    other = authentik.make(USER, {"username": "jane", "name": "Jane"})
    assert authentik.delete(USER, other) == "deleted"
    assert {each["username"] for each in admin.get("/core/users/").json()["results"]} == before
    assert authentik.delete(kind, held) == "deleted"


def test_21_upper_and_lower_case_are_two_names(authentik: Watched, admin: httpx.Client) -> None:
    admin.post("/core/groups/", json={"name": "grp1"})
    held = authentik.make(GROUP, {"name": "GRP1"})
    names = {each["name"] for each in admin.get("/core/groups/").json()["results"]}
    assert {"grp1", "GRP1"} <= names
    authentik.delete(GROUP, held)
    assert admin.get("/core/groups/", params={"name": "grp1"}).json()["pagination"]["count"] == 1


def test_22_lists_are_asked_for_in_full() -> None:
    for label in (APP, "authentik_providers_rac.endpoint"):
        assert {str(line.list_params(label)) for line in LINES} == {"{'superuser_full_list': 'true'}"}


def test_23_labels_and_code_are_no_references() -> None:
    assert "group" not in NEWEST.kind(APP).references
    assert NEWEST.fields(APP)["group"]["type"] == "string"
    for label in NEWEST.declarable():
        assert "expression" not in NEWEST.kind(label).references


def test_24_a_pk_is_never_declared() -> None:
    for line in LINES:
        for label in line.declarable():
            assert line.kind(label).pk not in line.fields(label)
    assert "there is no such field" in findings((AGENT, "a", {"connector_uuid": "0"}))


def test_25_reverse_relations_that_can_be_written_are_never_sent() -> None:
    for label in LINES[0].declarable():
        assert not {"flow_set", "promptstage_set"} & LINES[0].fields(label).keys()


def test_26_fields_change_between_lines() -> None:
    saml = "authentik_providers_saml.samlprovider"
    old, new = LINES[1], LINES[2]
    assert ("issuer" in old.fields(saml), "issuer" in new.fields(saml)) == (True, False)
    assert ("issuer_override" in old.fields(saml), "issuer_override" in new.fields(saml)) == (False, True)
    assert "exists up to 2026.2" in findings(
        (saml, "x", {"issuer": "x", "acs_url": "https://x.example", **FLOWS})
    )
    more = new.fields(BRAND).keys() - old.fields(BRAND).keys()
    assert len([name for name in more if name.startswith("flow_")]) == 3
    assert "password" in new.kind("authentik_stages_email.emailstage").write_only


def test_27_permissions_have_names(authentik: Watched) -> None:
    reference = NEWEST.kind("authentik_rbac.initialpermissions").references["permissions"]
    name = "authentik_core/application/view_application"
    number = Store(authentik).resolve(reference, name)
    assert isinstance(number, int)
    assert Store(authentik).name_for(reference, number) == name
    assert "device_type_restrictions" not in NEWEST.kind(WEBAUTHN).references


def test_what_binds_something_else_to_what_is_deleted_is_not_lost_with_it(
    authentik: Watched, admin: httpx.Client
) -> None:
    """An app whose only binding vanishes is open to everybody."""
    authentik.make(APP, {"slug": "app", "name": "App"})
    held = authentik.make(GROUP, {"name": "staff"})
    target = admin.get("/core/applications/app/").json()["pk"]
    by_hand = {"target": target, "group": held.pk, "order": 0}
    binding = admin.post("/policies/bindings/", json=by_hand).json()
    with pytest.raises(
        ObjectError, match=r"policy binding .*app.*staff.* still uses group 'staff' \(group\)"
    ):
        authentik.delete(GROUP, held)
    assert admin.get(f"/policies/bindings/{binding['pk']}/").status_code == 200
    admin.delete(f"/policies/bindings/{binding['pk']}/")
    assert authentik.delete(GROUP, held) == "deleted"


def test_json_of_the_programs_own_is_kept_letter_by_letter(authentik: Watched, admin: httpx.Client) -> None:
    fields = {"name": "staff", "attributes": {" padded ": " text\n", "list": [" a "]}}
    held = authentik.make(GROUP, fields)
    assert admin.get(f"/core/groups/{held.pk}/").json()["attributes"] == fields["attributes"]
    assert authentik.steady(GROUP, held)
    admin.patch(f"/core/groups/{held.pk}/", json={"attributes": {" padded ": "text", "list": [" a "]}})
    assert not authentik.steady(GROUP, held)


def test_json_of_an_adopted_object_comes_back_letter_by_letter(
    authentik: Watched, admin: httpx.Client
) -> None:
    theirs = {" padded ": " text\n", "nothing": None, "deep": [{"n": None}]}
    made = admin.post("/core/groups/", json={"name": "staff", "attributes": theirs}).json()
    held = authentik.make(GROUP, {"name": "staff", "attributes": {"ours": 1}}, adopt=True)
    assert authentik.delete(GROUP, held).startswith("kept")
    assert admin.get(f"/core/groups/{made['pk']}/").json()["attributes"] == theirs


def test_what_went_with_something_else_is_no_bystander(authentik: Watched, admin: httpx.Client) -> None:
    app, group = authentik.make(APP, {"slug": "app", "name": "App"}), authentik.make(GROUP, {"name": "staff"})
    target = admin.get("/core/applications/app/").json()["pk"]
    by_hand = {"target": target, "group": group.pk, "order": 0}
    admin.post("/policies/bindings/", json=by_hand).raise_for_status()
    run = Reconciler(authentik)
    run.store.all(authentik.kind(BINDING))
    assert run.delete(authentik.kind(APP), "app", app) == "deleted"  # and the binding with it
    assert run.delete(authentik.kind(GROUP), "staff", group) == "deleted"
