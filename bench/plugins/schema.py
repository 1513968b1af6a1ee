"""What the official plugins' schemas say of the types in use: names, types, what is required."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

Spec = dict[str, Any]


@functools.cache
def schema(plugin: str) -> Spec:
    """The part of `schema.json` (facts of the official plugins, trimmed to the types in use) for `plugin`."""
    found: Spec = json.loads((Path(__file__).parent / "schema.json").read_text())[plugin]
    return found


def resource(token: str) -> Spec:
    """The schema of a resource: `inputProperties`, `properties`, `requiredInputs`."""
    found: Spec = schema(token.split(":", 1)[0])["resources"][token]
    return found


def nested(plugin: str, spec: Spec) -> Spec | None:
    """The object type that a property of `spec` holds, itself or in a list; None if none."""
    reference = spec.get("$ref") or spec.get("items", {}).get("$ref", "")
    found: Spec | None = schema(plugin)["types"].get(reference.removeprefix("#/types/"))
    return found if found and "properties" in found else None
