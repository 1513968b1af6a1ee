"""docs/run.schema.json: the schema of what `gatehouse preview`, `up` and `destroy` print with `--json`."""

from __future__ import annotations

import json
from pathlib import Path

from operations.document import Document

SCHEMA = Path(__file__).resolve().parent.parent / "docs" / "run.schema.json"


def files() -> dict[Path, str]:
    """The file and what belongs into it."""
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Document.model_json_schema()}
    return {SCHEMA: json.dumps(whole, indent=2, ensure_ascii=False) + "\n"}
