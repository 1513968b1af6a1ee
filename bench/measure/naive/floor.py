"""The floor of a preview: plain imports, and every resource of a list with the same type, name, parent and inputs.

`resources.json`, beside the program, is made from the state of a gatehouse stack:
{"packages": [...], "resources": [{urn, type, name, parent, provider, dependencies, custom, inputs, secret}],
"outputs": {...}}, in the order in which the engine saw them; a secret value stands as {"secret": value} in `inputs`.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import Resource

from bench.measure.naive.nothing import Nothing

DYNAMIC = "pulumi-python:dynamic/"
PROVIDER = "pulumi:providers:"
_NOTHING = Nothing()


def revived(value: Any) -> Any:
    """A value of the list, its secrets marked."""
    if isinstance(value, dict):
        if set(value) == {"secret"}:
            return pulumi.Output.secret(value["secret"])
        return {name: revived(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [revived(inner) for inner in value]
    return value


def register(item: dict[str, Any], made: dict[str, pulumi.Resource]) -> pulumi.Resource:
    """One resource of the list; what it refers to is in `made` by URN."""
    type_, name = item["type"], item["name"]
    options = pulumi.ResourceOptions(
        parent=made.get(item["parent"] or ""),
        depends_on=[made[urn] for urn in item["dependencies"] if urn in made],
        additional_secret_outputs=item["secret"],
    )
    if not item["custom"]:
        component = pulumi.ComponentResource(type_, name, None, options)
        component.register_outputs({})
        return component
    inputs = revived(item["inputs"])
    if type_.startswith(PROVIDER):
        options.version = inputs.pop("version", None)
        return pulumi.ProviderResource(type_.removeprefix(PROVIDER), name, inputs, options)
    provider = made[item["provider"]]
    assert isinstance(provider, pulumi.ProviderResource)
    options.provider = provider
    if not type_.startswith(DYNAMIC):
        return pulumi.CustomResource(type_, name, inputs, options)
    options.delete_before_replace = True
    return _dynamic(type_)(_NOTHING, name, inputs, options)


def _dynamic(type_: str, known: dict[str, type[Resource]] = {}) -> type[Resource]:  # noqa: B006 (a cache)
    if type_ not in known:
        module, _, name = type_.removeprefix(DYNAMIC).partition(":")

        class Kind(Resource, module=module, name=name):
            pass

        known[type_] = Kind
    return known[type_]


def main() -> None:
    """Register everything."""
    document = json.loads(Path("resources.json").read_text())
    for package in document["packages"]:
        importlib.import_module(package)
    made: dict[str, pulumi.Resource] = {}
    for item in document["resources"]:
        made[item["urn"]] = register(item, made)
    for name, value in document["outputs"].items():
        pulumi.export(name, revived(value))


if __name__ == "__main__":
    main()
