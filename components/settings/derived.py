"""What is said about derived secrets: generations and values that were there before."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from components.settings.base import Model
from components.settings.secret_forms import Sealed


class SecretSettings(Model):
    """Exceptions to the rule that every secret is the first generation of what the root secret gives."""

    generations: dict[str, Annotated[int, Field(ge=1, le=10_000)]] = Field(default_factory=dict)
    """Generation of a secret by its name, such as `app/grafana/client-secret: 2`; count up to rotate."""

    overrides: dict[str, Sealed] = Field(default_factory=dict)
    """Values in use before gatehouse came, by the secret's name; each secure."""
