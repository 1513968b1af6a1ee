"""Extract the catalog of a release line from authentik's OpenAPI schema: facts only, no sentences.

`gatehouse catalog` does it for an operator.

A kind is what can be created, listed, updated and deleted. For each: the name of its key in the URL, the request's
fields, and the names of those that only answers have.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import yaml

from components.identity.catalog import FOLDER

_CARRIED = ("format", "minLength", "maxLength", "minimum", "maximum", "pattern")


def extract(schema: dict[str, Any], line: str) -> dict[str, Any]:
    """The catalog of one schema."""
    paths = schema["paths"]
    kinds: dict[str, Any] = {}
    for path in sorted(paths):
        if path.endswith("}/") or not {"get", "post"} <= set(paths[path]):
            continue
        one = next(
            (p for p in paths if p.startswith(path + "{") and p.count("/") == path.count("/") + 1), None
        )
        if one is None or "delete" not in paths[one] or not {"put", "patch"} & set(paths[one]):
            continue
        request = _body(paths[path]["post"].get("requestBody"))
        answer = _body(paths[one]["get"]["responses"]["200"]) if "get" in paths[one] else None
        if request is None or answer is None:
            continue
        fields = _fields(schema, request)
        read = _resolve(schema, answer).get("properties", {})
        for name, field in fields.items():
            if name not in read or read[name].get("writeOnly"):
                field["write_only"] = True
        kinds[path] = {
            "url": one.rsplit("{", 1)[1].rstrip("}/"),
            "fields": fields,
            "read": sorted(name for name in read if name not in fields),
        }
    return {"line": line, "version": schema["info"]["version"], "kinds": kinds}


def _body(part: dict[str, Any] | None) -> dict[str, Any] | None:
    content = (part or {}).get("content", {}).get("application/json")
    return content["schema"] if content else None


def _resolve(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    """The node with its reference followed and single `allOf` or `oneOf` with a blank choice merged."""
    merged: dict[str, Any] = {
        key: value for key, value in node.items() if key not in {"$ref", "allOf", "oneOf"}
    }
    if "$ref" in node:
        target = schema["components"]["schemas"][node["$ref"].rpartition("/")[2]]
        merged = {**_resolve(schema, target), **merged}
    for part in [*node.get("allOf", ()), *node.get("oneOf", ())]:
        inner = _resolve(schema, part)
        choices = [
            *merged.get("enum", ()),
            *(value for value in inner.get("enum", ()) if value not in (None,)),
        ]
        merged = {**merged, **inner}
        if choices:
            merged["enum"] = list(dict.fromkeys(choices))
    return merged


def _fields(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    whole = _resolve(schema, node)
    required = set(whole.get("required", ()))
    return {
        name: _field(schema, inner, required=name in required)
        for name, inner in whole.get("properties", {}).items()
        if not _resolve(schema, inner).get("readOnly")
    }


def _field(schema: dict[str, Any], node: dict[str, Any], *, required: bool) -> dict[str, Any]:
    whole = _resolve(schema, node)
    field: dict[str, Any] = {"type": whole.get("type", "any")}
    field |= {key: whole[key] for key in _CARRIED if key in whole}
    if required:
        field["required"] = True
    if whole.get("nullable"):
        field["nullable"] = True
    if whole.get("writeOnly"):
        field["write_only"] = True
    if "enum" in whole:
        field["enum"] = whole["enum"]
    if "default" in whole:
        field["default"] = whole["default"]
    if field["type"] == "array":
        field["items"] = _field(schema, whole.get("items", {}), required=False)
    if "properties" in whole:
        field["fields"] = _fields(schema, whole)
    return field


def read_schema(source: str, token: str | None = None) -> dict[str, Any]:
    """A schema from a file or a URL, as YAML or JSON; with the API token, if the server wants one.

    Raises httpx.HTTPError, OSError or yaml.YAMLError when it cannot be had or read.
    """
    if source.startswith(("http://", "https://")):
        headers = {"Accept": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        answer = httpx.get(source, headers=headers, timeout=60.0, follow_redirects=True)
        answer.raise_for_status()
        text = answer.text
    else:
        text = Path(source).read_text()
    loaded: dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    return loaded


def write(schema: dict[str, Any], line: str) -> Path:
    """Extract and store the catalog of a line; returns the file's path."""
    catalog = extract(schema, line)
    target = FOLDER / f"{line}.json"
    rows = ",\n".join(
        f"{json.dumps(path)}: {json.dumps(kind, separators=(',', ':'))}"
        for path, kind in catalog["kinds"].items()
    )
    head = f'{{"line": {json.dumps(line)}, "version": {json.dumps(catalog["version"])}, "kinds": {{\n'
    target.write_text(f"{head}{rows}\n}}}}\n")
    return target
