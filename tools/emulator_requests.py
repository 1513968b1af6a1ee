"""Makes requests.json from Nginx Proxy Manager's OpenAPI: the schemas of request bodies, without their
texts.

    python -m tools.emulator_requests openapi-2.15.1.json > bench/npm/requests.json

References are resolved, descriptions, titles and examples are left out: what remains is what a body must
look like.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROUTES = (
    "/nginx/access-lists",
    "/nginx/certificates",
    "/nginx/proxy-hosts",
    "/settings",
    "/tokens",
    "/users",
)
"""What the emulator serves."""


def trim(document: dict[str, Any]) -> dict[str, Any]:
    """The schema of each JSON request body below `ROUTES`, by "METHOD /path"."""
    found = {}
    for path, operations in document["paths"].items():
        if not path.startswith(ROUTES):
            continue
        for method, operation in operations.items():
            schema = (
                operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            )
            if schema is not None:
                found[f"{method.upper()} {path}"] = _plain(schema, document)
    return dict(sorted(found.items()))


def _plain(schema: Any, document: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return [_plain(one, document) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        target: Any = document
        for step in schema["$ref"].removeprefix("#/").split("/"):
            key = step.replace("~1", "/").replace("~0", "~")
            target = target[int(key)] if isinstance(target, list) else target[key]
        return _plain(target, document)
    kept = {}
    for key, value in schema.items():
        if key == "properties":
            kept[key] = {name: _plain(one, document) for name, one in value.items()}
        elif key not in ("description", "title", "example", "examples"):
            kept[key] = _plain(value, document)
    return kept


if __name__ == "__main__":
    json.dump(trim(json.loads(Path(sys.argv[1]).read_text())), sys.stdout, indent=1)
    sys.stdout.write("\n")
