"""What all settings models share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError


class Model(BaseModel):
    """A frozen group of settings: camelCase in YAML, snake_case in Python, nothing unknown."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=to_camel,
        hide_input_in_errors=True,
    )


def wrong(what: str, remedy: str) -> PydanticCustomError:
    """What a validator raises: `what` is wrong and `remedy` would be right; both without a full stop at the end."""
    return PydanticCustomError("gatehouse", "{what}", {"what": what, "remedy": remedy})


def dotted(*parts: str | int) -> str:
    """The path of a setting as it is spoken of: `gatehouse:people[0].email`."""
    text = ""
    for part in parts:
        if isinstance(part, int):
            text += f"[{part}]"
        elif text and ("." in part or " " in part):
            text += f'["{part}"]'
        else:
            text += f".{part}" if text else str(part)
    return f"gatehouse:{text}"
