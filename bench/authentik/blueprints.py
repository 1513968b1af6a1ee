"""Blueprints: which there are, and applying one. The bench reads plain entries with !Find, !KeyOf and !Context."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import yaml

from bench.authentik import crypto, defaults, writes
from bench.authentik.catalog import Kind
from bench.authentik.context import Context
from bench.authentik.fields import Invalid
from bench.authentik.rules import Crash
from bench.authentik.store import Data

BLUEPRINTS, TASKS = "/managed/blueprints/", "/tasks/tasks/"


class BlueprintError(Exception):
    """A blueprint that can't be applied; the text says why."""


class Tag:
    """A value that a blueprint names by a tag: `!Find [model, [field, value]]`, `!KeyOf id`, `!Context name`."""

    def __init__(self, name: str, argument: Any) -> None:
        self.name, self.argument = name, argument


class Loader(yaml.SafeLoader):
    """YAML with blueprint tags."""


def _tag(loader: Loader, suffix: str, node: yaml.Node) -> Tag:
    if isinstance(node, yaml.SequenceNode):
        return Tag(suffix, loader.construct_sequence(node, deep=True))
    if isinstance(node, yaml.MappingNode):
        return Tag(suffix, loader.construct_mapping(node, deep=True))
    assert isinstance(node, yaml.ScalarNode)
    return Tag(suffix, loader.construct_scalar(node))


Loader.add_multi_constructor("!", _tag)


def parse(text: str) -> dict[str, Any]:
    """A blueprint's document."""
    found = yaml.load(text, Loader=Loader)  # noqa: S506 (a SafeLoader with tags that only hold their argument)
    if not isinstance(found, dict):
        raise BlueprintError("a blueprint is a mapping with `version` and `entries`")
    return found


def available() -> list[dict[str, Any]]:
    """The blueprint files of the image."""
    return [
        {
            "path": path,
            "version": 1,
            "hash": hashlib.sha512(path.encode()).hexdigest(),
            "last_m": 1_795_551_056,
            "meta": {"name": name, "labels": labels},
        }
        for path, name, labels in defaults.tables()["blueprints"]
    ]


def exists(path: str) -> bool:
    """Whether the image has this file (or an OCI address is meant)."""
    return path.startswith("oci://") or any(entry["path"] == path for entry in available())


def apply(context: Context, blueprint: Data) -> None:
    """Apply a blueprint and note how it went."""
    metadata: dict[str, Any] = {}
    why = ""
    try:
        if blueprint.get("content"):
            document = parse(blueprint["content"])
            metadata = {"labels": {}, **document.get("metadata", {})}
            context_values = {**document.get("context", {}), **blueprint.get("context", {})}
            Application(context, context_values).run(document.get("entries", []))
        else:
            metadata = next(
                (entry["meta"] for entry in available() if entry["path"] == blueprint["path"]), {}
            )
            for path, fields in defaults.tables()["examples"].get(blueprint["path"], []):
                defaults.add(context, path, fields)
        status = "successful"
    except (BlueprintError, KeyError, yaml.YAMLError, Crash) as error:
        status, why = "error", str(error) or type(error).__name__
    note(context, blueprint, why)
    text = blueprint.get("content") or blueprint["path"]
    done = {"status": status, "last_applied": crypto.now(), "metadata": metadata}
    if not why:
        done["last_applied_hash"] = hashlib.sha512(text.encode()).hexdigest()
    row = {name: value for name, value in blueprint.items() if name != "_apply"}
    context.store.replace(BLUEPRINTS, blueprint["pk"], {**row, **done})


def note(context: Context, blueprint: Data, why: str) -> None:
    """What the worker's task leaves behind, for the list of tasks."""
    line: dict[str, Any] = {
        "timestamp": crypto.now(),
        "log_level": "warning" if why else "info",
        "logger": "authentik.blueprints.v1.tasks",
        "event": why or "Applied blueprint",
        "attributes": {},
    }
    app, _, model = context.line.kinds[BLUEPRINTS].label.partition(".")
    task = {
        "message_id": str(uuid.uuid4()),
        "queue_name": "default",
        "actor_name": "authentik.blueprints.v1.tasks.apply_blueprint",
        "state": "done",
        "mtime": crypto.now(),
        "rel_obj_app_label": app,
        "rel_obj_model": model,
        "rel_obj_id": str(blueprint["pk"]),
        "uid": blueprint["name"],
        "aggregated_status": "error" if why else "info",
        "description": "Apply single blueprint.",
    }
    # Up to 2025.8 the lines were called messages.
    name = "logs" if "logs" in context.line.schemas["Task"]["properties"] else "messages"
    context.store.insert(TASKS, task["message_id"], {**task, name: [line], f"previous_{name}": []})


def apply_waiting(context: Context) -> None:
    """Apply what was asked for since the last time."""
    for blueprint in list(context.store.all(BLUEPRINTS)):
        if blueprint.get("_apply"):
            apply(context, blueprint)


class Application:
    """One blueprint being applied."""

    def __init__(self, context: Context, values: dict[str, Any]) -> None:
        self.context, self.values = context, values
        self.made: dict[str, Any] = {}

    def run(self, entries: list[dict[str, Any]]) -> None:
        """All entries in order."""
        for entry in entries:
            kind = self.context.line.by_label.get(entry["model"])
            if kind is None:
                raise BlueprintError(f"the model {entry['model']} does not exist")
            identifiers = {name: self.resolve(value) for name, value in entry.get("identifiers", {}).items()}
            attributes = {name: self.resolve(value) for name, value in (entry.get("attrs") or {}).items()}
            data = self.entry(kind, entry.get("state", "present"), identifiers, attributes)
            if data is not None and "id" in entry:
                self.made[entry["id"]] = data[kind.pk_field]

    def entry(
        self, kind: Kind, state: str, identifiers: dict[str, Any], attributes: dict[str, Any]
    ) -> Data | None:
        """One entry's object as it is afterwards."""
        before = self.context.store.find(kind.path, **identifiers)
        if state == "absent":
            if before is not None:
                writes.delete(self.context, kind, before)
            return None
        if before is not None and state == "created":
            return before
        values = {**identifiers, **attributes}
        try:
            request = writes.prepare(self.context, kind, values, before, partial=before is not None)
        except Invalid as error:
            raise BlueprintError(f"Entry invalid: Serializer errors {error.detail}") from None
        return writes.apply(request, None)

    def resolve(self, value: Any) -> Any:
        """A value with its tags replaced."""
        if isinstance(value, list):
            return [self.resolve(item) for item in value]
        if isinstance(value, dict):
            return {name: self.resolve(item) for name, item in value.items()}
        if not isinstance(value, Tag):
            return value
        if value.name == "KeyOf":
            return self.made[value.argument]
        if value.name == "Context":
            name, fallback = value.argument if isinstance(value.argument, list) else (value.argument, None)
            return self.values.get(name, fallback)
        if value.name == "Find":
            return self.find(*value.argument)
        raise BlueprintError(f"the bench does not know the tag !{value.name}")

    def find(self, model: str, *conditions: list[Any]) -> Any:
        """The pk of the object that fulfils all conditions."""
        kind = self.context.line.by_label.get(model)
        wanted = {name: self.resolve(value) for name, value in conditions}
        data = self.context.store.find(kind.path, **wanted) if kind else None
        if kind is None or data is None:
            raise BlueprintError(f"there is no {model} with {wanted}")
        return data[kind.pk_field]
