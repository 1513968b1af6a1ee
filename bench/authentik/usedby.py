"""What else names an object: the answer of …/used_by/."""

from __future__ import annotations

from typing import Any

from bench.authentik import names
from bench.authentik.catalog import Kind
from bench.authentik.context import Context
from bench.authentik.store import Data

ACTIONS = {
    "CASCADE": "cascade",
    "SET_NULL": "set_null",
    "SET_DEFAULT": "set_default",
    "UNLINK": "cascade_many",
}


def label(kind: Kind, data: Data) -> dict[str, Any]:
    """How an object is named here: by its parent class, if it has one."""
    app, model = (names.parent(kind)[1] or kind.label).split(".")
    shown = (
        data.get("name")
        or data.get("slug")
        or data.get("identifier")
        or f"{names.verbose(kind)} {data[kind.pk_field]}"
    )
    return {"app": app, "model_name": model, "pk": str(data[kind.pk_field]), "name": str(shown)}


def used_by(context: Context, kind: Kind, data: Data) -> list[dict[str, Any]]:
    """The objects that go or change when this one is deleted. A provider shows its own mappings, and nothing else."""
    if kind.path in context.line.groups["any_provider"]:
        return [
            {"app": "authentik_core", "model_name": "propertymapping", "pk": mapping["pk"],
             "name": f"Property Mapping {mapping['name']}", "action": "cascade_many"}
            for pk in data.get("property_mappings", [])
            if (found := context.group("any_property_mapping", pk))
            for mapping in [found[1]]
        ]  # fmt: skip
    rows: list[tuple[tuple[int, int], dict[str, Any]]] = []
    for other, ref in context.line.referrers[kind.path]:
        by = data.get(kind.pk_field if ref.by == "pk" else ref.by)
        for referrer in context.store.all(other.path):
            stored = referrer.get(ref.field)
            if ref.on_delete != "SET_DEFAULT" and (
                by in stored if isinstance(stored, list) else stored == by
            ):
                place = context.store.touched(other.path, referrer[other.pk_field])
                rows.append((place, {**label(other, referrer), "action": ACTIONS[ref.on_delete]}))
    return [row for _, row in sorted(rows, key=lambda pair: pair[0])]
