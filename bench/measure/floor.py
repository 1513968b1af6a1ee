"""Makes the floor of a stack: the naive program that registers what its state holds, with that very state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pulumi.dynamic.dynamic import serialize_provider

from bench.measure.naive.nothing import Nothing
from bench.measure.stacks import STACK, Client, Naive

_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - how the engine marks a secret in an exported state
_PLAIN = {"pulumi-python", "pulumi"}
"""Packages that need no import of their own."""


def floor(folder: Path, client: Client) -> Naive:
    """The floor of a client that is up."""
    exported = json.loads(client.pulumi("stack", "export", "--stack", STACK, "--show-secrets"))
    resources = exported["deployment"]["resources"]
    naive = Naive(folder, "floor", client)
    (folder / "resources.json").write_text(json.dumps(document(resources)))
    blob = serialize_provider(Nothing())
    for item in resources:
        for values in (item.get("inputs", {}), item.get("outputs", {})):
            if "__provider" in values:
                values["__provider"] = blob
    naive.pulumi("stack", "import", "--stack", STACK, given=json.dumps(exported))
    # Where old and new differ in anything, if only in how they depend on each other, the engine has more to do (twice
    # as much at 100 apps), and the floor would be too high. So its state is its own.
    naive.pulumi("preview", "--stack", STACK, "--expect-no-changes")
    naive.pulumi("up", "--yes", "--skip-preview", "--stack", STACK)
    return naive


def document(resources: list[dict[str, Any]]) -> dict[str, Any]:
    """What the naive program reads, of the resources of an exported state."""
    packages = {_package(item["type"]) for item in resources} - _PLAIN - {None}
    stack = next(item for item in resources if item["type"] == "pulumi:pulumi:Stack")
    listed = [item for item in resources if item is not stack]
    return {
        "packages": sorted(f"pulumi_{name}" for name in packages),
        "resources": [
            {
                "urn": item["urn"],
                "type": item["type"],
                "name": item["urn"].rsplit("::", 1)[-1],
                "parent": item.get("parent"),
                "provider": item.get("provider", "").rpartition("::")[0],
                "dependencies": item.get("dependencies", []),
                "custom": item["custom"],
                "inputs": _plain({k: v for k, v in item.get("inputs", {}).items() if not k.startswith("__")}),
                "secret": item.get("additionalSecretOutputs", []),
            }
            for item in listed
        ],
        "outputs": _plain(stack.get("outputs", {})),
    }


def _package(type_: str) -> str | None:
    """The package of a type; None for a component of the program's own."""
    if type_.startswith("pulumi:providers:"):
        return type_.rpartition(":")[2]
    return None


def _plain(value: Any) -> Any:
    """A value of a state, with secrets as {"secret": value}."""
    if isinstance(value, dict):
        if value.get(_SIGNATURE) == _SECRET:
            return {"secret": json.loads(value["plaintext"])}
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value
