"""Make the emulator's schemas from those that authentik publishes.

    python -m tools.emulator_schemas bench/authentik/schema SCHEMA.yml [SCHEMA.yml …]

Only facts are kept: names, types, limits, enumerations, which fields are required, read-only or write-only, and which
paths take which methods and query parameters. Texts, titles and examples go. One gzipped JSON file a release line.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import yaml

KEEP = {
    "type",
    "enum",
    "format",
    "pattern",
    "nullable",
    "readOnly",
    "writeOnly",
    "required",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "maxItems",
    "minItems",
    "default",
}
NESTED = {"allOf", "oneOf", "anyOf"}
REF = "#/components/schemas/"
Schema = dict[str, Any]


def trim(node: Schema) -> Schema:
    """The facts of one schema; a reference becomes {"$": name}, an allOf of one reference is folded into it."""
    out: Schema = {key: value for key, value in node.items() if key in KEEP}
    if "$ref" in node:
        out["$"] = node["$ref"].removeprefix(REF)
    if "properties" in node:
        out["properties"] = {name: trim(value) for name, value in node["properties"].items()}
    if "items" in node:
        out["items"] = trim(node["items"])
    if isinstance(node.get("additionalProperties"), dict):
        out["free"] = True
    for word in NESTED & node.keys():
        parts = [trim(part) for part in node[word]]
        if word == "allOf" and len(parts) == 1:
            out = {**parts[0], **out}
        else:
            out[word] = parts
    return out


def parameter(node: Schema, shared: Schema) -> tuple[str, Schema, str]:
    """Name, schema and place of one parameter, shared ones resolved."""
    if "$ref" in node:
        node = shared[node["$ref"].rsplit("/", 1)[1]]
    return node["name"], trim(node.get("schema", {})), node["in"]


def content(node: Schema) -> str:
    """The schema name of a body ("" if there is none; "name[]" for a list)."""
    for media in node.get("content", {}).values():
        schema = media.get("schema", {})
        if "$ref" in schema:
            return str(schema["$ref"].removeprefix(REF))
        if schema.get("type") == "array" and "$ref" in schema.get("items", {}):
            return str(schema["items"]["$ref"].removeprefix(REF)) + "[]"
    return ""


def operation(node: Schema, shared: Schema) -> Schema:
    """What one method of one path takes and answers."""
    out: Schema = {}
    query = {
        name: schema
        for name, schema, place in (parameter(p, shared) for p in node.get("parameters", []))
        if place == "query"
    }
    if query:
        out["query"] = query
    if body := content(node.get("requestBody", {})):
        out["body"] = body
    for status, response in node.get("responses", {}).items():
        if status.startswith("2"):
            out["status"] = int(status)
            if name := content(response):
                out["answer"] = name
    return out


def schema_file(source: Path) -> Schema:
    """The trimmed form of one OpenAPI file."""
    document = yaml.load(source.read_text(), Loader=yaml.CSafeLoader)
    shared = document["components"].get("parameters", {})
    methods = {"get", "post", "put", "patch", "delete"}
    paths = {
        path: {method.upper(): operation(node, shared) for method, node in item.items() if method in methods}
        for path, item in document["paths"].items()
    }
    schemas = {name: trim(node) for name, node in document["components"]["schemas"].items()}
    return {"version": document["info"]["version"], "paths": paths, "schemas": schemas}


def write(target: Path, value: Schema) -> None:
    """Write compact JSON, compressed, the same bytes at every run."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    target.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def main(arguments: list[str]) -> None:
    """Write OUT/<line>.json.gz for each schema."""
    out = Path(arguments[0])
    for source in arguments[1:]:
        value = schema_file(Path(source))
        write(out / ".".join([*value["version"].split(".")[:2], "json", "gz"]), value)


if __name__ == "__main__":
    main(sys.argv[1:])
