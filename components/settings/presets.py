"""What gatehouse knows about well-known apps: one small file each in components/apps/presets/."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

DIRECTORY = Path(__file__).resolve().parent.parent / "apps" / "presets"


class Preset(BaseModel):
    """A well-known app. Paths are relative to the app's URL."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    protocol: Literal["oidc", "proxy"]
    redirect_paths: tuple[str, ...] = ()
    launch_path: str = ""
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    sub_mode: str = "hashed_user_id"
    source: str
    """Where the paths and scopes are documented."""


@cache
def presets() -> Mapping[str, Preset]:
    """All presets by name. Raises pydantic.ValidationError for a file that is not one."""
    files = sorted(DIRECTORY.glob("*.toml"))
    return {file.stem: Preset.model_validate(tomllib.loads(file.read_text())) for file in files}
