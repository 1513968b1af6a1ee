"""Stack files as data: the good one, and one laid over it."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from components.secrets import new_root_secret

HERE = Path(__file__).resolve().parent
NO_BOX = dict.fromkeys(("server", "cloudflareToken", "email", "network", "redis")) | {"box": "none"}
"""What makes the good file one of a client without a box."""
BAD = sorted((HERE / "bad").glob("*.yaml"))


def good() -> dict[str, Any]:
    """The good file's settings, with `secure` as it stands there."""
    settings = read(HERE / "good.yaml")["config"]
    settings["gatehouse:rootSecret"] = {"secure": new_root_secret()}
    return {key.removeprefix("gatehouse:"): value for key, value in settings.items()}


def read(path: Path) -> dict[str, Any]:
    """A file's content, for the caller alone."""
    return copy.deepcopy(_read(path))


@cache
def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    return document


def laid_over(settings: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`settings` with `changes`; a null takes a setting out."""
    whole = {**settings, **{key.removeprefix("gatehouse:"): value for key, value in changes.items()}}
    return {key: value for key, value in whole.items() if value is not None}


def decrypted(value: Any) -> Any:
    """A value as the engine hands it out."""
    if isinstance(value, dict):
        return (
            value["secure"]
            if set(value) == {"secure"}
            else {key: decrypted(each) for key, each in value.items()}
        )
    return [decrypted(each) for each in value] if isinstance(value, list) else value
