"""The catalog of each line, and the table beside it, against the schemas that the bench keeps."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from components.identity import catalog
from components.identity.kinds import ReleaseLine, title
from tools.catalog import extract

SCHEMAS = Path(__file__).parents[2] / "bench" / "authentik" / "schema"
KINDS = {"2025.8": 106, "2025.10": 110, "2025.12": 115, "2026.2": 118, "2026.5": 121, "2026.8": 127}


def openapi(line: str) -> dict[str, Any]:
    """The bench's trimmed schema in the form in which authentik gives it out."""
    kept = json.loads(gzip.decompress((SCHEMAS / f"{line}.json.gz").read_bytes()))

    def content(name: str | None) -> dict[str, Any]:
        return (
            {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}}
            if name
            else {}
        )

    def operation(facts: dict[str, Any]) -> dict[str, Any]:
        body = {"requestBody": content(facts["body"])} if "body" in facts else {}
        return {"responses": {str(facts["status"]): content(facts.get("answer"))}, **body}

    return {
        "info": {"version": kept["version"]},
        "paths": {
            path: {method.lower(): operation(facts) for method, facts in methods.items()}
            for path, methods in kept["paths"].items()
        },
        "components": {"schemas": linked(kept["schemas"])},
    }


def linked(node: Any) -> Any:
    """With references as OpenAPI writes them."""
    if isinstance(node, dict):
        if isinstance(node.get("$"), str):
            rest = {name: value for name, value in node.items() if name != "$"}
            return {**linked(rest), "allOf": [{"$ref": f"#/components/schemas/{node['$']}"}]}
        return {name: linked(inner) for name, inner in node.items()}
    return [linked(inner) for inner in node] if isinstance(node, list) else node


@pytest.mark.parametrize("line", KINDS)
def test_extracting_again_changes_nothing(line: str) -> None:
    extracted = extract(openapi(line), line)
    kinds = catalog.load(line)
    assert len(kinds) == KINDS[line]
    assert extracted["kinds"].keys() == kinds.keys()
    for path, kind in kinds.items():
        assert extracted["kinds"][path] == kind, path


def test_lines_are_in_order() -> None:
    assert catalog.lines() == tuple(KINDS)
    assert catalog.newest_line() == [*KINDS][-1]
    with pytest.raises(KeyError):
        catalog.load("2031.1")


@pytest.mark.parametrize("line", KINDS)
def test_every_kind_has_what_the_schema_does_not_say(line: str) -> None:
    kinds = ReleaseLine(line)
    assert len(list(kinds.labels())) == KINDS[line]
    paths = catalog.load(line)
    for label in kinds.labels():
        facts = paths[kinds.path(label)]
        kind = kinds.kind(label)
        known = {*facts["fields"], *facts["read"]}
        assert {kind.pk, kind.url} <= known, label
        for name, reference in kind.references.items():
            assert name in facts["fields"], (label, name)
            for to in reference.to:
                assert kinds.kind(to).path
                assert to.startswith("@") or to in kinds.labels(), (label, name)
        if kinds.undeclarable_reason(label) is None:
            assert kind.key.parts, f"{label} has no natural key"
            assert set(kind.key.fields) <= set(facts["fields"]), label
            assert set(kind.always_sent) <= known | {"internal_host"}, label


@pytest.mark.parametrize("line", KINDS)
def test_every_field_that_names_an_object_is_a_reference(line: str) -> None:
    """A uuid or a list of uuids that is no reference is one that has been forgotten, but for these few."""
    kinds = ReleaseLine(line)
    no_objects = {"webauthn_allowed_device_types", "device_type_restrictions", "object_id"}
    for label in kinds.declarable():
        for name, facts in kinds.fields(label).items():
            inner = facts.get("items", facts)
            if inner.get("format") == "uuid" and name not in no_objects:
                unused = (label, name) == ("authentik_providers_ldap.ldapprovider", "property_mappings")
                assert unused or name in kinds.kind(label).references, (label, name)


def test_titles_are_words() -> None:
    assert title("authentik_core.ApplicationEntitlement") == "application entitlement"
    assert title("authentik_providers_oauth2.OAuth2Provider") == "OAuth2 provider"
    assert title("authentik_providers_saml.SAMLProvider") == "SAML provider"


def test_what_differs_between_lines_is_kept_apart() -> None:
    assert "parent" in ReleaseLine("2025.8").kind("authentik_core.group").references
    assert "parents" in ReleaseLine("2026.8").kind("authentik_core.group").references
    assert "flow_set" not in ReleaseLine("2025.8").fields("authentik_stages_deny.denystage")
    assert "grant_types" in ReleaseLine("2026.8").fields("authentik_providers_oauth2.oauth2provider")
    assert "grant_types" not in ReleaseLine("2026.2").fields("authentik_providers_oauth2.oauth2provider")
    assert "issuer_override" in ReleaseLine("2026.8").fields("authentik_providers_saml.samlprovider")
    assert "token" in ReleaseLine("2026.8").kind("authentik_providers_scim.scimprovider").write_only
    assert "token" not in ReleaseLine("2026.2").kind("authentik_providers_scim.scimprovider").write_only
