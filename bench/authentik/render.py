"""Turns stored objects into what the API answers: every field of the response schema, nested objects included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bench.authentik import names
from bench.authentik.catalog import Kind, Line, Schema
from bench.authentik.computed import COMPUTED, Shown
from bench.authentik.context import APPLICATIONS, FLOW_BINDINGS, OUTPOSTS, Context
from bench.authentik.store import Data

# Here the server shows the parent class: no component, "stage" or "provider" for a name.
SHOWN_AS_PARENT = {
    (FLOW_BINDINGS, "stage_obj"),
    (OUTPOSTS, "providers_obj"),
    (OUTPOSTS, "service_connection_obj"),
    (APPLICATIONS, "backchannel_providers_obj"),
}
# Shown by the schema of its own kind, whatever the schema of the field says.
SHOWN_WHOLE = {"policy_obj"}
EMPTY = {"string": "", "array": [], "object": {}, "boolean": False, "integer": 0, "number": 0.0}
AS_PARENT: dict[str, Callable[[Kind], str]] = {
    "component": lambda _kind: "",
    "verbose_name": lambda kind: names.parent(kind)[0],
    "verbose_name_plural": lambda kind: names.parent(kind)[0] + "s",
    "meta_model_name": lambda kind: names.parent(kind)[1],
}


def render(
    context: Context, kind: Kind, data: Data, schema: str = "", as_parent: bool = False
) -> dict[str, Any]:
    """An object as its response schema (or another schema) shows it."""
    shape = context.line.schemas[schema or kind.response]
    shown = Shown(context, kind, data)
    return {
        name: value(shown, name, node, as_parent)
        for name, node in shape.get("properties", {}).items()
        if not node.get("writeOnly")
    }


def value(shown: Shown, name: str, node: Schema, as_parent: bool) -> Any:
    """One field of an answer."""
    if as_parent and name in AS_PARENT:
        return AS_PARENT[name](shown.kind)
    compute = COMPUTED.get((shown.kind.path, name))
    if compute is None and name not in shown.data:
        compute = COMPUTED.get(("", name))
    if compute is not None:
        return nested(shown, name, node, compute(shown))
    if name in shown.data:
        return shown.data[name]
    if name.endswith("_obj"):
        return related(shown, name, node)
    return default(shown.context.line, node)


def default(line: Line, node: Schema) -> Any:
    """What an unset field reads as."""
    if node.get("nullable") or node.get("format") == "uuid":
        return None
    resolved = line.schema(node)
    if "enum" in resolved:
        return resolved["enum"][0]
    return EMPTY.get(resolved.get("type", ""))


def related(shown: Shown, name: str, node: Schema) -> Any:
    """The object(s) that the field without "_obj" names, shown by the schema of this field."""
    ref = shown.kind.refs.get(name.removesuffix("_obj"))
    if ref is None:
        return default(shown.context.line, node)
    stored = shown.data.get(ref.field)
    if not ref.many:
        return nested(shown, name, node, shown.context.locate(ref, stored) if stored is not None else None)
    found = [shown.context.locate(ref, key) for key in stored or []]
    return nested(shown, name, node, [item for item in found if item])


def nested(shown: Shown, name: str, node: Schema, found: Any) -> Any:
    """Items rendered by the schema of the field; other values as they are. None where the client wants none."""
    if shown.context.flags.get(name) is False:
        return None
    as_parent = (shown.kind.path, name) in SHOWN_AS_PARENT
    if isinstance(found, list) and found and isinstance(found[0], tuple):
        schema = node.get("items", {}).get("$", "")
        return [render(shown.context, kind, data, schema, as_parent) for kind, data in found]
    if isinstance(found, tuple):
        kind, data = found
        schema = "" if name in SHOWN_WHOLE else node.get("$", "")
        return render(shown.context, kind, data, schema, as_parent)
    return found
