"""The generated classes: made from the catalogs, one a kind, each a thin form of the generic resource."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
from itertools import pairwise
from typing import Any

import pulumi
import pytest

from components.identity import catalog
from components.identity.generated import core, policies, providers
from components.identity.generated.flows import Flow
from components.identity.kinds import ReleaseLine
from components.identity.typed import TypedObject
from components.problems import Problems
from tests.identity.test_plan import Recorder
from tools import typed_classes


def test_no_module_is_left_over() -> None:
    assert {path.name for path in typed_classes.FOLDER.glob("*.py")} == set(typed_classes.modules())


def classes() -> dict[str, type[TypedObject]]:
    found = {}
    for name in typed_classes.modules():
        module = importlib.import_module(f"components.identity.generated.{name.removesuffix('.py')}")
        for _, each in inspect.getmembers(module, inspect.isclass):
            if issubclass(each, TypedObject) and each is not TypedObject:
                found[each.kind] = each
    return found


def test_every_declarable_kind_has_a_class_with_its_token() -> None:
    found = classes()
    assert set(found) == {label for line in catalog.lines() for label in ReleaseLine(line).declarable()}
    for label, each in found.items():
        assert each._resource_type_name == f"dynamic/{label.replace('.', ':')}"


def test_every_field_of_every_line_is_there() -> None:
    for label, each in classes().items():
        module = importlib.import_module(each.__module__)
        fields = getattr(module, f"{each.__name__}Fields").__annotations__
        having = [line for line in map(ReleaseLine, catalog.lines()) if label in line.labels()]
        assert set(fields) == {name for line in having for name in line.fields(label)}, label


def said_of(name: str) -> dict[str, str]:
    """What editors show of the fields: "Class.field" -> the text below it."""
    tree = ast.parse((typed_classes.FOLDER / f"{name}.py").read_text())
    said = {}
    for each in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        for field, below in pairwise(each.body):
            match field, below:
                case ast.AnnAssign(target=ast.Name(id=called)), ast.Expr(value=ast.Constant(value=str(text))):
                    said[f"{each.name}.{called}"] = text
    return said


def test_fields_say_what_the_type_does_not() -> None:
    people, apps, rules = said_of("core"), said_of("providers"), said_of("policies")
    assert people["UserFields.groups"] == "Names: authentik_core.group."
    assert people["UserFields.password"] == "Secret."
    assert people["GroupFields.parent"] == "In 2025.8, 2025.10; names: authentik_core.group."
    assert people["ApplicationFields.slug"] == "Text of letters from a to z, digits, - and _."
    assert people["ApplicationFields.provider"].endswith("microsoftentraprovider and others.")
    assert people["TokenFields.expires"] == "Date and time with its zone."
    validity = apps["OAuth2ProviderFields.access_code_validity"]
    assert validity == 'Duration (`hours=1;minutes=30`); default "minutes=1".'
    assert json.loads(rules["PasswordPolicyFields.symbol_charset"].removeprefix("Default ").removesuffix("."))


def test_texts_are_a_line_each_and_nothing_is_said_in_comments() -> None:
    for name, text in typed_classes.modules().items():
        assert all(line.startswith("# ") for line in text.splitlines() if " # " in f" {line}"), name
        assert not any("\n" in said for said in said_of(name.removesuffix(".py")).values())


def test_objects_refer_to_each_other() -> None:
    recorder = Recorder()
    pulumi.runtime.set_mocks(recorder, project="gatehouse", stack="acme", preview=True)

    @pulumi.runtime.test
    def program() -> None:
        opts = pulumi.ResourceOptions(provider=pulumi.ProviderResource("pulumi-python", "authentik", {}))
        flow = Flow(
            "consent", slug="acme-consent", name="C", title="C", designation="authorization", opts=opts
        )
        provider = providers.OAuth2Provider(
            "grafana",
            name="grafana",
            authorization_flow=flow,
            invalidation_flow="default-provider-invalidation-flow",
            redirect_uris=[{"matching_mode": "strict", "url": "https://grafana.acme.example"}],
            client_secret="derived-secret",
            opts=opts,
        )
        application = core.Application(
            "grafana", slug="grafana", name="Grafana", provider=provider, opts=opts
        )
        staff = core.Group("staff", name="staff", opts=opts)
        core.User("jane", username="jane", name="Jane", groups=[staff, "authentik Admins"], opts=opts)
        policies.PolicyBinding(
            "grafana-staff", target=application, group=staff, order=0, adopt=True, opts=opts
        )

    program()
    made = {args.typ.rpartition("/")[2]: args for args in recorder.made}
    inputs: dict[str, Any] = made["authentik_policies:policybinding"].inputs
    assert inputs["target"] == "authentik_core.application:grafana"
    assert inputs["gatehouse"] == {
        "kind": "authentik_policies.policybinding",
        "logical": "grafana-staff",
        "adopt": True,
    }
    assert made["authentik_core:application"].inputs["provider"] == "grafana"
    assert made["authentik_core:user"].inputs["groups"] == ["staff", "authentik Admins"]
    secret = made["authentik_providers_oauth2:oauth2provider"].inputs
    assert secret["authorization_flow"] == "acme-consent"


@pytest.fixture
def opts() -> pulumi.ResourceOptions:
    """A run of a program, with an explicit provider."""
    pulumi.runtime.set_mocks(Recorder(), project="gatehouse", stack="acme", preview=True)
    return provided()


def provided(parent: pulumi.Resource | None = None) -> pulumi.ResourceOptions:
    provider = pulumi.ProviderResource("pulumi-python", "authentik", {})
    return pulumi.ResourceOptions(provider=provider, parent=parent)


def test_a_name_is_given_once_in_a_name_space(opts: pulumi.ResourceOptions) -> None:
    core.Group("staff", name="staff", opts=opts)
    core.User("staff", username="staff", name="Staff", opts=opts)  # another name space
    with pytest.raises(Problems) as caught:
        core.Group("people", name=" staff ", opts=opts)
    assert str(caught.value).splitlines()[1].strip() == (
        "authentik_core.group 'people': ' staff ' is declared twice in one name space; the other is "
        "authentik_core.group 'staff'. Rename one"
    )
    policies.DummyPolicy("one", name="same", opts=opts)
    with pytest.raises(Problems, match=r"the other is authentik_policies_dummy\.dummypolicy 'one'"):
        policies.ExpressionPolicy("two", name="same", expression="return True", opts=opts)


def test_what_belongs_to_one_object_is_given_once(opts: pulumi.ResourceOptions) -> None:
    flow = "default-provider-invalidation-flow"
    ldap = providers.LDAPProvider(
        "ldap", name="ldap", authorization_flow=flow, invalidation_flow=flow, opts=opts
    )
    core.Application("one", slug="one", name="One", provider="wiki", backchannel_providers=[ldap], opts=opts)
    taken = ({"provider": "wiki"}, {"backchannel_providers": ["ldap"]}, {"provider": ldap})
    for slug, fields in zip(("two", "three", "four"), taken, strict=True):
        with pytest.raises(Problems, match=r"belongs already to authentik_core\.application 'one'"):
            core.Application(slug, slug=slug, name="Two", opts=opts, **fields)
    with pytest.raises(Problems, match=r"'mail' belongs already to authentik_core\.application 'five'"):
        core.Application(
            "five", slug="five", name="5", provider="mail", backchannel_providers=["mail"], opts=opts
        )


def test_composed_names_are_compared_by_their_parts(opts: pulumi.ResourceOptions) -> None:
    wiki = core.Application("wiki", slug="wiki", name="Wiki", opts=opts)
    staff = core.Group("staff", name="staff", opts=opts)
    policies.PolicyBinding("one", target=wiki, group=staff, order=0, opts=opts)
    policies.PolicyBinding("two", target=wiki, user="staff", order=0, opts=opts)
    policies.PolicyBinding("three", target="authentik_flows.flow:wiki", group=staff, order=0, opts=opts)
    with pytest.raises(Problems, match=r"wiki/staff' is declared twice .*\.policybinding 'one'"):
        policies.PolicyBinding(
            "four", target="authentik_core.application:wiki", group="staff", order=1, opts=opts
        )


def test_names_that_are_known_later_are_not_compared(opts: pulumi.ResourceOptions) -> None:
    later = pulumi.Output.from_input("staff")
    first = core.Group("staff", name=later, opts=opts)
    core.Group("other", name="staff", opts=opts)
    core.Group("third", name=later, opts=opts)
    for logical in ("one", "two"):
        policies.PolicyBinding(logical, target="wiki", group=first, order=0, opts=opts)
        core.Application(logical, slug=logical, name="x", provider=later, opts=opts)


def test_each_provider_and_each_run_has_names_of_its_own(opts: pulumi.ResourceOptions) -> None:
    core.Group("staff", name="staff", opts=opts)
    core.Group("staff-of-the-other", name="staff", opts=provided())
    parent = pulumi.ComponentResource("gatehouse:test:Room", "room", {}, opts)
    with pytest.raises(Problems, match="declared twice"):
        core.Group("inherited", name="staff", opts=pulumi.ResourceOptions(parent=parent))
    for run in ("first", "second"):
        pulumi.runtime.set_mocks(Recorder(), project="gatehouse", stack=run, preview=True)
        core.Group("staff", name="staff")
        with pytest.raises(Problems, match="declared twice"):
            core.Group("again", name="staff")
