"""Checks a request body against a request schema and answers in the words of Django REST framework."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from bench.authentik.catalog import Line, Schema

REQUIRED = "This field is required."
NOT_NULL = "This field may not be null."
BLANK = "This field may not be blank."
DATETIME = (
    "Datetime has wrong format. Use one of these formats instead: "
    "YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
)
NOT_A_DICT = "Value must be a dictionary, and not have any duplicate keys."
# The host may lack a dot: authentik's launch URLs and proxies use a validator of their own.
URL = re.compile(
    r"^[a-z][a-z0-9+.-]*://(?:[^\s/@]+@)?(?:\[[0-9a-f:.]+\]|[^\s/?#:\[\]]+)(?::\d{1,5})?(?:[/?#]\S*)?$", re.I
)
EMAIL = re.compile(r"^[^\s@]+@(?:[^\s@.]+\.)*[^\s@.]+$")
SLUG = re.compile(r"^[-a-zA-Z0-9_]+$")
NOT_A_SLUG = "Enter a valid {} consisting of letters, numbers, underscores or hyphens."


class Invalid(Exception):  # noqa: N818 (it carries the answer, it is no failure of the emulator)
    """A value is wrong; `detail` is what the API answers for it."""

    def __init__(self, detail: Any) -> None:
        super().__init__(detail)
        self.detail = detail


def as_uuid(value: object) -> str:
    """The canonical form of a UUID; Invalid with Django's words otherwise."""
    try:
        return str(uuid.UUID(str(value)))
    except ValueError:
        raise Invalid([f"“{value}” is not a valid UUID."]) from None


def string(_line: Line, schema: Schema, value: Any) -> Any:
    """A string: trimmed, not blank unless it may be, of the right length and format."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise Invalid(["Not a valid string."])
    text = str(value).strip()
    if text == "":
        if schema.get("minLength", 0) > 0:
            raise Invalid([BLANK])
        return text
    if len(text) > schema.get("maxLength", math.inf):
        raise Invalid([f"Ensure this field has no more than {schema['maxLength']} characters."])
    text = pattern(schema, text)
    form = FORMATS.get(schema.get("format", ""))
    return form(schema, text) if form else text


def pattern(schema: Schema, text: str) -> str:
    """Checks a pattern, slugs in their own words."""
    wanted = schema.get("pattern")
    if wanted and not re.match(wanted, text):
        if wanted != SLUG.pattern:
            raise Invalid(["This value does not match the required pattern."])
        # A slug of limited length is checked by the framework, any other by Django, in other quotes.
        raise Invalid([NOT_A_SLUG.format('"slug"' if "maxLength" in schema else "“slug”")])
    return text


def date_time(_schema: Schema, text: str) -> str:
    """A point in time, as Django writes it."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise Invalid([DATETIME]) from None
    return moment.isoformat().replace("+00:00", "Z") if moment.tzinfo else moment.isoformat() + "Z"


def matching(expression: re.Pattern[str], message: str) -> Callable[[Schema, str], str]:
    """A format that is a regular expression."""

    def check(_schema: Schema, text: str) -> str:
        if not expression.match(text):
            raise Invalid([message])
        return text

    return check


