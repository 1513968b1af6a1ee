"""Checks request bodies as the real one does (ajv: all errors at once, types coerced) and words what is
wrong as ajv.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from bench.npm.errors import invalid

_SCHEMAS: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "requests.json").read_text())


def check(route: str, body: Any) -> dict[str, Any]:
    """The body with its types coerced. `route` is the key in requests.json. Raises ApiError 400."""
    schema = _SCHEMAS[route]
    body = _coerced(body, schema)
    errors = sorted(Draft202012Validator(schema).iter_errors(body), key=_order)
    if errors:
        raise invalid(", ".join(text for error in errors for text in _worded(error)))
    result: dict[str, Any] = body
    return result


def _order(error: ValidationError) -> tuple[int, str]:
    return (len(error.absolute_path), "/".join(map(str, error.absolute_path)))


def _coerced(value: Any, schema: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        known = schema.get("properties", {})
        return {key: _coerced(one, known[key]) if key in known else one for key, one in value.items()}
    if isinstance(value, list):
        return [_coerced(one, schema.get("items", {})) for one in value]
    match schema.get("type"), value:
        case "integer", str() if re.fullmatch(r"-?\d+", value):
            return int(value)
        case "integer", bool():
            return int(value)
        case "boolean", "true" | 1:
            return True
        case "boolean", "false" | 0:
            return False
        case "string", bool():
            return str(value).lower()
        case "string", int() | float():
            return str(value)
    return value


def _worded(error: ValidationError) -> list[str]:
    at = "data" + "".join(f"/{step}" for step in error.absolute_path)
    wanted = error.validator_value
    match error.validator:
        case "additionalProperties":
            known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
            extra = set(body) - set(known) if isinstance(body := error.instance, dict) else set()
            return [f"{at} must NOT have additional properties"] * len(extra)
        case "required":
            name = error.message.split("'")[1]
            return [f"{at} must have required property '{name}'"]
        case "type":
            return [f"{at} must be {','.join(wanted) if isinstance(wanted, list) else wanted}"]
        case "pattern":
            return [f'{at} must match pattern "{wanted}"']
        case "enum":
            return [f"{at} must be equal to one of the allowed values"]
        case "minimum":
            return [f"{at} must be >= {wanted}"]
        case "maximum":
            return [f"{at} must be <= {wanted}"]
        case "minProperties":
            return [f"{at} must NOT have fewer than {wanted} properties"]
        case "minItems" | "maxItems":
            less = "fewer" if error.validator == "minItems" else "more"
            return [f"{at} must NOT have {less} than {wanted} items"]
        case "minLength" | "maxLength":
            less = "fewer" if error.validator == "minLength" else "more"
            return [f"{at} must NOT have {less} than {wanted} characters"]
        case "anyOf" | "oneOf":
            inner = [text for one in error.context or [] for text in _worded(one)]
            how = "a schema in anyOf" if error.validator == "anyOf" else "exactly one schema in oneOf"
            return [*inner, f"{at} must match {how}"]
    return [f"{at} {error.message}"]
