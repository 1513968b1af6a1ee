"""The generated classes: made from the catalogs, one a kind, each a thin form of the generic resource."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pulumi

from components.identity import catalog, generate
from components.identity.generated import core, providers
from components.identity.generated.flows import Flow
from components.identity.generated.policies import PolicyBinding
from components.identity.kinds import Line
from components.identity.typed import TypedObject
from tests.identity.test_plan import Recorder


def test_generating_again_changes_nothing() -> None:
    made = generate.modules()
    assert {path.name for path in generate.FOLDER.glob("*.py")} == set(made)
    for name, text in made.items():
        assert (generate.FOLDER / name).read_text() == text, (
            f"{name}: run `python -m components.identity.generate`"
        )


def classes() -> dict[str, type[TypedObject]]:
    found = {}
    for name in generate.modules():
        module = importlib.import_module(f"components.identity.generated.{name.removesuffix('.py')}")
        for _, each in inspect.getmembers(module, inspect.isclass):
            if issubclass(each, TypedObject) and each is not TypedObject:
                found[each.kind] = each
    return found


def test_every_declarable_kind_has_a_class_with_its_token() -> None:
    found = classes()
    assert set(found) == {label for line in catalog.lines() for label in Line(line).declarable()}
    for label, each in found.items():
        assert each._resource_type_name == f"dynamic/{label.replace('.', ':')}"


def test_every_field_of_every_line_is_there() -> None:
    for label, each in classes().items():
        module = importlib.import_module(each.__module__)
        fields = getattr(module, f"{each.__name__}Fields").__annotations__
        having = [line for line in map(Line, catalog.lines()) if label in line.labels()]
        assert set(fields) == {name for line in having for name in line.fields(label)}, label


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
        PolicyBinding("grafana-staff", target=application, group=staff, order=0, adopt=True, opts=opts)

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