def plain_uuid(_schema: Schema, text: str) -> str:
    """A UUID that is no reference."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise Invalid(["Must be a valid UUID."]) from None


FORMATS: dict[str, Callable[[Schema, str], str]] = {
    "uuid": plain_uuid,
    "date-time": date_time,
    "uri": matching(URL, "Enter a valid URL."),
    "email": matching(EMAIL, "Enter a valid email address."),
}


def integer(_line: Line, schema: Schema, value: Any) -> int:
    """A whole number within its limits."""
    try:
        if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
            raise ValueError
        number = int(value)
    except (TypeError, ValueError):
        raise Invalid(["A valid integer is required."]) from None
    if number > schema.get("maximum", math.inf):
        raise Invalid([f"Ensure this value is less than or equal to {schema['maximum']}."])
    if number < schema.get("minimum", -math.inf):
        raise Invalid([f"Ensure this value is greater than or equal to {schema['minimum']}."])
    return number


def number(_line: Line, _schema: Schema, value: Any) -> float:
    """A number."""
    try:
        if isinstance(value, bool):
            raise ValueError
        return float(value)
    except (TypeError, ValueError):
        raise Invalid(["A valid number is required."]) from None


def boolean(_line: Line, _schema: Schema, value: Any) -> bool:
    """A truth value, in any of the spellings that the framework takes."""
    if value in (True, "true", "True", "1", "yes", "on", "t", "y", "TRUE"):
        return True
    if value in (False, "false", "False", "0", "no", "off", "f", "n", "FALSE"):
        return False
    raise Invalid(["Must be a valid boolean."])


def array(line: Line, schema: Schema, value: Any) -> list[Any]:
    """A list. Errors of plain items come by index, those of nested objects in a list of the same length."""
    items = line.schema(schema.get("items", {}))
    nested = "properties" in items
    if not isinstance(value, list):
        message = f'Expected a list of items but got type "{type(value).__name__}".'
        raise Invalid({"non_field_errors": [message]} if nested else [message])
    out: list[Any] = []
    errors: dict[int, Any] = {}
    for index, item in enumerate(value):
        try:
            out.append(check(line, items, item))
        except Invalid as error:
            errors[index] = error.detail
    if errors:
        raise Invalid(
            [errors.get(index, {}) for index in range(len(value))]
            if nested
            else {str(index): detail for index, detail in errors.items()}
        )
    return out


def mapping(line: Line, schema: Schema, value: Any) -> Any:
    """A nested object with known fields, or a free one (attributes, context, …)."""
    if "properties" in schema:
        if not isinstance(value, dict):
            raise Invalid(
                {
                    "non_field_errors": [
                        f"Invalid data. Expected a dictionary, but got {type(value).__name__}."
                    ]
                }
            )
        return body(line, schema, value)
    if not isinstance(value, dict):
        raise Invalid([NOT_A_DICT])
    return value


TYPES: dict[str, Callable[[Line, Schema, Any], Any]] = {
    "string": string,
    "integer": integer,
    "number": number,
    "boolean": boolean,
    "array": array,
    "object": mapping,
}


def choices(line: Line, schema: Schema) -> list[Any] | None:
    """The values of an enumeration, also of one that is made of several; None for other schemas."""
    if "enum" in schema:
        return list(schema["enum"])
    parts = schema.get("oneOf") or schema.get("anyOf")
    if not parts:
        return None
    found: list[Any] = []
    for part in parts:
        values = choices(line, line.schema(part))
        if values is None:
            return None
        found.extend(values)
    return found


def check(line: Line, schema: Schema, value: Any) -> Any:
    """The value as it will be stored; Invalid if the schema forbids it."""
    schema = line.schema(schema)
    allowed = choices(line, schema)
    if value is None:
        if schema.get("nullable") or (allowed and None in allowed):
            return None
        raise Invalid([NOT_NULL])
    if allowed is not None:
        for choice in allowed:
            if choice == value or (choice is not None and str(choice) == str(value)):
                return choice
        raise Invalid([f'"{value}" is not a valid choice.'])
    handler = TYPES.get(schema.get("type", ""))
    return handler(line, schema, value) if handler else value


def collect(
    line: Line, schema: Schema, values: dict[str, Any], partial: bool
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The known fields of `values`, checked, and the errors by field; unknown and read-only ones are left out.

    With `partial`, required fields may be absent.
    """
    out: dict[str, Any] = {}
    errors: dict[str, Any] = {}
    required = () if partial else schema.get("required", ())
    for name, node in schema.get("properties", {}).items():
        if node.get("readOnly"):
            continue
        if name not in values:
            if name in required:
                errors[name] = [REQUIRED]
            continue
        try:
            out[name] = check(line, node, values[name])
        except Invalid as error:
            errors[name] = error.detail
    return out, errors


def body(line: Line, schema: Schema, values: dict[str, Any]) -> dict[str, Any]:
    """The checked fields of a complete body; raises Invalid with all errors by field."""
    out, errors = collect(line, schema, values, partial=False)
    if errors:
        raise Invalid(errors)
    return out
